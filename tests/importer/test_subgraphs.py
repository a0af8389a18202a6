# SPDX-License-Identifier: Apache-2.0
"""If, Loop and Scan whose course is known: what ONNX Runtime makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_files import model, node, save, value

from mcuplan.calibrate import Runtime
from mcuplan.errors import McuplanError
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate

_WHOLE, _BOOL = TensorProto.INT64, TensorProto.BOOL


def _graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], **constants: Any) -> Any:
    tensors = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    return helper.make_graph(nodes, "body", inputs, outputs, tensors)


def _agrees(folder: Path, proto: Any, shape: tuple[int, ...] = (1, 4)) -> None:
    graph = load_model(save(folder, proto)).graph
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    want = Runtime(proto.SerializeToString()).run({"x": x})
    (port,) = graph.inputs
    values = evaluate(graph, {port.tensor: port.from_model(x[None])[0][None]})
    for port, expected in zip(graph.outputs, want, strict=True):
        np.testing.assert_allclose(expected, values[port.tensor].reshape(expected.shape), rtol=1e-5)


def _branches(constant: bool) -> Any:
    """The second branch reads a tensor of the model and has a constant of its own."""
    then = _graph([node("Relu", ["h"], ["a"])], [], [value("a", None)])
    other = _graph([node("Mul", ["h", "two"], ["b"])], [], [value("b", None)], two=np.float32(2))
    nodes = [
        node("Neg", ["x"], ["h"]),
        node("If", ["c"], ["z"], then_branch=then, else_branch=other),
        node("Tanh", ["z"], ["y"]),
    ]
    return model(nodes, [value("x", (1, 4))], [value("y", None)], {"c": np.array(constant)})


@pytest.mark.parametrize("constant", [True, False])
def test_if(constant: bool, tmp_path: Path) -> None:
    """The branch that is taken."""
    _agrees(tmp_path, _branches(constant))


def _loop(inputs: list[str], constants: dict[str, Any], ends: bool) -> Any:
    """Sums up turns, shows each, and ends when the number of the turn says so."""
    nodes = [
        node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        node("Add", ["v", "f"], ["w"]),
        node("Mul", ["w", "k"], ["s"]),
        node("Less", ["i", "last"], ["on"]) if ends else node("Identity", ["c"], ["on"]),
    ]
    given = [value("i", [], _WHOLE), value("c", [], _BOOL), value("v", None)]
    made = [value("on", [], _BOOL), value("w", None), value("s", None)]
    body = _graph(nodes, given, made, k=np.float32(0.5), last=np.array(2))
    loop = node("Loop", [*inputs, "x"], ["y", "z"], body=body)
    outputs = [value("y", None), value("z", None)]
    return model([loop], [value("x", (1, 4))], outputs, constants)


@pytest.mark.parametrize(
    ("inputs", "ends"), [(["m", "c"], False), (["", "c"], True), (["m", ""], True)]
)
def test_loop(inputs: list[str], ends: bool, tmp_path: Path) -> None:
    """By a count, by a condition, by both; what is shown is stacked."""
    constants = {"m": np.array(5), "c": np.array(True)}
    used = {name: constants[name] for name in inputs if name}
    _agrees(tmp_path, _loop(inputs, used, ends))


@pytest.mark.parametrize("reverse", [0, 1])
def test_scan(reverse: int, tmp_path: Path) -> None:
    """A recurrence over the columns of a matrix, backwards too, shown side by side."""
    nodes = [node("Mul", ["h", "k"], ["m"]), node("Add", ["m", "s"], ["n"])]
    nodes += [node("Identity", ["n"], ["o"])]
    given, made = [value("h", None), value("s", None)], [value("n", None), value("o", None)]
    body = _graph(nodes, given, made, k=np.float32(0.5))
    scan = node(
        "Scan",
        ["h0", "x"],
        ["last", "all"],
        body=body,
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_input_directions=[reverse],
        scan_output_axes=[1],
        scan_output_directions=[reverse],
    )
    outputs = [value("last", None), value("all", None)]
    start = {"h0": np.zeros(3, np.float32)}
    _agrees(tmp_path, model([scan], [value("x", (3, 5))], outputs, start), (3, 5))


def test_scan_whose_turns_are_independent(tmp_path: Path) -> None:
    """Distances to the rows of a table: one subtraction and one sum, however many rows."""
    nodes = [
        node("Sub", ["v", "row"], ["d"]),
        node("ReduceSumSquare", ["d"], ["s"], axes=[1], keepdims=0),
        node("Mul", ["s", "weight"], ["m"]),
        node("ReduceSum", ["m", "axis"], ["w"], keepdims=0),
        node("Identity", ["v"], ["v2"]),
    ]
    given = [value("v", None), value("row", None), value("weight", None)]
    body = _graph(nodes, given, [value("v2", None), value("w", None)], axis=np.array([0]))
    scan = node("Scan", ["x", "table", "k"], ["same", "y"], body=body, num_scan_inputs=2)
    rng = np.random.default_rng(0)
    constants = {
        "table": rng.normal(size=(40, 5)).astype(np.float32),
        "k": rng.normal(size=40).astype(np.float32),
    }
    outputs = [value("same", None), value("y", None)]
    proto = model([scan], [value("x", (1, 5))], outputs, constants)
    _agrees(tmp_path, proto, (1, 5))
    assert len(load_model(save(tmp_path, proto)).graph.nodes) < 10


def test_loops_in_loops(tmp_path: Path) -> None:
    """Names of the inner body are those around it; each turn has its own."""
    inner = _graph(
        [node("Add", ["v", "w"], ["u"]), node("Identity", ["c2"], ["on2"])],
        [value("j", [], _WHOLE), value("c2", [], _BOOL), value("v", None)],
        [value("on2", [], _BOOL), value("u", None)],
    )
    outer = _graph(
        [
            node("Mul", ["w", "k"], ["scaled"]),
            node("Loop", ["m", "c", "scaled"], ["r"], body=inner),
            node("Identity", ["c"], ["on"]),
        ],
        [value("i", [], _WHOLE), value("c", [], _BOOL), value("w", None)],
        [value("on", [], _BOOL), value("r", None)],
        k=np.float32(0.5),
    )
    proto = model(
        [node("Loop", ["m", "yes", "x"], ["y"], body=outer)],
        [value("x", (1, 4))],
        [value("y", None)],
        {"m": np.array(2), "yes": np.array(True)},
    )
    _agrees(tmp_path, proto)


def test_a_course_that_depends_on_data_is_refused(tmp_path: Path) -> None:
    """By the name of the node, with what to do."""
    branch = _graph([node("Relu", ["x"], ["a"])], [], [value("a", None)])
    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Greater", ["m", "zero"], ["c"]),
        node("If", ["c"], ["y"], name="gate", then_branch=branch, else_branch=branch),
    ]
    constants = {"zero": np.float32(0)}
    proto = model(nodes, [value("x", (1, 4))], [value("y", (1, 4))], constants)
    with pytest.raises(McuplanError, match="the condition is computed") as caught:
        load_model(save(tmp_path, proto))
    assert "gate (If" in str(caught.value.where)
    assert "branch that is taken" in caught.value.hint
