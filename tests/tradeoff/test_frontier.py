# SPDX-License-Identifier: Apache-2.0
"""Other types of some layers: their order, what is compared, and what meets the limits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from nets import Net

from mcuplan import pipeline
from mcuplan.budget.footprint import flash_bill
from mcuplan.cli import run
from mcuplan.ir.types import DType
from mcuplan.record import Limits, Request
from mcuplan.targets import load_target
from mcuplan.tradeoff import plan_within, sensitivities, type_frontier

NET = Path(__file__).parents[2] / "models" / "digits_dscnn"


def _asked(**more: object) -> Request:
    usual = {"model": NET / "model.onnx", "calibration": NET / "calibration.npz", "effort": "fast"}
    return Request(target=load_target("cortex-m4"), **{**usual, **more})  # type: ignore[arg-type]


def test_layers_are_in_the_order_of_what_is_lost_for_what_is_saved() -> None:
    """Every layer with weights, then every tensor between layers that can be of int16."""
    changes = sensitivities(pipeline.plan(_asked()))
    narrow = [each for each in changes if each.dtype is DType.INT4]
    wide = [each for each in changes if each.dtype is DType.INT16]
    assert (*narrow, *wide) == changes
    shares = [each.error / each.cost for each in narrow]
    assert sorted(shares) == shares
    assert min(shares) > 0
    assert sorted(each.error for each in wide) == [each.error for each in wide]
    graph = pipeline.plan(_asked()).floating
    assert len(narrow) == sum(bool(node.op.weight_inputs) for node in graph.nodes)


def test_a_single_weight_saves_nothing(tmp_path: Path) -> None:
    """Half a byte is a byte: such a layer is no step to fewer bits."""
    net = Net((1, 1, 4, 4))
    path = tmp_path / "net.onnx"
    made = net.conv(net.add("Relu", net.conv("x", 1, 1, 1, 0)), 1, 3)
    path.write_bytes(net.model(made).SerializeToString())
    np.savez(tmp_path / "data.npz", x=net.samples(4))
    planned = pipeline.plan(_asked(model=path, calibration=tmp_path / "data.npz"))
    steps = sensitivities(planned)
    assert [13] == [step.cost for step in steps if step.dtype is DType.INT4]


def test_no_plan_is_beaten_in_everything_and_the_best_within_limits_is_chosen() -> None:
    """Weights of 4 bits need less flash and lose more, activations of 16 the other way round."""
    planned = pipeline.plan(_asked(objective="flash"))
    points = type_frontier(planned, Limits())
    (plain,) = (point for point in points if not point.options)
    figures = [(p.loss, p.flash_bytes, p.ram_bytes, p.cycles) for p in points]
    assert not any(point.chosen for point in points)
    assert sorted(points, key=lambda point: point.flash_bytes) == list(points)
    for one in figures:
        beaten = [o for o in figures if o != one and all(np.array(o) <= np.array(one))]
        assert not beaten or one == figures[points.index(plain)]
    less = [p for p in points if any("int4" in option for option in p.options)]
    assert all(p.loss > plain.loss for p in less)
    assert min(p.flash_bytes for p in less) < 0.75 * plain.flash_bytes
    wide = [p for p in points if any("int16" in option for option in p.options)]
    assert wide
    assert all(p.loss < plain.loss for p in wide)
    limit = plain.flash_bytes - 500
    within = type_frontier(planned, Limits(max_flash=limit))
    (chosen,) = (point for point in within if point.chosen)
    assert min(p.loss for p in points if p.flash_bytes <= limit) == chosen.loss


def test_a_plan_is_what_its_options_ask_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint of the finding, given as options, makes a plan that meets the limit."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(NET / "model.onnx", "net.onnx")
    command = ["check", "net.onnx", "-t", "cortex-m4", "--effort", "fast"]
    command += ["--objective", "flash", "-f", "json"]
    command += ["--calibration", str(NET / "calibration.npz")]
    assert 0 == run(command)
    plain = json.loads(capsys.readouterr().out)["flash"]["total_bytes"]
    assert 0 == run([*command, "--frontier", "-f", "text"])
    assert "as asked for" in capsys.readouterr().out
    command += ["--max-flash", str(plain - 300)]
    assert 1 == run([*command, "--frontier"])
    report = json.loads(capsys.readouterr().out)
    (found,) = (f for f in report["verdict"]["findings"] if f["code"] == "quant/types")
    (point,) = (p for p in report["calibration"]["types"] if p["chosen"])
    assert 0 == run([*command, *found["hint"].split()])
    again = json.loads(capsys.readouterr().out)
    assert point["flash_bytes"] == again["flash"]["total_bytes"] <= plain - 300
    assert point["ram_bytes"] == again["ram"]["total_bytes"]
    assert point["cycles"] == again["latency"]["cycles"]
    assert 1 == run([*command, "--frontier", "-f", "text"])
    assert "int4 weights" in capsys.readouterr().out


def test_what_is_over_a_limit_takes_other_types_where_loss_is_allowed() -> None:
    """As it is where it fits, or nothing that fits loses little enough."""
    asked = _asked(objective="flash", max_loss=50.0)
    planned, points = plan_within(asked, Limits())
    assert () == points
    assert {} == planned.request.weight_dtypes
    limit = Limits(max_flash=flash_bill(planned.plan, Limits(), None).total_bytes - 300)
    other, points = plan_within(asked, limit)
    (taken,) = (point for point in points if point.taken)
    assert taken.chosen
    assert other.request.weight_dtypes
    assert taken.flash_bytes == flash_bill(other.plan, limit, None).total_bytes
    assert taken.flash_bytes <= (limit.max_flash or 0)
    strict, points = plan_within(_asked(objective="flash", max_loss=0.01), limit)
    assert not any(point.taken for point in points)
    assert {} == strict.request.weight_dtypes


def test_a_frontier_of_types_needs_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without calibration data nothing is known of what outputs lose."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(NET / "model.onnx", "net.onnx")
    command = ["check", "net.onnx", "-t", "cortex-m4", "--frontier"]
    assert 2 == run(command)
    data = ["--calibration", str(NET / "calibration.npz")]
    assert 2 == run([*command, *data, "--dtype", "float32"])
    assert "--calibration DATA" in capsys.readouterr().err
