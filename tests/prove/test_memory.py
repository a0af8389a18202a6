# SPDX-License-Identifier: Apache-2.0
"""The replay of a flash memory, beside a model of it in few lines."""

from __future__ import annotations

import ctypes
import random
from collections import OrderedDict
from dataclasses import astuple, dataclass, field
from pathlib import PurePosixPath

import pytest

from mcuplan.prove.toolchain import Compiler, compile_sources, link
from mcuplan.resources import codegen_dir

RAM = 1 << 20


@dataclass(frozen=True)
class Flash:
    """In the order of ``memory_t``."""

    wait_states: int
    read_bytes: int
    line_bytes: int
    code_lines: int
    data_lines: int
    unified: int = 0
    prefetch: int = 0
    ram: int = RAM


BOARDS = (
    Flash(5, 16, 32, 32, 8, prefetch=1),
    Flash(5, 16, 32, 32, 8),
    Flash(5, 8, 32, 32, 8, prefetch=1),
    Flash(3, 16, 16, 64, 8, prefetch=1),
    Flash(2, 8, 8, 0, 0, prefetch=1),
    Flash(64, 8, 8, 5, 0, unified=1),
    Flash(0, 4, 4, 1, 1),
    Flash(4, 16, 512, 3, 2, prefetch=1),
)


@dataclass
class Model:
    """Caches are dictionaries, the line used last at the end; values are reads that are there."""

    flash: Flash
    now: int = 0
    free: int = 0
    current: int = -1
    ahead: tuple[int, int] = (-1, 0)
    caches: tuple[OrderedDict[int, set[int]], ...] = field(
        default_factory=lambda: (OrderedDict(), OrderedDict())
    )

    def _port(self) -> int:
        start = max(self.free, self.now)
        self.free = start + self.flash.wait_states + 1
        return start + self.flash.wait_states

    def _wait(self, ready: int) -> int:
        waited = max(0, ready - self.now)
        self.now += waited
        return waited

    def _has(self, which: int, address: int) -> bool:
        cache, line = self.caches[which], address // self.flash.line_bytes
        if line in cache:
            cache.move_to_end(line)
        return address // self.flash.read_bytes in cache.get(line, ())

    def _keep(self, which: int, address: int) -> None:
        cache, line = self.caches[which], address // self.flash.line_bytes
        most = self.flash.data_lines if which else self.flash.code_lines
        if line not in cache and len(cache) == most:
            if not most:
                return
            cache.popitem(last=False)
        cache.setdefault(line, set()).add(address // self.flash.read_bytes)

    def fetch(self, address: int) -> int:
        """Cycles that an instruction waits."""
        read = address // self.flash.read_bytes
        if read == self.current:
            return 0
        self.current = read
        if self._has(0, address):
            return 0
        waited = self._wait(self.ahead[1] if read == self.ahead[0] else self._port())
        self._keep(0, address)
        line = (address + self.flash.read_bytes) // self.flash.line_bytes
        if self.flash.prefetch and read + 1 not in self.caches[0].get(line, ()):
            self.ahead = read + 1, self._port()
        return waited

    def load(self, address: int) -> int:
        """Cycles that a load waits."""
        which = 0 if self.flash.unified else 1
        if self._has(which, address):
            return 0
        waited = self._wait(self._port())
        self._keep(which, address)
        return waited


@pytest.fixture(scope="module")
def replay(host: Compiler, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """``memory.c``, to be called."""
    folder = tmp_path_factory.mktemp("memory")
    for name in ("memory.c", "memory.h"):
        (folder / name).write_bytes((codegen_dir() / "harness" / name).read_bytes())
    flags = ("-std=c99", "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror")
    objects = compile_sources(host, [PurePosixPath("memory.c")], folder, flags)
    library = ctypes.CDLL(
        str(folder / link(host, objects, PurePosixPath("memory.so"), folder, ("-shared",)))
    )
    for name in ("memory_fetch", "memory_load"):
        getattr(library, name).argtypes = [ctypes.c_uint64]
        getattr(library, name).restype = ctypes.c_uint64
    library.memory_pass.argtypes = [ctypes.c_int64]
    return library


def _described(replay: ctypes.CDLL, flash: Flash) -> int:
    return int(replay.memory_describe((ctypes.c_uint64 * 8)(*astuple(flash))))


def _trace(seed: int) -> list[tuple[str, int]]:
    """Loops of code, streams of constants, and jumps, with time that passes."""
    draw = random.Random(seed)
    found: list[tuple[str, int]] = []
    while len(found) < 3000:
        start, length = 2 * draw.randrange(2000), 2 * draw.randrange(1, 300)
        stream = 4 * draw.randrange(4000)
        for _ in range(draw.randrange(1, 5)):
            for at in range(start, start + length, draw.choice((2, 4))):
                found.append(("fetch", at))
                if draw.random() < 0.3:
                    found.append(("load", stream))
                    stream += draw.choice((4, 4, 4, 1, -512)) % 16384
                found.append(("pass", draw.randrange(3)))
    return found


@pytest.mark.parametrize("flash", BOARDS)
def test_waits_are_those_of_the_model(replay: ctypes.CDLL, flash: Flash) -> None:
    """Every fetch and load of a trace waits as long as in the model."""
    assert 0 == _described(replay, flash)
    for seed in range(3):
        replay.memory_clear()
        model, waited = Model(flash), 0
        for what, value in _trace(seed):
            if what == "pass":
                replay.memory_pass(value)
                model.now += value
                continue
            here = getattr(replay, f"memory_{what}")(value)
            assert getattr(model, what)(value) == here
            waited += here
        assert waited > 0


def test_a_loop_that_fits_is_read_once(replay: ctypes.CDLL) -> None:
    """A loop as large as the cache waits in its first turn only, a larger one in all."""
    flash = Flash(5, 16, 32, 32, 8)
    for nbytes, turns in ((1024, 1), (1056, 10)):
        assert 0 == _described(replay, flash)
        waited = 0
        for at in 10 * list(range(0, nbytes, 4)):
            waited += replay.memory_fetch(at)
            replay.memory_pass(1)
        assert turns * nbytes / 16 * flash.wait_states == waited


@pytest.mark.parametrize(
    "flash",
    [
        Flash(1, 12, 16, 1, 1),
        Flash(1, 2, 16, 1, 1),
        Flash(1, 16, 8, 1, 1),
        Flash(1, 16, 24, 1, 1),
        Flash(1, 4, 256, 1, 1),
        Flash(1, 16, 16, 1 << 40, 1),
    ],
)
def test_nonsense_is_refused(replay: ctypes.CDLL, flash: Flash) -> None:
    """Sizes that are no powers of two, or that do not divide each other, are no memory."""
    assert -1 == _described(replay, flash)


def test_no_flash_never_waits(replay: ctypes.CDLL) -> None:
    """Without a description nothing is flash."""
    assert 0 == _described(replay, Flash(5, 0, 0, 0, 0))
    replay.memory_is_flash.argtypes = [ctypes.c_uint64]
    replay.memory_is_flash.restype = ctypes.c_bool
    assert not replay.memory_is_flash(0)
