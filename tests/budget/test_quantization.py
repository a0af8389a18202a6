# SPDX-License-Identifier: Apache-2.0
"""What grids cost in precision is found before anything is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import Net
from onnx import helper, numpy_helper

from mcuplan import pipeline
from mcuplan.budget import assess
from mcuplan.findings import Finding
from mcuplan.record import Request
from mcuplan.targets import load_target

TARGET = load_target("cortex-m4")


def _findings(net: Net, outputs: list[str], folder: Path, samples: int = 12) -> list[Finding]:
    path = folder / "net.onnx"
    path.write_bytes(net.model(*outputs).SerializeToString())
    np.savez(folder / "data.npz", x=net.samples(samples))
    planned = pipeline.plan(Request(path, TARGET, calibration=folder / "data.npz"))
    budget = assess(planned)
    return [f for f in budget.verdict.findings if f.code.startswith("quant/")]


def _joined(net: Net, factor: float) -> str:
    one = net.add("Sigmoid", "x")
    other = net.add("Mul", net.add("Sigmoid", net.add("Neg", "x")), net.const(factor))
    return net.add("Concat", one, other, axis=2)


def test_a_concat_of_far_ranges_is_found(tmp_path: Path) -> None:
    """Boxes and scores on one scale: named with the output and the remedy."""
    net = Net((1, 6, 4))
    (found,) = _findings(net, [net.add("Flatten", _joined(net, 61.0))], tmp_path)
    assert ("quant/mixed-ranges", "warning") == (found.code, found.severity.value)
    assert "output flatten" in found.message
    assert "times apart" in found.message
    assert "outputs of their own" in found.hint
    assert "--cut-output sigmoid0 --cut-output mul3" in found.hint


@pytest.mark.parametrize("factor", [1.0, 5.0])
def test_a_concat_of_near_ranges_is_not(factor: float, tmp_path: Path) -> None:
    """Up to 8 times, three bits, nothing is said."""
    net = Net((1, 6, 4))
    assert [] == _findings(net, [_joined(net, factor)], tmp_path)


def test_concats_inside_are_one_note(tmp_path: Path) -> None:
    """Where the values are computed with, the branches are what can be changed."""
    net = Net((1, 6, 4))
    outputs = [net.add("Relu", net.add("Add", _joined(net, k), _joined(net, k))) for k in (20, 90)]
    (found,) = _findings(net, outputs, tmp_path)
    assert ("quant/mixed-ranges", "note") == (found.code, found.severity.value)
    assert "4 Concats" in found.message


@pytest.mark.parametrize("samples", [1, 9, 10])
def test_few_samples_are_found(samples: int, tmp_path: Path) -> None:
    """Fewer than ten calibration samples are counted in the finding."""
    net = Net((1, 6, 4))
    found = _findings(net, [net.add("Relu", "x")], tmp_path, samples)
    assert (samples < 10) == bool(found)
    if found:
        assert ("quant/few-samples", "warning") == (found[0].code, found[0].severity.value)
        assert f"on {samples} sample" in found[0].message


def test_made_up_ranges_are_not_counted(tmp_path: Path) -> None:
    """Random calibration has its own finding, and its ranges say nothing."""
    net = Net((1, 6, 4))
    path = tmp_path / "net.onnx"
    path.write_bytes(net.model(_joined(net, 61.0)).SerializeToString())
    for request in (Request(path, TARGET, random_calibration=True), Request(path, TARGET)):
        planned = pipeline.plan(request, sizes_only=True)
        codes = [f.code for f in assess(planned).verdict.findings]
        assert not {"quant/few-samples", "quant/mixed-ranges"} & set(codes)


def test_the_remedy_works(tmp_path: Path) -> None:
    """Cut where the hint says, every part has its own scale."""
    net = Net((1, 6, 4))
    path = tmp_path / "net.onnx"
    path.write_bytes(net.model(_joined(net, 61.0)).SerializeToString())
    np.savez(tmp_path / "data.npz", x=net.samples(12))
    cuts = ("sigmoid0", "mul3")
    planned = pipeline.plan(Request(path, TARGET, cuts=cuts, calibration=tmp_path / "data.npz"))
    assert cuts == tuple(port.name for port in planned.integer.outputs)
    codes = [f.code for f in assess(planned).verdict.findings]
    assert "quant/mixed-ranges" not in codes


def _lstm(steps: int, folder: Path, *, held: bool) -> list[Finding]:
    """Findings of an LSTM of 3 units over so many steps, with a state from call to call or none."""
    rng = np.random.default_rng(5)
    shapes = {"w": (1, 12, 2), "r": (1, 12, 3), "b": (1, 24)}
    tensors = [
        numpy_helper.from_array(rng.uniform(-1, 1, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    first, last = (["", "h0", "c0"], ["hn", "cn"]) if held else ([], [])
    node = helper.make_node("LSTM", ["x", *shapes, *first], ["y", *last], "cell", hidden_size=3)
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (
            ("x", [steps, 1, 2]),
            *((name, [1, 1, 3]) for name in first[1:]),
            ("y", [steps, 1, 1, 3]),
            *((name, [1, 1, 3]) for name in last),
        )
    ]
    border = 1 + len(last)
    graph = helper.make_graph([node], "net", ends[:border], ends[border:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "net.onnx")
    x = rng.uniform(-1, 1, (12, steps, 1, 2)).astype(np.float32)
    np.savez(folder / "data.npz", x=x)
    request = Request(folder / "net.onnx", TARGET, calibration=folder / "data.npz")
    found = assess(pipeline.plan(request)).verdict.findings
    return [f for f in found if f.code == "quant/cell-limit"]


@pytest.mark.parametrize(
    ("steps", "held", "limit"), [(15, False, 0), (64, False, 64), (1, True, 32)]
)
def test_cells_that_could_leave_their_range_are_told(
    steps: int, held: bool, limit: int, tmp_path: Path
) -> None:
    """Many steps, or calls that go on; few steps from nothing are proved."""
    found = _lstm(steps, tmp_path, held=held)
    assert ([("cell", "note")] if limit else []) == [(f.where, f.severity.value) for f in found]
    assert all(f"+-{limit}," in f.message for f in found)


@pytest.mark.parametrize(("most", "told"), [(0.9, False), (3.0, True)])
@pytest.mark.parametrize("held", [False, True])
def test_first_outputs_beyond_what_holds_them_are_told(
    held: bool, most: float, told: bool, tmp_path: Path
) -> None:
    """Constants or inputs that no output of the layer could be are not clipped in silence."""
    rng = np.random.default_rng(5)
    shapes = {"w": (1, 9, 2), "r": (1, 9, 3), "h": (1, 1, 3)}
    values = {n: rng.uniform(-1, 1, shape).astype(np.float32) for n, shape in shapes.items()}
    values["h"] = np.full((1, 1, 3), most, np.float32)
    tensors = [numpy_helper.from_array(v, n) for n, v in values.items() if n != "h" or held]
    names = ["x", "w", "r", "", "", "h"]
    node = helper.make_node("GRU", names, ["y"], "cell", hidden_size=3)
    ports = {"x": [4, 1, 2], "y": [4, 1, 1, 3]} | ({} if held else {"h": [1, 1, 3]})
    infos = {n: helper.make_tensor_value_info(n, 1, shape) for n, shape in ports.items()}
    ends = [info for name, info in infos.items() if name != "y"]
    graph = helper.make_graph([node], "net", ends, [infos["y"]], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    data = {"x": rng.uniform(-1, 1, (60, 4, 1, 2)).astype(np.float32)}
    data |= {} if held else {"h": rng.uniform(-most, most, (60, 1, 1, 3)).astype(np.float32)}
    np.savez(tmp_path / "data.npz", **data)
    request = Request(tmp_path / "net.onnx", TARGET, calibration=tmp_path / "data.npz")
    found = assess(pipeline.plan(request)).verdict.findings
    assert told == any(f.code == "quant/cell-limit" and "first" in f.message for f in found)
