# SPDX-License-Identifier: Apache-2.0
"""Element-wise chains whose operands all come from one tensor are one table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcuplan.importer import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ops.eltwise import Add
from mcuplan.ops.unary import Lookup
from mcuplan.passes import run
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.assign_types import assign_types
from tests.importer.onnx_files import model, node, run_onnx, save, value
from tests.passes.nets import Net, ops, rewritten

Array = np.ndarray
SHAPE = (1, 4, 8, 8)
UNARY = ("HardSigmoid", "Sigmoid", "Tanh", "Relu", "HardSwish", "Abs")
BINARY = ("Mul", "Add", "Sub", "Max", "Min")  # 0 / 0 is another number for each runtime


def _random_chain(seed: int) -> tuple[object, np.float32]:
    """Up to seven nodes, each with Q and DQ behind it, over tensors that came before."""
    rng = np.random.default_rng(seed)
    constants: dict[str, Array] = {"s": np.float32(0.0507), "z": np.int8(rng.integers(-40, 40))}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        node("DequantizeLinear", ["xq", "s", "z"], ["t0"]),
    ]
    made, step = ["t0"], np.float32(1)
    for k in range(1, int(rng.integers(3, 8))):
        last = k > 1 and rng.random() < 0.6
        op = str(rng.choice(BINARY if last else UNARY))
        inputs = [made[-1], str(rng.choice(made))] if last else [str(rng.choice(made[-2:]))]
        step = np.float32(rng.choice([0.0213, 0.0317, 0.0041]))
        constants |= {f"s{k}": step, f"z{k}": np.int8(rng.integers(-128, 60))}
        nodes += [
            node(op, inputs, [f"r{k}"]),
            node("QuantizeLinear", [f"r{k}", f"s{k}", f"z{k}"], [f"q{k}"]),
            node("DequantizeLinear", [f"q{k}", f"s{k}", f"z{k}"], [f"t{k}"]),
        ]
        made.append(f"t{k}")
    return model(nodes, [value("x", SHAPE)], [value(made[-1], None)], constants), step


@pytest.mark.parametrize("seed", range(40))
def test_any_chain_is_one_table(seed: int, tmp_path: Path) -> None:
    """One step, and what the runtime computes: the same but for halves that float32 rounds."""
    made, step = _random_chain(seed)
    path = save(tmp_path, made)
    graph = assign_types(assign_grids(run(load_model(path).graph), {}).graph)
    assert [type(n.op) for n in graph.nodes] == [Lookup]
    rng = np.random.default_rng(seed + 1000)
    x = rng.uniform(-7, 7, SHAPE).astype(np.float32)
    (port,) = graph.inputs
    codes = graph.tensor(port.tensor).type.q.quantize(x)
    out = graph.outputs[0].tensor
    found = graph.tensor(out).type.q.dequantize(evaluate(graph, {port.tensor: codes})[out])
    (wanted,) = run_onnx(path, {"x": x})
    off = np.abs(found - wanted) / step
    assert off.max() <= 1.01
    assert (off < 0.01).mean() > 0.97


def test_a_quotient_is_one_table(tmp_path: Path) -> None:
    """The value by its size and 1."""
    net = Net((1, 3, 5, 5))
    y = net.conv("x", 3, 4)
    x = net.add("Div", y, net.add("Add", net.add("Abs", y), net.const(1.0)))
    found = ops(rewritten(net.model(x), net.samples(), tmp_path))
    assert (found["Div"], found["Lookup"]) == (0, 1)


def test_a_sum_with_a_function_of_it_in_a_float_model(tmp_path: Path) -> None:
    """A residual around element-wise functions is a table, whatever is read twice."""
    net = Net((1, 3, 5, 5))
    y = net.conv("x", 3, 4)
    gate = net.add("Sigmoid", y)
    x = net.add("Add", net.add("Mul", gate, net.add("Tanh", gate)), y)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert ops(graph)["Lookup"] == 1
    assert ops(graph)["Add"] == ops(graph)["Mul"] == 0


def test_operands_of_two_tensors_stay(tmp_path: Path) -> None:
    """Two convolutions are no functions of one value, though of one tensor."""
    net = Net((1, 3, 5, 5))
    left, right = net.conv("x", 3, 4), net.conv("x", 3, 4)
    graph = rewritten(
        net.model(net.add("Add", net.add("Tanh", left), right)), net.samples(), tmp_path
    )
    assert sum(isinstance(n.op, Add) for n in graph.nodes) == 1
