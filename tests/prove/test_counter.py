# SPDX-License-Identifier: Apache-2.0
"""The counting plugin and the versions of the emulator's plugin interface."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import tiny

from mcuplan.errors import ToolFailed
from mcuplan.prove.cores import CORES
from mcuplan.prove.counter import build_plugin, plugin_api
from mcuplan.prove.emulator import run_on_core
from mcuplan.prove.harness import build_for_core
from mcuplan.prove.toolchain import Compiler
from mcuplan.resources import codegen_dir


@pytest.mark.parametrize("api", [1, 2, 3, 6, 7, 9])  # first and last of every form of the text
def test_builds_for_every_version(api: int, host: Compiler, tmp_path: Path) -> None:
    """The plugin compiles without a warning for old and new versions, and says which it is."""
    plugin = build_plugin(tmp_path, host, api)

    assert plugin.is_file()


def test_runs_in_this_emulator(arm: Compiler, host: Compiler, tmp_path: Path) -> None:
    """Built for the version that the emulator names, the plugin loads and counts each call."""
    api = plugin_api(tmp_path, host)
    image = build_for_core(tiny.bundle(), tiny.API, tmp_path, CORES["cortex-m3"], arm)
    a, b = tiny.samples(2)

    run = run_on_core(image, (a, b), counter=build_plugin(tmp_path, host, api))

    assert 1 <= api
    assert 2 == len(run.calls)
    assert np.array_equal(tiny.expected(a, b)[1], run.outputs[0])


@pytest.mark.parametrize(
    ("says", "api"),
    [
        ("plugin requires API version 9, but this QEMU supports only up to version 1", 1),
        ("TCG plugin ./probe.so: this QEMU supports only up to version 12", 12),
    ],
)
def test_asks_the_emulator(
    says: str, api: int, host: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is the one that the emulator's refusal of the probe names."""
    _pretend(f"echo '{says}' >&2; exit 1", tmp_path, monkeypatch)

    assert api == plugin_api(tmp_path, host)


def test_emulator_without_plugins(
    host: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emulator that takes no plugins is a tool that failed, with a way out."""
    _pretend("echo '-plugin: invalid option' >&2; exit 1", tmp_path, monkeypatch)

    with pytest.raises(ToolFailed, match="invalid option") as caught:
        plugin_api(tmp_path, host)

    assert "--on host" in caught.value.hint


# halfwords of an instruction; cycles of an M0 and an M0+, and those more where it branches
_SMALL = {
    "adds r1, r2, #1": ((0x1C51, 0), (1, 0), (1, 0)),
    "muls r2, r3": ((0x435A, 0), (1, 0), (1, 0)),
    "add r8, r3": ((0x4498, 0), (1, 0), (1, 0)),
    "ldr r1, [pc]": ((0x4900, 0), (2, 0), (2, 0)),
    "ldr r1, [r2, #4]": ((0x6851, 0), (2, 0), (2, 0)),
    "ldrsb r1, [r2, r3]": ((0x56D1, 0), (2, 0), (2, 0)),
    "strb r1, [r2, r3]": ((0x54D1, 0), (2, 0), (2, 0)),
    "str r1, [sp, #4]": ((0x9101, 0), (2, 0), (2, 0)),
    "ldm r1!, {r2-r5}": ((0xC93C, 0), (5, 0), (5, 0)),
    "stm r1!, {r2, r3}": ((0xC10C, 0), (3, 0), (3, 0)),
    "push {r4-r7, lr}": ((0xB5F0, 0), (6, 0), (6, 0)),
    "pop {r4-r7}": ((0xBCF0, 0), (5, 0), (5, 0)),
    "pop {r4-r7, pc}": ((0xBDF0, 0), (6, 3), (6, 2)),
    "beq": ((0xD000, 0), (1, 2), (1, 1)),
    "b": ((0xE000, 0), (1, 2), (1, 1)),
    "bx lr": ((0x4770, 0), (1, 2), (1, 1)),
    "blx r3": ((0x4798, 0), (1, 2), (1, 1)),
    "mov pc, r2": ((0x4697, 0), (1, 2), (1, 1)),
    "add pc, r2": ((0x4497, 0), (1, 2), (1, 1)),
    "bl": ((0xF000, 0xF800), (2, 2), (2, 1)),
    "mrs r0, primask": ((0xF3EF, 0x8010), (4, 0), (3, 0)),
    "dmb": ((0xF3BF, 0x8F5F), (4, 0), (3, 0)),
}
_PROGRAM = """#include <stdio.h>
#include "timing.h"
static const struct { timing_core_t core; unsigned first, second; } given[] = { %s };
int main(void)
{
    for (size_t i = 0U; i < sizeof given / sizeof given[0]; i++) {
        const timing_t t = timing_of(given[i].core, given[i].first, given[i].second);
        printf("%%u %%u %%d\\n", t.cycles, t.refill, t.single_load);
    }
    return 0;
}
"""


def test_small_cores_take_what_their_manuals_say(host: Compiler, tmp_path: Path) -> None:
    """Every kind of instruction of an M0 and M0+ takes the cycles of the manual's table."""
    cores = ("TIMING_M0", "TIMING_M0PLUS")
    given = [f"{{ {core}, {a}U, {b}U }}" for core in cores for (a, b), *_ in _SMALL.values()]
    (tmp_path / "main.c").write_text(_PROGRAM % ", ".join(given), encoding="ascii")
    harness = codegen_dir() / "harness"
    sources = ["main.c", *(str(harness / name) for name in ("timing.c", "beats.c"))]
    command = [host.path, f"-I{harness}", *sources, "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)

    listed = subprocess.run([tmp_path / "main"], check=True, capture_output=True, text=True)

    wanted = [(*row[k], 0) for k in (1, 2) for row in _SMALL.values()]
    assert wanted == [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]


def _pretend(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator that does what a script says, in front of all others."""
    program = folder / "qemu-system-arm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
