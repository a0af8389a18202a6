# SPDX-License-Identifier: Apache-2.0
"""Other types of some layers: their order, what is compared, and what meets the limits."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
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
    planned = pipeline.plan(_asked())
    found = sensitivities(planned)
    assert {DType.INT4} == {each.dtype for each in found.fewer}
    assert {DType.INT16} == {each.dtype for each in found.more}
    shares = [each.error / each.cost for each in found.fewer]
    assert sorted(shares) == shares
    assert min(shares) > 0
    assert sorted(each.error for each in found.more) == [each.error for each in found.more]
    graph = planned.floating
    assert len(found.fewer) == sum(bool(node.op.weight_inputs) for node in graph.nodes)


def test_a_single_weight_saves_nothing(tmp_path: Path) -> None:
    """Half a byte is a byte: such a layer is no step to fewer bits."""
    net = Net((1, 1, 4, 4))
    path = tmp_path / "net.onnx"
    made = net.conv(net.add("Relu", net.conv("x", 1, 1, 1, 0)), 1, 3)
    path.write_bytes(net.model(made).SerializeToString())
    np.savez(tmp_path / "data.npz", x=net.samples(4))
    planned = pipeline.plan(_asked(model=path, calibration=tmp_path / "data.npz"))
    assert [13] == [step.cost for step in sensitivities(planned).fewer]


def test_no_plan_is_beaten_in_everything_and_the_best_within_limits_is_chosen() -> None:
    """Weights of 4 bits need less flash and lose more, activations of 16 the other way round."""
    planned = pipeline.plan(_asked(objective="flash"))
    limit = flash_bill(planned.plan, Limits(), None).total_bytes - 500
    points = type_frontier(planned, Limits(max_flash=limit))
    (plain,) = (point for point in points if not point.options)
    assert limit + 500 == plain.flash_bytes
    figures = [(p.loss, p.flash_bytes, p.ram_bytes, p.cycles) for p in points]
    assert sorted(points, key=lambda point: point.flash_bytes) == list(points)
    for one in figures:
        beaten = [o for o in figures if o != one and all(np.array(o) <= np.array(one))]
        assert not beaten or one == figures[points.index(plain)]
    less = [p for p in points if any("int4" in option for option in p.options)]
    assert all(p.loss > plain.loss for p in less)
    assert min(p.flash_bytes for p in less) < 0.75 * plain.flash_bytes
    wide = [p for p in points if any("int16" in option for option in p.options)]
    alone = [p for p in wide if p not in less]
    assert alone
    assert all(p.loss < plain.loss for p in alone)
    assert 0 < len(alone) < len(wide), "points of both"
    (chosen,) = (point for point in points if point.chosen)
    assert chosen.flash_bytes <= limit
    assert min(p.loss for p in points if p.flash_bytes <= limit) * 1.05 >= chosen.loss


def _uneven(folder: Path) -> list[str]:
    """A command for a net with a tensor that one channel spoils, and weights that hardly count.

    The spoilt tensor is worth int16; the many weights are worth int4.
    """
    net = Net((1, 16))
    loud = np.ones((16, 24), np.float32) + net.rng.random((16, 24)).astype(np.float32)
    loud[:, 0] *= 200
    quiet = net.rng.standard_normal((24, 8)).astype(np.float32)
    quiet[0] *= 0.001
    spoilt = net.add("Gemm", "x", net.const(loud))
    fine = net.add("Gemm", spoilt, net.const(quiet))
    many = net.add("Relu", net.add("Gemm", "x", net.random(16, 512)))
    faint = net.add("Gemm", many, net.const(0.001 * net.rng.standard_normal((512, 8))))
    (folder / "net.onnx").write_bytes(net.model(net.add("Add", fine, faint)).SerializeToString())
    np.savez(folder / "data.npz", x=net.samples(40))
    return ["net.onnx", "--calibration", "data.npz"]


def test_fewer_bits_where_flash_is_short_and_more_where_outputs_need_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both in one plan; the hint of the finding, given as options, makes it again."""
    monkeypatch.chdir(tmp_path)
    command = ["check", *_uneven(tmp_path), "-t", "cortex-m4", "--objective", "flash"]
    command += ["--effort", "fast", "-f", "json"]
    assert 0 == run(command)
    plain = json.loads(capsys.readouterr().out)["flash"]["total_bytes"]
    command += ["--max-flash", str(plain - 2000)]
    assert 1 == run([*command, "--frontier"])
    report = json.loads(capsys.readouterr().out)
    (found,) = (f for f in report["verdict"]["findings"] if f["code"] == "quant/types")
    (point,) = (p for p in report["calibration"]["types"] if p["chosen"])
    (asked,) = (p for p in report["calibration"]["types"] if not p["options"])
    assert "=int4" in found["hint"]
    assert "int16" in found["hint"]
    assert point["loss"] < 0.5 * asked["loss"]
    assert 0 == run([*command, *shlex.split(found["hint"])])
    again = json.loads(capsys.readouterr().out)
    assert point["flash_bytes"] == again["flash"]["total_bytes"] <= plain - 2000
    assert point["ram_bytes"] == again["ram"]["total_bytes"]
    assert point["cycles"] == again["latency"]["cycles"]


def test_what_is_over_a_limit_takes_other_types_where_loss_is_allowed(tmp_path: Path) -> None:
    """As it is where it fits, or nothing that fits loses little enough; without one, no type."""
    _uneven(tmp_path)
    net = {"model": tmp_path / "net.onnx", "calibration": tmp_path / "data.npz"}
    asked = _asked(**net, objective="flash", max_loss=50.0)
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
    plain = pipeline.plan(_asked(**net, objective="flash"))
    every = type_frontier(plain, Limits())
    assert not any(point.chosen for point in every)
    (before,) = (point.loss for point in every if not point.options)
    least = min(p.loss for p in (*every, *points) if p.flash_bytes <= (limit.max_flash or 0))
    strict, points = plan_within(replace(asked, max_loss=least - before - 0.01), limit)
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


def test_a_model_on_grids_has_no_other_types_to_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples are given, and nothing is observed on them; that is said before anything is made."""
    monkeypatch.chdir(tmp_path)
    data = ["--calibration", str(NET / "calibration.npz")]
    assert 0 == run(["quantize", str(NET / "model.onnx"), *data, "-o", "grids.onnx"])
    assert 2 == run(["quantize", "grids.onnx", *data, "--max-flash", "1K", "-o", "made.onnx"])
    assert "no samples of a float model" in capsys.readouterr().err
    assert not Path("made.onnx").exists()


def test_quantize_writes_the_types_that_meet_a_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back, the file makes the plan that was taken."""
    monkeypatch.chdir(tmp_path)
    net, *data = _uneven(tmp_path)
    command = [net, "-t", "cortex-m4", "--max-flash", "15K"]
    assert 0 == run(["quantize", *command, *data, "--max-loss", "1%", "-o", "made.onnx"])
    said = capsys.readouterr().err
    (marked,) = (line for line in said.splitlines() if line.startswith(" > "))
    assert "int4" in marked
    assert "int16" in marked
    assert 0 == run(["check", "made.onnx", *command[1:]])
    flash = marked.split()[2]
    assert f"flash {flash} B" in " ".join(capsys.readouterr().out.split())
    assert 0 == run(
        ["quantize", net, *data, "--max-flash", "1K", "-o", "made.onnx", "-t", "cortex-m4"]
    )
    assert "nothing is within the limits" in capsys.readouterr().err


def test_the_most_sensitive_layers_take_16_bits_until_outputs_are_near(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None where int8 is near enough, then more the nearer outputs are to be."""
    monkeypatch.chdir(tmp_path)
    net, *data = _uneven(tmp_path)
    command = ["quantize", net, *data, "-o", "made.onnx", "--dtype", "auto"]
    assert 2 == run(command)
    assert "--max-loss" in capsys.readouterr().err
    counts = []
    for most in (99.0, 3.0, 2.0):
        assert 0 == run([*command, "--max-loss", f"{most}%"])
        (marked,) = (n for n in capsys.readouterr().err.splitlines() if n.startswith(" > "))
        assert float(marked.split()[1]) <= most
        made = onnx.load("made.onnx")
        wide = [t for t in made.graph.initializer if t.data_type == onnx.TensorProto.INT16]
        counts.append(len(wide))
    assert counts == sorted(set(counts))
    assert 0 == counts[0]
    assert 0 == run(["check", "made.onnx", "-t", "cortex-m4"])
    capsys.readouterr()
    assert 0 == run([*command, "--max-loss", "0.0001%"])
    assert "nothing is within the limits" in capsys.readouterr().err
