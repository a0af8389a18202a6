# SPDX-License-Identifier: Apache-2.0
"""Constants put among values that lie on another grid, against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcuplan.importer import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.ops.pad import Pad
from mcuplan.passes import run
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.assign_types import assign_types
from tests.importer.onnx_files import model, node, run_onnx, save, value

Array = np.ndarray
SHAPE = (1, 2, 4, 5)


def _grid(rng: np.random.Generator) -> tuple[np.float32, np.int8]:
    return np.float32(rng.uniform(0.01, 0.1)), np.int8(rng.integers(-128, 128))


def _integer(path: Path, ranges: dict[str, tuple[float, float]]) -> Graph:
    return assign_types(assign_grids(run(load_model(path).graph), ranges, headroom=1.1).graph)


def _real(graph: Graph, x: Array) -> tuple[Array, float]:
    """The output of the integer graph in real units, in the model's layout; and one step."""
    (source,), (port,) = graph.inputs, graph.outputs
    codes = graph.tensor(source.tensor).type.q.quantize(x)
    made = evaluate(graph, {source.tensor: codes})[port.tensor]
    kind = graph.tensor(port.tensor).type
    return kind.q.dequantize(made), kind.q.s


def _off(found: Array, wanted: Array) -> float:
    return float(np.abs(found - wanted).max())


def _qdq(op: str, inputs: list[str], constants: dict[str, Array], **attributes: object) -> object:
    """Q - DQ - op - Q - DQ; ``inputs`` of the operator, where xd is the activation."""
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        node(op, inputs, ["pd"], **attributes),
        node("QuantizeLinear", ["pd", "ys", "yz"], ["yq"]),
        node("DequantizeLinear", ["yq", "ys", "yz"], ["y"]),
    ]
    return model(nodes, [value("x", SHAPE)], [value("y", None)], constants)


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("op", ["Pad", "Concat", "Max", "Min", "Clip"])
def test_a_constant_of_a_quantized_model(op: str, seed: int, tmp_path: Path) -> None:
    """Within one step of the output's grid everywhere; a border is equal in every bit."""
    rng = np.random.default_rng([seed, len(op), ord(op[1])])
    (xs, xz), (ys, yz) = _grid(rng), _grid(rng)
    constants: dict[str, Array] = {"xs": xs, "xz": xz, "ys": ys, "yz": yz}
    spread = float(rng.choice([0.5, 8.0, 60.0]))
    attributes: dict[str, object] = {}
    if op == "Pad":
        constants["p"] = np.array([0, 0, 1, 0, 0, 1, 1, 2])
        constants["v"] = np.float32(rng.choice([rng.uniform(-spread, spread), -np.inf, 0.0]))
        inputs = ["xd", "p", "v"]
    elif op == "Clip":
        constants["low"], constants["high"] = np.sort(rng.uniform(-spread, spread, 2)).astype("f")
        inputs = ["xd", "low", "high"]
    else:
        constants["c"] = rng.uniform(-spread, spread, SHAPE).astype(np.float32)
        inputs = ["xd", "c"]
        attributes = {"axis": 1} if op == "Concat" else {}
    path = save(tmp_path, _qdq(op, inputs, constants, **attributes))
    x = rng.uniform(-6, 6, SHAPE).astype(np.float32)
    (wanted,) = run_onnx(path, {"x": x})
    found, step = _real(_integer(path, {}), x)
    allowed = 0.0 if op in ("Pad", "Concat") else step
    assert _off(found, wanted) <= allowed + 1e-4 * step


@pytest.mark.parametrize("constant", [-6.0, -0.3, 0.0, 0.5, 7.0])
@pytest.mark.parametrize("before", ["Softmax", "Sigmoid", "Tanh", "HardSigmoid", "Relu", ""])
def test_a_border_of_a_float_model(before: str, constant: float, tmp_path: Path) -> None:
    """The grid of the output holds the constant, whatever grid the values had."""
    nodes = [node(before, ["x"], ["a"])] if before else []
    nodes.append(node("Pad", ["a" if before else "x", "p", "v"], ["y"]))
    constants = {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "v": np.float32(constant)}
    path = save(tmp_path, model(nodes, [value("x", SHAPE)], [value("y", None)], constants))
    rng = np.random.default_rng(3)
    x = rng.uniform(-2, 2, SHAPE).astype(np.float32)
    graph = run(load_model(path).graph)
    ranges = {n: (-2.0, 2.0) for n in (p.tensor for p in graph.inputs)}
    inner = {
        name: (float(a.min()), float(a.max()))
        for name, a in evaluate(graph, {graph.inputs[0].tensor: x}).items()
        if name not in ranges
    }
    (wanted,) = run_onnx(path, {"x": x})
    found, step = _real(_integer(path, ranges | inner), x)
    border = np.abs(found - wanted)[..., 0]
    assert border.max() <= 0.51 * step
    assert np.abs(found - wanted).max() <= 2 * step + 2 / 127


def test_values_beside_a_far_border_keep_their_grid(tmp_path: Path) -> None:
    """A fixed grid that others read stays as fine as it was."""
    nodes = [node("Softmax", ["x"], ["a"]), node("Pad", ["a", "p", "v"], ["y"])]
    constants = {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "v": np.float32(-100.0)}
    ports = [value("a", None), value("y", None)]
    path = save(tmp_path, model(nodes, [value("x", SHAPE)], ports, constants))
    graph = _integer(path, {"x": (-2.0, 2.0)})
    fine, coarse = (graph.tensor(port.tensor).type.q.s for port in graph.outputs)
    assert fine == 1 / 256
    assert coarse > 100 / 256


def test_a_border_that_the_grid_holds_costs_nothing(tmp_path: Path) -> None:
    """A constant on the grid of the input: no step more, no other grid."""
    step = np.float32(0.5)
    constants = {"xs": step, "xz": np.int8(0), "ys": step, "yz": np.int8(0)}
    constants |= {"p": np.array([0, 0, 1, 0, 0, 1, 1, 2]), "v": np.float32(-6.5)}
    graph = _integer(save(tmp_path, _qdq("Pad", ["xd", "p", "v"], constants)), {})
    assert [type(n.op) for n in graph.nodes] == [Pad]
