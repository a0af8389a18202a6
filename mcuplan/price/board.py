# SPDX-License-Identifier: Apache-2.0
"""What a kernel waits on a board before anything is built: reads of the flash, and rules.

`codegen/kernels/<backend>/board.toml` holds, for each kernel function, how many reads each part
of ``Kernel.work`` makes, fitted to runs on the emulator whose fetches and loads were replayed
through a few memory systems. Weights are a stream that is read from end to end each time that
one part of the kernel runs: a cache holds all of it or nothing of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from mcuplan.ir.op import Kernel, Signature
from mcuplan.ir.work import Work
from mcuplan.memory_system import MemorySystem, Stalls
from mcuplan.price.code import kernel_size
from mcuplan.price.constants import constants_of
from mcuplan.resources import codegen_dir

__all__ = [
    "BARE_READ",
    "CACHED_CODE",
    "CACHED_READ",
    "Reads",
    "Waits",
    "board_errors",
    "forget_waits",
    "held_in",
    "kernel_waits",
    "modelled_stalls",
    "stalls_of",
    "weight_reads",
]

CACHED_CODE, CACHED_READ, BARE_READ = 1024, 16, 8
"""Bytes of a cache for code, and of a read with and without one, that kernels are counted with."""

_ONCE = "once"  # no part of any kernel
_OTHER_LINES = 2  # of a cache for constants, that weights share with others and with their own end


@dataclass(frozen=True, slots=True)
class Waits:
    """Reads of a kernel by part, and what of them is waited for.

    Attributes:
        cached: reads of ``CACHED_READ`` bytes for code behind a cache of ``CACHED_CODE``.
        bare: reads of ``BARE_READ`` bytes for code without a cache.
        literals: reads of constants beside the stream of weights, behind a cache.
        loads: loads of constants.
        rules: cycles of pipeline rules.
        mixed: of these, those of neighbouring loads of which one reads flash.
        streamed: the part of which each one reads all weights; empty where they are no stream.
        exposed, exposed_bare: what is left of the waits for code where the next read is made
            ahead, at wait states over bytes of a read.
        contention, contention_bare: how much longer constants take then.
        errors: by board that was counted on, the share that cycles of all but one layer in twenty
            were off at most.
    """

    cached: Mapping[str, float]
    bare: Mapping[str, float]
    literals: Mapping[str, float]
    loads: Mapping[str, float]
    rules: Mapping[str, float]
    streamed: str
    exposed: Mapping[float, float]
    exposed_bare: Mapping[float, float]
    contention: float
    contention_bare: float
    errors: Mapping[str, float]
    mixed: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reads:
    """Weights of a step: their bytes, and how often a call of the model reads them."""

    nbytes: int
    times: float


@cache
def kernel_waits(backend: str) -> Mapping[str, Waits]:
    """Waits by kernel function, empty for a backend without a file."""
    rows = _table(backend).get("kernels", {})
    return MappingProxyType({name: _waits(row) for name, row in rows.items()})


def board_errors(backend: str) -> Mapping[str, float]:
    """How far cycles on a board were off for whole networks, by their names."""
    return MappingProxyType(_table(backend).get("networks", {}))


@cache
def _table(backend: str) -> Mapping[str, Any]:
    path = codegen_dir() / "kernels" / backend / "board.toml"
    if not path.is_file():
        return MappingProxyType({})
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


def forget_waits() -> None:
    """The files were written anew."""
    kernel_waits.cache_clear()
    _table.cache_clear()


def _waits(row: Mapping[str, Any]) -> Waits:
    held: dict[str, Any] = {key: value for key, value in row.items() if key != "shapes"}
    for curve in ("exposed", "exposed_bare"):
        held[curve] = {float(x): share for x, share in row[curve].items()}
    return Waits(**held)


def weight_reads(kernel: Kernel, sig: Signature, work: Work) -> Reads:
    """The weights of a step, and how often they are read from flash."""
    waits = kernel_waits(kernel.backend).get(kernel.function)
    nbytes = constants_of(kernel, sig).weights_bytes
    return _reads(nbytes, _streamed(kernel, waits), work)


def _streamed(kernel: Kernel, waits: Waits | None) -> str:
    """The part of which each one reads all weights from flash."""
    if kernel.staged:  # once, to copy them
        return _ONCE
    return waits.streamed if waits else "pixel"


def _reads(nbytes: int, streamed: str, work: Work) -> Reads:
    return Reads(nbytes, max(1.0, work.get(streamed, 1.0)) if nbytes and streamed else 0.0)


def stalls_of(
    kernel: Kernel, sig: Signature, memory: MemorySystem, work: Work, cycles: float
) -> tuple[Stalls, float | None]:
    """Cycles beside those of the core, and how far they may be off; None: nobody knows.

    Args:
        kernel: what runs.
        sig: what it runs for.
        memory: that code and constants are read from.
        work: what the kernel's loops count.
        cycles: of the core.

    Returns:
        The stalls, and their error as a share of core and stalls together.
    """
    waits = kernel_waits(kernel.backend).get(kernel.function)
    if waits is None:
        return _unknown(memory, weight_reads(kernel, sig, work), cycles), None
    nbytes = constants_of(kernel, sig).weights_bytes
    streamed = _streamed(kernel, waits)
    waits = waits if streamed == waits.streamed else replace(waits, streamed=streamed)
    stalls = modelled_stalls(waits, memory, kernel_size(kernel).code_bytes, nbytes, work)
    if kernel.staged:
        stalls = replace(stalls, rules=stalls.rules - stalls.mixed, mixed=0.0)
    return stalls, waits.errors[_like(memory)]


def modelled_stalls(
    waits: Waits, memory: MemorySystem, code_bytes: int, weights_bytes: int, work: Work
) -> Stalls:
    """Cycles that a kernel with so much code and so many weights, in bytes, waits for some work."""
    weights = _reads(weights_bytes, waits.streamed, work)
    return Stalls(
        _code_waits(waits, memory, code_bytes, work),
        _constant_waits(waits, memory, weights, work),
        _total(waits.rules, work) if memory.rules else 0.0,
        _total(waits.mixed, work) if memory.rules else 0.0,
    )


def _like(memory: MemorySystem) -> str:
    """The board that was counted on which a memory system is most like."""
    if memory.code_bytes < CACHED_CODE:
        return "bare_ahead" if memory.prefetch else "bare"
    if memory.prefetch and 2 * memory.wait_states > memory.read_bytes:
        return "narrow"
    return "ahead" if memory.prefetch else "cached"


def _code_waits(waits: Waits, memory: MemorySystem, size: int, work: Work) -> float:
    """Reads for code times what is waited for each."""
    held = memory.code_bytes >= CACHED_CODE
    nbytes = CACHED_READ * _total(waits.cached, work) if held else 0.0
    nbytes = nbytes if held else BARE_READ * _total(waits.bare, work)
    left = 1.0
    if memory.prefetch:
        curve = waits.exposed if held else waits.exposed_bare
        left = _on_curve(curve, memory.wait_states / memory.read_bytes)
    nbytes *= left
    if memory.code_bytes >= size + CACHED_CODE:  # what runs of it stays, and what calls it
        nbytes = min(nbytes, size)
    return memory.wait_states * nbytes / memory.read_bytes


def _constant_waits(waits: Waits, memory: MemorySystem, weights: Reads, work: Work) -> float:
    """Reads of weights and of other constants."""
    longer = waits.contention if memory.code_bytes >= CACHED_CODE else waits.contention_bare
    each = memory.wait_states * (longer if memory.prefetch else 1.0)
    if not memory.data_bytes:
        return each * _total(waits.loads, work)
    times = min(1.0, weights.times) if held_in(memory, weights.nbytes) else weights.times
    stream = weights.nbytes * times / memory.read_bytes
    small = memory.data_bytes < CACHED_CODE
    return each * (stream + (_total(waits.literals, work) if small else 0.0))


def held_in(memory: MemorySystem, weights_bytes: int) -> bool:
    """Whether weights stay in the cache, beside the lines of other constants."""
    return weights_bytes + _OTHER_LINES * memory.line_bytes <= memory.data_bytes


def _unknown(memory: MemorySystem, weights: Reads, cycles: float) -> Stalls:
    """Of a kernel that nobody measured: about what others wait."""
    held = memory.code_bytes >= CACHED_CODE
    code = cycles * memory.wait_states * (0.01 if held else 1.5 / memory.read_bytes)
    fits = held_in(memory, weights.nbytes)
    stream = weights.nbytes * (min(1.0, weights.times) if fits else weights.times)
    constants = memory.wait_states * stream / max(4, memory.read_bytes)
    return Stalls(code, constants, 0.03 * cycles if memory.rules else 0.0)


def _total(parts: Mapping[str, float], work: Work) -> float:
    return sum([parts.get(part, 0.0) * count for part, count in work.items()])


def _on_curve(curve: Mapping[float, float], at: float) -> float:
    """Between the points, from 0 at 0; beyond the last one it goes towards 1."""
    before, share = 0.0, 0.0
    for x, y in sorted(curve.items()):
        if at <= x:
            return share + (y - share) * (at - before) / (x - before)
        before, share = x, y
    return 1.0 - (1.0 - share) * before / at if at > 0 else 0.0
