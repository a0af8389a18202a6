# SPDX-License-Identifier: Apache-2.0
"""Truth values as outputs and as numbers, and Where of one value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from mcuplan.errors import UnsupportedOp
from mcuplan.importer.onnx import load_model
from mcuplan.ir.types import DType
from mcuplan.passes import run

from .host_proof import proves
from .onnx_cases import agrees, kinds, model, node

X = {"x": (1, 3, 4, 5)}
TRUTH = {"y": TensorProto.BOOL}
C = {"c": np.float32(0.5)}
CHANNELS = {"c": np.float32([-1, 0.2, 1]).reshape(3, 1, 1)}
COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")


@pytest.mark.parametrize("operands", ["x c", "c x"])
@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons(op: str, operands: str, tmp_path: Path) -> None:
    """A comparison with a number is one table, whichever side the number stands on."""
    graph = agrees(tmp_path, model(node(op, operands), X, C, types=TRUTH))
    assert ["Lookup"] == kinds(graph)
    assert (DType.BOOL, DType.INT8) == (graph.outputs[0].dtype, graph.outputs[0].boundary)


TRUTHS: dict[str, Any] = {
    "above": model(node("Greater", "x c"), X, C, types=TRUTH),
    "channels": model(node("Less", "x c"), X, CHANNELS, types=TRUTH),
    "not": model([node("Less", "x c", "a"), node("Not", "a")], X, C, types=TRUTH),
    "an alarm": model(
        [
            node("ReduceMax", "x", "a", axes=[1, 2, 3], keepdims=0),
            node("Greater", "a c"),
        ],
        X,
        {"c": np.float32(2.9)},
        opset=13,
        types=TRUTH,
    ),
    "as integers": model(
        [node("Greater", "x c", "a"), node("Cast", "a", to=TensorProto.INT64)],
        X,
        C,
        types={"y": TensorProto.INT64},
    ),
    "as a mask": model(
        [node("Greater", "x c", "a"), node("Cast", "a", "b", to=1), node("Mul", "b x")], X, C
    ),
    "two tensors": model(
        [node("MaxPool", "x", "a", kernel_shape=[1, 2], pads=[0, 1, 0, 0]), node("Less", "x a")],
        X,
        types=TRUTH,
    ),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_truth_values(name: str, tmp_path: Path, host_gcc: str) -> None:
    """Those of the C code are the runtime's but where a value is next to the limit."""
    agrees(tmp_path, TRUTHS[name])
    _, (output,) = proves(tmp_path, TRUTHS[name], samples=20)
    assert 0.97 < np.mean(np.abs(output.ours - output.runtime) < 0.1)
    assert output.runtime.min() < output.runtime.max()


LEAKY = [node("Greater", "x c", "p"), node("Mul", "x d", "n"), node("Where", "p x n")]
WHERES: dict[str, Any] = {
    "leaky": model(LEAKY, X, {"c": np.float32(0), "d": np.float32(0.1)}),
    "softplus with a limit": model(
        [
            node("Conv", "x w", "v"),
            node("Softplus", "v", "s"),
            node("Greater", "v c", "p"),
            node("Where", "p v s"),
        ],
        X,
        {"c": np.float32(2), "w": np.ones((2, 3, 1, 1), np.float32)},
    ),
    "numbers": model(
        [node("Less", "x c", "p"), node("Where", "p c d")],
        X,
        {"c": np.float32(0.25), "d": np.float32([-3])},
    ),
    "turned": model(
        [node("Relu", "x", "r"), node("Less", "x c", "p"), node("Not", "p", "q"),
         node("Where", "q r x")],
        X,
        C,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WHERES)
def test_where(name: str, tmp_path: Path, host_gcc: str) -> None:
    """A choice between functions of one value by that value is a function of it."""
    graph = run(agrees(tmp_path, WHERES[name]))
    assert 1 == kinds(graph).count("Lookup")
    _, (output,) = proves(tmp_path, WHERES[name])
    near = np.abs(output.ours - output.runtime) <= 4 * output.scale
    assert 0.97 < near.mean()  # all but those next to a limit where the value jumps


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Greater", "x c", "p"), node("Where", "p x z")],
        [node("Greater", "x c", "p"), node("Abs", "z", "a"), node("Where", "p a x")],
    ],
)
def test_refused(nodes: Any, tmp_path: Path) -> None:
    """Choices between tensors."""
    path = tmp_path / "model.onnx"
    proto = model(nodes, X | {"z": (1, 3, 4, 5)}, C)
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(UnsupportedOp):
        load_model(path)
