# SPDX-License-Identifier: Apache-2.0
"""What commands say and do about channels that no output depends on."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_nets import small_net

from mcuplan.cli import run
from mcuplan.pipeline import plan, plan_for, retarget
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target

COMMAND = ["check", "net.onnx", "-t", "nucleo-f446re", "-f"]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the current folder: four of eight filters of the first layer are zero."""
    for name in [name for name in os.environ if name.startswith("MCUPLAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    small_net(8).zero("first", [1, 2, 5, 7]).save(tmp_path / "net.onnx")


def _report(capsys: Captured, *more: str) -> dict[str, Any]:
    assert 0 == run([*COMMAND, "json", *more])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_the_report_has_the_figures_of_both(capsys: Captured) -> None:
    """Totals are those of what is deployed, the model's those of the file; layers keep names."""
    report = _report(capsys)
    model, totals = report["model"], report["totals"]
    lost = {row["name"]: row["removed_channels"] for row in report["layers"]}
    assert {"first": 4, "second": 0, "head": 0} == {n: lost[n] for n in ("first", "second", "head")}
    assert 64 * 4 * (9 * 2 + 3) == model["macs"] - totals["macs"]
    assert 4 * (9 * 2 + 1 + 3) == model["parameters"] - totals["parameters"]
    assert totals["macs"] == sum(row["macs"] for row in report["layers"])
    (note,) = [f for f in report["verdict"]["findings"] if f["code"] == "model/dead-channels"]
    assert f"{model['macs']:,} -> {totals['macs']:,} MACs" in note["message"]


def test_dead_channels_stay_on_request(capsys: Captured) -> None:
    """With --keep-dead-channels all of the model is deployed, and no note speaks of it."""
    report = _report(capsys, "--keep-dead-channels")
    assert report["model"]["macs"] == report["totals"]["macs"]
    assert not any(row["removed_channels"] for row in report["layers"])
    assert "model/dead-channels" not in {f["code"] for f in report["verdict"]["findings"]}
    assert _report(capsys)["flash"]["weights_bytes"] < report["flash"]["weights_bytes"]


def test_the_text_shows_what_each_layer_lost(capsys: Captured) -> None:
    """The table of layers has a column of lost channels, the figures both sizes."""
    assert 0 == run([*COMMAND, "text", "--all", "-v"])
    out = capsys.readouterr().out
    (row,) = [line for line in out.splitlines() if " first " in line and " Conv 3x3 " in line]
    assert row.endswith(" -4")
    assert any(line.endswith(" dead") for line in out.splitlines())
    assert "with them" in out
    assert 0 == run([*COMMAND, "text", "--all", "-v", "--keep-dead-channels"])
    out = capsys.readouterr().out
    assert not any(line.endswith(" dead") for line in out.splitlines())
    assert "with them" not in out


def test_the_graph_without_them_can_be_shown(capsys: Captured) -> None:
    """--dump-after remove_dead_channels prints the int8 graph that is deployed."""
    assert 0 == run([*COMMAND, "json", "--dump-after", "remove_dead_channels"])
    assert "[1,8,8,4]" in capsys.readouterr().err.replace(" ", "")


def test_the_code_names_the_option(capsys: Captured) -> None:
    """Options that shape the code stand in its header."""
    command = ["generate", *COMMAND[1:4], "--calibration", "random", "-q", "-o"]
    assert 0 == run([*command, "with", "--keep-dead-channels"])
    assert 0 == run([*command, "without"])
    assert "keep-dead-channels" in Path("with/net.h").read_text()
    assert "keep-dead-channels" not in Path("without/net.h").read_text()


def test_every_target_gets_what_its_kernels_want() -> None:
    """Planned for another core, a layer keeps as many dead channels as that core's kernels like."""
    small_net(8).zero("first", [1, 2, 5]).save(Path("net.onnx"))
    wanted = {"c99": 5, "dsp": 6}
    for backend, channels in wanted.items():
        request = Request(Path("net.onnx"), replace(load_target("cortex-m4"), backend=backend))
        planned = plan(request, sizes_only=True)
        for other in wanted:
            moved = plan_for(planned, replace(request.target, backend=other))
            assert wanted[other] == _first_width(moved)
            assert channels == _first_width(retarget(planned, moved.plan.program.target))


def _first_width(planned: Planned) -> int:
    (step,) = [s for s in planned.plan.program.steps if s.node.origin == "first"]
    return step.signature.output.channels


def test_verify_compares_with_the_whole_model(host_gcc: str, capsys: Captured) -> None:
    """The code without dead channels computes what the whole model says, in every layer."""
    command = ["verify", *COMMAND[1:], "json", "--calibration", "random", "--on", "host"]
    assert 0 == run([*command, "--no-save"])
    report = json.loads(capsys.readouterr().out)
    (seen,) = report["verification"]
    assert seen["equal_to_reference"]
    assert any(row["removed_channels"] for row in report["layers"])
