# SPDX-License-Identifier: Apache-2.0
"""What `quantize` writes is read as the integers that it was made of, of every operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from nets import Net

from mcuplan import passes, pipeline
from mcuplan.calibrate import Data
from mcuplan.exporter.onnx import to_onnx
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph, Node, Port, Tensor
from mcuplan.ir.op import Example
from mcuplan.ir.types import Array, DType
from mcuplan.passes.gaps import Gaps, without_integers
from mcuplan.passes.keep_real import keep_real
from mcuplan.passes.keep_wide import keep_wide
from mcuplan.passes.lower import lower
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.record import Request
from mcuplan.targets import load_target
from tests.ops.cases import grid_examples

TARGET = load_target("cortex-m4")

WRITTEN_IN_PARTS = (
    "Attention",
    "AvgPool2D",
    "Conv2D",
    "Dense",
    "Einsum",
    "LogSoftmax",
    "LpPool",
    "MaskedAttention",
    "MatMul",
    "MaxPool2D",
    "Normalize",
    "PRelu",
    "Resize",
    "Softmax",
    "SpaceToDepth",
    "Upsample",
)

OTHER_FORMS = {
    "Attention_2": "keys of shared heads are repeated",
    "Attention_3": "keys of shared heads are repeated",
    "Attention_4": "one key and one query have no order of axes",
    "AvgPool2D_8": "dilated: a convolution and a quotient in the opset that is written",
    "AvgPool2D_9": "the same",
    "AvgPool2D_10": "the same",
    "LpPool_1": "dilated: powers, a convolution and a root",
    "MaskedAttention_3": "one key and one query have no order of axes",
    "MatMul_5": "a Transpose of an operand stays one",
    "MatMul_6": "the same",
    "PRelu_3": "one slope: LeakyRelu",
    "Resize_3": "cropped: matrices and a sum",
    "Resize_4": "the same",
    "Resize_5": "cubic along three axes: matrices",
}


def _cases() -> Iterator[tuple[str, Example]]:
    for name, example in grid_examples():
        kind = name.split("_")[0]
        if kind not in WRITTEN_IN_PARTS or name in OTHER_FORMS or example.types:
            continue
        computed = {*range(len(example.inputs))} - {*example.constants}
        if computed and all(example.inputs[i][0] == 1 for i in computed):
            yield name, example


def _graph(example: Example, rng: np.random.Generator) -> tuple[Graph, dict[str, Array]]:
    """A graph of one node, and samples."""
    tensors, ports, samples = dict[str, Tensor](), list[Port](), dict[str, Array]()
    for i, kind in enumerate(example.kinds):
        name = f"in{i}"
        data = rng.standard_normal(kind.shape).astype(np.float32)
        tensors[name] = Tensor(name, kind, data if i in example.constants else None)
        if i not in example.constants:
            ports.append(Port(name, name, kind.shape, kind.dtype))
            samples[name] = (2 * rng.standard_normal((6, *kind.shape[1:]))).astype(np.float32)
    made = {f"out{j}": kind for j, kind in enumerate(example.op.infer(example.kinds))}
    node = Node("node", example.op, tuple(tensors), tuple(made))
    tensors |= {name: Tensor(name, kind) for name, kind in made.items()}
    outputs = tuple(Port(name, name, kind.shape, kind.dtype) for name, kind in made.items())
    return Graph("net", tuple(ports), outputs, (node,), tensors), samples


def _kinds(graph: Graph) -> Counter[tuple[str, ...]]:
    """Operators with the types of what they read and make; conversions alike by any name."""
    found = Counter[tuple[str, ...]]()
    for node in graph.nodes:
        if node.op.is_view:
            continue
        label = "Requantize" if node.op.label == "Quantize" else node.op.label.split(" ")[0]
        names = (*node.inputs, *node.outputs)
        found[(label, *(str(graph.tensor(name).type.dtype) for name in names))] += 1
    return found


def _constant_bytes(graph: Graph) -> int:
    used = {name for node in graph.nodes for name in node.inputs}
    return sum(t.type.nbytes for t in graph.tensors.values() if t.is_constant and t.name in used)


def comes_back(path: Path, floating: Graph, samples: dict[str, Array]) -> None:
    """Assert that a float graph on grids, written and read, is the same program of integers."""
    data = path.with_suffix(".npz")
    np.savez(data, **samples)
    found = pipeline.quantize(Request(path, TARGET, calibration=data), floating)
    mine = lower(found.grids.graph, None).whole
    path.write_bytes(to_onnx(found.grids.graph, qdq=True, standard=True).SerializeToString())
    again = lower(pipeline.begin(Request(path, TARGET)).found.grids.graph, None).whole
    assert _kinds(mine) == _kinds(again)
    assert _constant_bytes(mine) == _constant_bytes(again)
    results, inputs = [], Data(samples, len(next(iter(samples.values()))))
    for graph in (mine, again):
        given = dict(boundary_inputs(graph, inputs))
        values = evaluate(graph, given)
        results.append([values[port.tensor].ravel() for port in graph.outputs])
    for one, other in zip(*results, strict=True):
        assert one.dtype == other.dtype
        assert (one == other).all()


@pytest.mark.parametrize(("name", "example"), list(_cases()), ids=lambda v: str(v).split("(")[0])
def test_an_operator_comes_back(name: str, example: Example, tmp_path: Path) -> None:
    """One node on grids: the same operator on the same types, bytes of constants and integers."""
    graph, samples = _graph(example, np.random.default_rng([1, *name.encode()]))
    graph = passes.run(graph)
    floating = keep_wide(keep_real(graph, (), Gaps(nodes=without_integers(graph))))
    comes_back(tmp_path / "net.onnx", floating, samples)


def test_a_cell_that_goes_on_comes_back(tmp_path: Path) -> None:
    """Its state of 16 bits is an input and an output on the grid that the cell itself has."""
    folder = Path(__file__).parents[2] / "models" / "vowels_stream"
    data = folder / "calibration.npz"
    _, floating = pipeline.simplify(Request(folder / "model.onnx", TARGET, calibration=data))
    with np.load(data) as file:
        ports = [port.name for port in floating.inputs]
        samples = {name: file[name][:20] for name in ports if name in file}
    for port in floating.inputs:
        given = np.random.default_rng(5).uniform(-1, 1, (20, *port.shape[1:]))
        samples.setdefault(port.name, given.astype(np.float32))
    comes_back(tmp_path / "net.onnx", floating, samples)


def _functions(net: Net) -> str:
    """With an end, so that 16 bits have no form of it, between layers that have."""
    x = net.add("MatMul", "x", net.random(6, 8))
    y = net.add("MatMul", net.add("Log", net.add("Sigmoid", x)), net.random(8, 4))
    return net.add("Sqrt", net.add("Add", net.add("Mul", y, y), net.const(0.5)))


def _rows(net: Net) -> str:
    """Rows of a table, chosen by the largest element."""
    best = net.add("ArgMax", "x", axis=2, keepdims=0)
    rows = net.add("Gather", net.random(6, 5), best)
    return net.add("MatMul", rows, net.random(5, 4))


def _cell(net: Net) -> str:
    """A GRU, x and weights of which have 8 bits."""
    weights = [net.random(1, 24, 6), net.random(1, 24, 8), net.random(1, 48)]
    x = net.add("Transpose", "x", perm=[1, 0, 2])
    return net.add("MatMul", net.add("GRU", x, *weights, hidden_size=8), net.random(8, 4))


@pytest.mark.parametrize("net_of", [_functions, _rows, _cell])
def test_layers_of_16_bits_come_back(net_of: Callable[[Net], str], tmp_path: Path) -> None:
    """With those among them that have 8, and conversions where these meet."""
    net = Net((1, 4, 6))
    path, samples = tmp_path / "float.onnx", net.samples(12)
    path.write_bytes(net.model(net_of(net)).SerializeToString())
    _, floating = pipeline.simplify(Request(path, TARGET, dtype=DType.INT16))
    wide = [t for t in floating.tensors.values() if t.wanted is DType.INT16]
    assert len(wide) > 1
    comes_back(tmp_path / "net.onnx", floating, {"x": samples})
