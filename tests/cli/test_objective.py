# SPDX-License-Identifier: Apache-2.0
"""`--objective`: from a flag or the file to the kernels, the report and the header."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_nets import small_net

from mcuplan.cli import run
from mcuplan.targets import load_target

BOARD = "nucleo-f446re"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Runs start in a folder with a model and data, without variables of ours."""
    for name in [name for name in os.environ if name.startswith("MCUPLAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    small_net().save(tmp_path / "net.onnx")
    samples = np.random.default_rng(3).standard_normal((6, 2, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "data.npz", input=samples)


def _check(capsys: Captured, *arguments: str) -> Any:
    assert 0 == run(["check", "net.onnx", "-t", BOARD, "-f", "json", *arguments])
    return json.loads(capsys.readouterr().out)


def test_objectives_reach_the_kernels(capsys: Captured) -> None:
    """Each objective is at least as good as the others at what it is for, and says its trade."""
    objectives = ("balanced", "ram", "ram=strict", "latency", "flash")
    found = {o: _check(capsys, "--objective", o) for o in objectives}
    assert all(o == report["selection"]["objective"] for o, report in found.items())
    assert all(report["selection"]["statement"] for report in found.values())
    arenas = {o: report["ram"]["arena_bytes"] for o, report in found.items()}
    cycles = {o: report["latency"]["cycles"] for o, report in found.items()}
    flash = {o: report["flash"]["total_bytes"] for o, report in found.items()}
    assert min(arenas.values()) == arenas["ram=strict"] <= arenas["ram"]
    assert cycles["ram"] <= 2 * cycles["latency"]
    assert min(cycles.values()) == cycles["latency"]
    assert min(flash.values()) == flash["flash"] < flash["latency"]
    assert found["latency"]["latency"]["error"] is not None


def test_file_environment_and_flag(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """The file may name an objective, the environment beats it, a flag beats both."""
    Path("mcuplan.toml").write_text('objective = "ram=strict"\n', encoding="utf-8")
    assert "ram=strict" == _check(capsys)["selection"]["objective"]
    monkeypatch.setenv("MCUPLAN_OBJECTIVE", "flash")
    assert "flash" == _check(capsys)["selection"]["objective"]
    assert "latency" == _check(capsys, "--objective", "latency")["selection"]["objective"]


def test_another_word_is_wrong_usage(capsys: Captured) -> None:
    """An objective that there is not is refused, from a flag and from the file."""
    assert 2 == run(["check", "net.onnx", "-t", BOARD, "--objective", "speed"])
    Path("mcuplan.toml").write_text('objective = "speed"\n', encoding="utf-8")
    assert 2 == run(["check", "net.onnx", "-t", BOARD])
    assert "speed" in capsys.readouterr().err


def test_the_header_names_the_objective(capsys: Captured) -> None:
    """Generated code says what its kernels were chosen for where that is not the default."""
    arguments = ["generate", "net.onnx", "-t", BOARD, "--calibration", "data.npz", "-q"]
    assert 0 == run([*arguments, "-o", "a", "--objective", "flash"])
    assert 0 == run([*arguments, "-o", "b"])
    assert "objective flash" in Path("a/net.h").read_text(encoding="utf-8")
    assert "objective" not in Path("b/net.h").read_text(encoding="utf-8")


def test_cycles_of_another_core_state_no_error(capsys: Captured) -> None:
    """Cycles are measured on the Cortex-M4; what is scaled from there says so."""
    assert 0 == run(["check", "net.onnx", "-t", "cortex-m55"])
    assert "error not known" in capsys.readouterr().out
    assert 0 == run(["check", "net.onnx", "-t", "cortex-m33", "-f", "json"])
    report = json.loads(capsys.readouterr().out)  # of a model of the core, which may be off, too
    assert report["latency"]["error"] > load_target("cortex-m33").timing["cycles_error"].value
    assert 0 == run(["check", "net.onnx", "-t", "cortex-m4", "--all"])
    shown = capsys.readouterr().out
    assert "at 0 wait states" in shown
    assert "~" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
