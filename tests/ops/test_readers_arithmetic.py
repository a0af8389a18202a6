# SPDX-License-Identifier: Apache-2.0
"""ONNX nodes that compute: pools, operands that broadcast, functions, in every opset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcuplan.errors import UnsupportedOp
from mcuplan.importer.onnx import load_model
from mcuplan.ir.graph import Graph

from .onnx_cases import agrees, kinds, model, node

X = {"x": (1, 4, 7, 6)}
RNG = np.random.default_rng(8)


def ints(*values: int) -> np.ndarray:
    """A constant list of integers."""
    return np.array(values, np.int64)


def floats(*shape: int) -> np.ndarray:
    """Random constants, none near 0."""
    values = RNG.uniform(0.5, 2.0, shape) * RNG.choice([-1, 1], shape)
    return values.astype(np.float32)


def _pool(kind: str, opset: int = 17, shape: Any = (1, 4, 7, 6), **attributes: Any) -> Any:
    return model(node(kind, "x", **attributes), {"x": shape}, opset=opset)


POOLS: dict[str, Any] = {
    "max": _pool("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    "max pads": _pool("MaxPool", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    "max ceil": _pool("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "max ceil pads": _pool(
        "MaxPool", kernel_shape=[2, 2], strides=[2, 3], ceil_mode=1, pads=[1, 1, 1, 1]
    ),
    "max dilated": _pool("MaxPool", kernel_shape=[2, 3], dilations=[2, 2]),
    "max same": _pool("MaxPool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    "max same lower": _pool("MaxPool", kernel_shape=[2, 2], auto_pad="SAME_LOWER"),
    "max 1d": _pool("MaxPool", shape=(1, 3, 9), kernel_shape=[3], strides=[2], pads=[1, 0]),
    "average": _pool("AveragePool", kernel_shape=[2, 2], strides=[2, 2]),
    "average pads": _pool("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "average counted": _pool(
        "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "average ceil": _pool("AveragePool", 19, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "average ceil counted": _pool(
        "AveragePool",
        19,
        kernel_shape=[3, 3],
        strides=[3, 3],
        pads=[1, 1, 1, 1],
        ceil_mode=1,
        count_include_pad=1,
    ),
    "average same": _pool("AveragePool", kernel_shape=[3, 3], auto_pad="SAME_UPPER"),
    "average 1d": _pool("AveragePool", shape=(1, 3, 9), kernel_shape=[4], strides=[3]),
    "global average": _pool("GlobalAveragePool"),
    "global average 1d": _pool("GlobalAveragePool", shape=(1, 3, 9)),
    "global max": _pool("GlobalMaxPool"),
    "mean 13": _pool("ReduceMean", 13, axes=[2, 3]),
    "mean flat": _pool("ReduceMean", 13, axes=[-1, -2], keepdims=0),
    "mean 18": model(node("ReduceMean", "x a", keepdims=0), X, {"a": ints(2, 3)}, 18),
    "mean of columns": _pool("ReduceMean", 13, axes=[3], keepdims=0),
    "mean of rows": _pool("ReduceMean", 13, axes=[2], keepdims=1),
    "mean of channels": _pool("ReduceMean", 13, axes=[1], keepdims=1),
    "mean of channels flat": _pool("ReduceMean", 13, axes=[1], keepdims=0),
    "mean of everything": _pool("ReduceMean", 13, axes=[1, 2, 3], keepdims=0),
    "mean of first and last": _pool("ReduceMean", 13, axes=[1, 3], keepdims=0),
    "mean of a sequence": _pool("ReduceMean", 13, shape=(1, 5, 8), axes=[1], keepdims=0),
    "mean of a vector": _pool("ReduceMean", 13, shape=(1, 8), axes=[1], keepdims=1),
    "sum": model(node("ReduceSum", "x a"), X, {"a": ints(2, 3)}, 13),
    "least": _pool("ReduceMin", 13, axes=[2, 3]),
    "least of columns": _pool("ReduceMin", 13, axes=[3], keepdims=0),
    "least of channels": _pool("ReduceMin", 13, axes=[1], keepdims=0),
    "least of all": model(node("ReduceMin", "x"), X, opset=18),
    "magnitudes": _pool("ReduceL1", 13, axes=[1], keepdims=0),
    "length": _pool("ReduceL2", 13, axes=[2, 3]),
    "length of channels": model(node("ReduceL2", "x a", keepdims=0), X, {"a": ints(1)}, 18),
    "length of one element": _pool("ReduceL2", 13, shape=(1, 4, 1), axes=[2]),
    "squares": _pool("ReduceSumSquare", 13, shape=(1, 8), axes=[1], keepdims=0),
    "largest": _pool("ReduceMax", 13, axes=[2, 3]),
    "mean of one element": _pool("ReduceMean", 13, shape=(1, 4, 1, 1), axes=[2, 3], keepdims=0),
}


@pytest.mark.parametrize("name", POOLS)
def test_pools(name: str, tmp_path: Path) -> None:
    """Pools and reductions see the windows that ONNX describes."""
    agrees(tmp_path, POOLS[name])


def test_rows_then_columns(tmp_path: Path) -> None:
    """A mean over columns and then a global pool need no Transpose behind a convolution."""
    nodes = [
        node("Conv", "x w", "a"),
        node("ReduceMean", "a", "b", axes=[3], keepdims=0),
        node("GlobalAveragePool", "b", "c"),
        node("Flatten", "c", "y"),
    ]
    graph = agrees(tmp_path, model(nodes, X, {"w": floats(3, 4, 2, 2)}))
    assert ["Transpose", "Conv2D", "AvgPool2D", "AvgPool2D"] == kinds(graph)


# -- operands -------------------------------------------------------------------------------


def _behind_conv(op: str, operands: str, constants: dict[str, Any], **inputs: Any) -> Any:
    """An operator behind a convolution, so that its operand is held as rows; `a` is it."""
    nodes = [node("Conv", "x w", "a"), node(op, operands)]
    weights = np.abs(floats(4, 4, 2, 2))
    return model(nodes, X | inputs, {"w": weights} | constants)


OPERANDS: dict[str, Any] = {}
for _op in ("Add", "Sub", "Mul", "Div"):
    OPERANDS |= {
        f"{_op} number": _behind_conv(_op, "a c", {"c": floats()}),
        f"number {_op}": _behind_conv(_op, "c a", {"c": floats(1)}),
        f"{_op} channels": _behind_conv(_op, "a c", {"c": floats(4, 1, 1)}),
        f"channels {_op}": _behind_conv(_op, "c a", {"c": floats(1, 4, 1, 1)}),
        f"{_op} columns": _behind_conv(_op, "a c", {"c": floats(5)}),
        f"{_op} rows": _behind_conv(_op, "a c", {"c": floats(6, 1)}),
        f"{_op} map": _behind_conv(_op, "a c", {"c": floats(6, 5)}),
        f"map {_op}": _behind_conv(_op, "c a", {"c": floats(1, 4, 6, 5)}),
        f"{_op} tensor": _behind_conv(_op, "a z", {}, z=(1, 4, 6, 5)),
        f"{_op} tensor of channels": _behind_conv(_op, "a z", {}, z=(1, 4, 1, 1)),
        f"tensor of columns {_op}": _behind_conv(_op, "z a", {}, z=(1, 5)),
        f"{_op} itself": _behind_conv(_op, "a a", {}),
    }


@pytest.mark.parametrize("name", OPERANDS)
def test_operands(name: str, tmp_path: Path) -> None:
    """Operands broadcast as in the model, constants without any data movement."""
    proto = OPERANDS[name]
    graph = agrees(tmp_path, proto, low=1.0, high=2.0)  # divisors away from 0
    if len(graph.inputs) == 1:
        assert ["Transpose", "Conv2D", "Transpose"] == [
            kind for kind in kinds(graph) if kind in ("Transpose", "Conv2D")
        ]


def _kinds_of(op: str, constant: np.ndarray, tmp_path: Path) -> list[str]:
    graph = agrees(tmp_path, _behind_conv(op, "a c", {"c": constant}))
    return [k for k in kinds(graph) if k not in ("Transpose", "Conv2D")]


def test_constants_take_the_simplest_form(tmp_path: Path) -> None:
    """One number is a function, one per channel an affine step, anything else an operand."""
    assert ["Lookup"] == _kinds_of("Mul", floats(1, 1), tmp_path)
    assert ["ChannelAffine"] == _kinds_of("Mul", floats(4, 1, 1), tmp_path)
    assert ["Mul"] == _kinds_of("Mul", floats(6, 5), tmp_path)


MANY: dict[str, Any] = {
    "sum": model(node("Sum", "x y z", "o"), dict.fromkeys("xyz", (1, 3, 4)), outputs="o"),
    "sum of one": model([node("Relu", "x", "r"), node("Sum", "r", "o")], X, outputs="o"),
    "mean": model(node("Mean", "x y z", "o"), dict.fromkeys("xyz", (1, 3, 4)), outputs="o"),
    "max": model(node("Max", "x y z", "o"), dict.fromkeys("xyz", (1, 3, 4)), outputs="o"),
    "min": model(node("Min", "x y", "o"), dict.fromkeys("xy", (1, 3, 4)), outputs="o"),
    "min number": model(node("Min", "c x"), X, {"c": np.float32(0.5)}),
    "max number": model(node("Max", "x c"), X, {"c": np.float32(0.5)}),
    "max channels": model(node("Max", "x c"), X, {"c": floats(4, 1, 1)}),
}


@pytest.mark.parametrize("name", MANY)
def test_many(name: str, tmp_path: Path) -> None:
    """Operators of any number of operands work two by two."""
    agrees(tmp_path, MANY[name])


# -- functions ------------------------------------------------------------------------------


def _fn(op: str, opset: int = 17, domain: str = "", **attributes: Any) -> Any:
    return model(node(op, "x", domain=domain, **attributes), {"x": (1, 3, 40)}, opset=opset)


PLAIN = (
    *("Abs", "Atan", "Ceil", "Celu", "Cos", "Elu", "Erf", "Exp", "Floor", "HardSigmoid"),
    *("HardSwish", "LeakyRelu", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid"),
    *("Sign", "Sin", "Softplus", "Softsign", "Tanh", "ThresholdedRelu"),
)
FUNCTIONS: dict[str, Any] = {
    **{op: _fn(op) for op in PLAIN},
    "clip 6": _fn("Clip", 10, min=-1.0, max=2.0),
    "clip 6 open": _fn("Clip", 10, max=2.0),
    "clip 13": model(node("Clip", "x - m"), {"x": (1, 9)}, {"m": np.float32(1)}),
    "clip 13 both": model(
        node("Clip", "x l m"), {"x": (1, 9)}, {"l": np.float32(-1), "m": np.float32(1)}
    ),
    "elu": _fn("Elu", alpha=0.3),
    "gelu": _fn("Gelu", 20),
    "gelu tanh": _fn("Gelu", 20, approximate="tanh"),
    "hard sigmoid": _fn("HardSigmoid", alpha=0.3, beta=0.4),
    "leaky": _fn("LeakyRelu", alpha=0.3),
    "mish": _fn("Mish", 18),
    "prelu": model(node("PRelu", "x s"), {"x": (1, 9)}, {"s": np.float32([0.2])}),
    "square": model(node("Pow", "x e"), {"x": (1, 9)}, {"e": np.float32(2)}),
    "power of 2": model(node("Pow", "e x"), {"x": (1, 9)}, {"e": np.float32(2)}),
    "quick gelu": _fn("QuickGelu", domain="com.microsoft"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, tmp_path: Path) -> None:
    """Functions of one value have the value that ONNX Runtime gives."""
    graph = agrees(tmp_path, FUNCTIONS[name])
    assert ["Lookup"] == kinds(graph)


PRELUS: dict[str, tuple[Any, list[str]]] = {
    "channels": (model(node("PRelu", "x s"), X, {"s": floats(4, 1, 1)}), ["PRelu"]),
    "of a vector": (model(node("PRelu", "x s"), {"x": (1, 9)}, {"s": floats(9)}), ["PRelu"]),
    "last axis": (model(node("PRelu", "x s"), X, {"s": floats(6)}), ["PRelu"]),
    "equal ones": (
        model(node("PRelu", "x s"), X, {"s": np.full((4, 1, 1), 0.3, np.float32)}),
        ["Lookup"],
    ),
    "one": (model(node("PRelu", "x s"), X, {"s": np.float32(0.2)}), ["Lookup"]),
    "rows": (model(node("PRelu", "x s"), X, {"s": floats(7, 1)}), ["Lookup", "Mul", "Add"]),
    "each its own": (model(node("PRelu", "x s"), X, {"s": floats(4, 7, 6)}), ["Mul", "Add"]),
    "opset 6": (model(node("PRelu", "x s"), X, {"s": floats(4, 1, 1)}, 7), ["PRelu"]),
}


@pytest.mark.parametrize("name", PRELUS)
def test_prelu(name: str, tmp_path: Path) -> None:
    """Slopes of one axis are one operator, of several a product."""
    proto, wanted = PRELUS[name]
    assert set(wanted) <= set(kinds(agrees(tmp_path, proto)))


PRODUCTS = [
    *(("x w", (1, 5, 6), shape) for shape in ((6,), (6, 1), (6, 4), (1, 6, 4), (1, 1, 6, 4))),
    *(("x w", (1, 6), shape) for shape in ((6,), (6, 4), (1, 1, 6, 4))),
    *(("x w", (1, 2, 5, 6), shape) for shape in ((6,), (1, 6, 4), (1, 1, 1, 6, 4))),
    *(("w x", (1, 6, 5), shape) for shape in ((6,), (1, 6), (4, 6), (1, 1, 4, 6))),
    *(("w x", (1, 2, 6, 5), shape) for shape in ((6,), (4, 6), (1, 4, 6))),
    ("w x", (1, 6), (4, 1)),
]


@pytest.mark.parametrize(("inputs", "activation", "constant"), PRODUCTS)
def test_products(inputs: str, activation: Any, constant: Any, tmp_path: Path) -> None:
    """MatMul takes a matrix or vector on either side, behind any axes of 1, as one Dense."""
    nodes = [node("MatMul", inputs, "a"), node("Relu", "a")]
    graph = agrees(tmp_path, model(nodes, {"x": activation}, {"w": floats(*constant)}))
    assert kinds(graph).count("Dense") == 1
    assert set(kinds(graph)) <= {"Dense", "Lookup", "Transpose"}


SOFTMAXES: dict[str, Any] = {
    "vector": _fn("Softmax"),
    "channels": _pool("Softmax", axis=1),
    "columns": _pool("Softmax", axis=-1),
    "opset 11 of a vector": _pool("Softmax", 11, shape=(1, 9)),
    "opset 11 of a map": _pool("Softmax", 11, axis=1),
    "opset 11 of rows": _pool("Softmax", 11, axis=2),
    "opset 11 of columns": _pool("Softmax", 11, axis=3),
}


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("name", SOFTMAXES)
def test_softmax(name: str, op: str, tmp_path: Path) -> None:
    """Both work along the axis, and before opset 13 over all axes from it on."""
    SOFTMAXES[name].graph.node[0].op_type = op
    agrees(tmp_path, SOFTMAXES[name])


@pytest.mark.parametrize("op", ["Log", "Sqrt"])
def test_functions_of_positive_values(op: str, tmp_path: Path) -> None:
    """Functions that have no value below 0, above it."""
    agrees(tmp_path, _fn(op), low=0.1)


def _clamp(proto: Any, folder: Path) -> tuple[float, float] | None:
    graph: Graph = agrees(folder, proto)
    return graph.nodes[-1].op.clamp


def test_clamps_are_known(tmp_path: Path) -> None:
    """Relu and Clip tell their limits, other functions have none."""
    assert (0.0, float("inf")) == _clamp(_fn("Relu"), tmp_path)
    assert (-1.0, 2.0) == _clamp(_fn("Clip", 10, min=-1.0, max=2.0), tmp_path)
    assert _clamp(_fn("Tanh"), tmp_path) is None


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (_pool("MaxPool", kernel_shape=[2] * 4, shape=(1, 2, 4, 4, 4, 4)), "MaxPool of shape"),
        (model(node("PRelu", "x x"), X), "computed slope"),
        (model(node("Div", "x c"), X, {"c": np.float32(0)}), "constant 0"),
    ],
)
def test_refused(proto: Any, message: str, tmp_path: Path) -> None:
    """What cannot be done is refused by an error that names it."""
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(UnsupportedOp, match=message):
        load_model(path)


@pytest.mark.parametrize("shape", [(1,), (1, 1, 3)])
@pytest.mark.parametrize("kind", ["ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSumExp"])
def test_a_reduction_of_one_element_is_written(tmp_path: Path, kind: str, shape: Any) -> None:
    """Axes of size 1 leave each element alone: not all of them are reduced."""
    agrees(tmp_path, model(node(kind, "x", axes=[0], keepdims=1), {"x": shape}))


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_same_pads_of_a_short_transposed_kernel_are_refused(tmp_path: Path, mode: str) -> None:
    """ONNX Runtime leaves the output shorter than the standard's; others shift it."""
    weights = np.ones((2, 3, 1, 1), np.float32)
    made = node("ConvTranspose", "x w", strides=[2, 2], auto_pad=mode)
    path = tmp_path / "model.onnx"
    path.write_bytes(model(made, {"x": (1, 2, 3, 3)}, {"w": weights}).SerializeToString())
    with pytest.raises(UnsupportedOp, match="gaps between"):
        load_model(path)
