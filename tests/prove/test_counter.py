# SPDX-License-Identifier: Apache-2.0
"""The counting plugin and the versions of the emulator's plugin interface."""

from __future__ import annotations

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


@pytest.mark.parametrize("api", range(1, 10))
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


def _pretend(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator that does what a script says, in front of all others."""
    program = folder / "qemu-system-arm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
