# SPDX-License-Identifier: Apache-2.0
"""Constants are evaluated as ONNX defines the operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mcuplan.errors import DamagedModel, InputTooLarge, UnsupportedOp, UnsupportedType
from mcuplan.importer.folding import fold
from mcuplan.importer.protofile import TOTAL_LIMIT, Allowance
from mcuplan.ir.builder import Constant, OnnxNode
from mcuplan.ir.graph import Stored
from mcuplan.ir.types import DType, Quant

_DATA = np.random.default_rng(5)
A = _DATA.normal(size=(2, 3, 4)).astype(np.float32)
B = (_DATA.normal(size=(3, 1)) * 2).astype(np.float32)
P = np.abs(A) + np.float32(0.1)
N = np.array([-7, 7, 5, -5], np.int64)
M = np.array([2, -2, 3, -3], np.int64)
T = np.array([True, False, True, False])


def _ints(*values: int) -> Any:
    return np.array(values, np.int64)


def _tensor(array: Any) -> Any:
    return numpy_helper.from_array(np.asarray(array))


# operator, inputs (None = absent), attributes, opset
CASES: list[tuple[str, list[Any], dict[str, Any], int]] = [
    *((op, [A, B], {}, 17) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum")),
    *((op, [N, M], {}, 17) for op in ("Add", "Sub", "Mul", "Div", "Mod")),
    ("Mod", [N, M], {"fmod": 1}, 17),
    ("Mod", [A, B], {"fmod": 1}, 17),
    ("Pow", [P, B], {}, 17),
    ("Pow", [N, np.array(2.0, np.float32)], {}, 17),
    ("Min", [A, B, np.float32(0.1)], {}, 17),
    *((op, [P], {}, 17) for op in ("Sqrt", "Exp", "Log", "Reciprocal", "Sin", "Cos")),
    *((op, [A * 3], {}, 17) for op in ("Abs", "Ceil", "Floor", "Neg", "Relu", "Sigmoid", "Tanh")),
    ("Round", [np.array([0.5, 1.5, -0.5, 2.4], np.float32)], {}, 17),
    *((op, [N, M], {}, 17) for op in ("Equal", "Less", "Greater", "LessOrEqual")),
    ("GreaterOrEqual", [A, B], {}, 17),
    ("And", [T, ~T], {}, 17),
    ("Or", [T, ~T], {}, 17),
    ("Xor", [T, T[::-1].copy()], {}, 17),
    ("Not", [T], {}, 17),
    ("Where", [T, N, M], {}, 17),
    ("NonZero", [T], {}, 17),
    ("NonZero", [np.int64([[1, 0], [2, 3]])], {}, 17),
    ("GatherElements", [A, np.ones((2, 3, 2), np.int64)], {"axis": 2}, 17),
    ("GatherND", [A, np.int64([[1, -1], [0, 2]])], {}, 17),
    ("ScatterElements", [N, np.int64([2, 0]), np.int64([9, 8])], {"axis": 0}, 17),
    ("ScatterND", [N, np.int64([[2], [0]]), np.int64([9, 8])], {"reduction": "add"}, 18),
    ("OneHot", [np.int64([1, -1]), np.int64(3), np.float32([0, 1])], {"axis": 0}, 17),
    ("Trilu", [A, np.int64(1)], {"upper": 0}, 17),
    ("EyeLike", [B @ B.T], {"k": 1, "dtype": TensorProto.INT64}, 17),
    ("Compress", [A, T[:3]], {"axis": 1}, 17),
    ("ReverseSequence", [A, np.int64([2, 3])], {"batch_axis": 0, "time_axis": 1}, 17),
    ("Clip", [A, np.float32(-0.5), np.float32(0.5)], {}, 17),
    ("Clip", [A, None, np.float32(0.5)], {}, 17),
    ("Clip", [A], {"min": -0.25, "max": 0.5}, 7),
    ("Cast", [A * 10], {"to": TensorProto.INT32}, 17),
    ("Cast", [N], {"to": TensorProto.FLOAT}, 17),
    ("Cast", [N], {"to": TensorProto.BOOL}, 17),
    ("CastLike", [N, B], {}, 17),
    ("Range", [np.float32(1), np.float32(-2), np.float32(-0.7)], {}, 17),
    ("Range", [np.int64(2), np.int64(11), np.int64(3)], {}, 17),
    ("Range", [np.int64(2), np.int64(2), np.int64(1)], {}, 17),
    ("Constant", [], {"value": _tensor(A)}, 17),
    ("Constant", [], {"value_float": 2.5}, 17),
    ("Constant", [], {"value_ints": [1, 2]}, 17),
    ("ConstantOfShape", [_ints(2, 3)], {"value": _tensor(np.array([7], np.int64))}, 17),
    ("ConstantOfShape", [_ints(2, 0)], {}, 17),
    ("Expand", [B, _ints(2, 1, 4)], {}, 17),
    ("Expand", [B, _ints(1)], {}, 17),
    ("Tile", [B, _ints(2, 3)], {}, 17),
    ("Concat", [A, A], {"axis": -1}, 17),
    ("Gather", [A, _ints(2, -1)], {"axis": 1}, 17),
    ("Gather", [N, np.array(2, np.int64)], {}, 17),
    ("Slice", [A, _ints(1), _ints(2**60), _ints(-1)], {}, 17),
    ("Slice", [A, _ints(-1, 2), _ints(-(2**60), 0), _ints(2, 1), _ints(-2, -1)], {}, 17),
    ("Slice", [A], {"starts": [0, 1], "ends": [1, 3], "axes": [0, 2]}, 9),
    ("Split", [A, _ints(1, 3)], {"axis": 2}, 17),
    ("Split", [A], {"axis": -1}, 17),
    ("Split", [A], {"axis": 2, "split": [3, 1]}, 12),
    ("Pad", [B, _ints(1, 0, 2, 3), np.float32(9)], {}, 17),
    ("Pad", [B, _ints(2, 1), None, _ints(0)], {"mode": "edge"}, 18),
    ("Pad", [A, _ints(0, 2, 1, 1, 1, 3)], {"mode": "reflect"}, 17),
    ("Pad", [B], {"pads": [1, 0, 2, 3], "value": 1.5}, 10),
    ("Shape", [A], {}, 17),
    ("Shape", [A], {"start": -2, "end": 9}, 17),
    ("Size", [A], {}, 17),
    ("Transpose", [A], {"perm": [2, 0, 1]}, 17),
    ("Transpose", [A], {}, 17),
    ("Reshape", [A, _ints(0, -1)], {}, 17),
    ("Flatten", [A], {"axis": 2}, 17),
    ("Flatten", [A], {"axis": -1}, 17),
    ("Flatten", [A], {"axis": 0}, 17),
    ("Squeeze", [B, _ints(-1)], {}, 17),
    ("Squeeze", [B], {}, 17),
    ("Squeeze", [B], {"axes": [1]}, 11),
    ("Unsqueeze", [B, _ints(0, -1)], {}, 17),
    ("Unsqueeze", [B], {"axes": [0, 3]}, 11),
    ("Identity", [A], {}, 17),
    ("ReduceSum", [A, _ints(0, 2)], {"keepdims": 0}, 17),
    ("ReduceSum", [A], {"noop_with_empty_axes": 1}, 17),
    ("ReduceMean", [A], {"axes": [1]}, 17),
    ("ReduceMax", [A, _ints(-1)], {}, 18),
    ("ReduceMin", [A], {"keepdims": 0}, 17),
    ("ReduceProd", [N], {"keepdims": 0}, 17),
    ("ReduceL2", [A], {"axes": [0, 1]}, 17),
    ("ReduceSumSquare", [A], {"axes": [0]}, 17),
    ("QuantizeLinear", [A * 50, np.float32(0.5), np.int8(-3)], {}, 17),
    ("QuantizeLinear", [A, np.float32(0.02)], {}, 17),
    ("QuantizeLinear", [A, np.full(3, 0.01, np.float32), np.full(3, 9, np.uint8)], {"axis": 1}, 17),
    ("DequantizeLinear", [N.astype(np.int8), np.float32(0.3), np.int8(5)], {}, 19),
    ("DequantizeLinear", [np.arange(250, 256, dtype=np.uint8), np.float32(0.3)], {}, 19),
    (
        "DequantizeLinear",
        [np.arange(6, dtype=np.int32).reshape(2, 3) - 3, np.float32([0.1, 3, 7])],
        {"axis": -1},
        19,
    ),
]


def _call(case: tuple[str, list[Any], dict[str, Any], int]) -> tuple[Any, tuple[Constant, ...]]:
    """What the reference of the onnx package gives, and what we fold."""
    op_type, values, attributes, opset = case
    names = ["" if v is None else f"i{k}" for k, v in enumerate(values)]
    outputs = ["o0", "o1"] if op_type == "Split" else ["o0"]
    if op_type == "Split" and opset >= 18:
        attributes = attributes | {"num_outputs": 2}
    proto = helper.make_node(op_type, names, outputs, **attributes)
    graph = helper.make_graph(
        [proto],
        "one",
        [helper.make_value_info(n, helper.make_tensor_type_proto(1, None)) for n in names if n],
        [helper.make_value_info(o, helper.make_tensor_type_proto(1, None)) for o in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    feeds = {n: np.asarray(v) for n, v in zip(names, values, strict=True) if n}
    expected = ReferenceEvaluator(model).run(None, feeds)
    plain = {
        k: numpy_helper.to_array(v) if isinstance(v, TensorProto) else v
        for k, v in attributes.items()
    }
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
    node = OnnxNode(op_type, "", opset, "", tuple(names), tuple(outputs), plain)
    constants = [None if v is None else Constant(np.asarray(v)) for v in values]
    return expected, fold(node, constants, Allowance())


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[3]}")
def test_as_onnx_defines_it(case: tuple[str, list[Any], dict[str, Any], int]) -> None:
    """A folded node gives what the reference of the onnx package gives, in the same type."""
    expected, found = _call(case)
    assert len(expected) == len(found)
    for array, constant in zip(expected, found, strict=True):
        assert np.asarray(array).dtype == constant.data.dtype
        np.testing.assert_allclose(constant.data, array, rtol=1e-6, atol=0, strict=True)


def _node(op_type: str, inputs: int, outputs: int = 1, **attributes: Any) -> OnnxNode:
    names = tuple(f"i{k}" for k in range(inputs))
    made = tuple(f"o{k}" for k in range(outputs))
    return OnnxNode(op_type, "", 17, "", names, made, attributes)


def _stored(axis: int | None) -> Constant:
    """int8 weights [2, 3, 4], and what they dequantize to."""
    q = _DATA.integers(-128, 128, (2, 3, 4)).astype(np.int8)
    channels = 1 if axis is None else q.shape[axis]
    scale = np.linspace(0.5, 1.5, channels).astype(np.float32)
    zero = np.arange(channels, dtype=np.int8)
    inputs = [Constant(q), Constant(scale), Constant(zero)]
    node = _node("DequantizeLinear", 3, axis=axis or 0)
    (made,) = fold(node, inputs, Allowance())
    return made


def _check_stored(value: Constant) -> None:
    stored = value.stored
    assert stored is not None
    quant = stored.quant
    shape = [-1 if a == quant.axis else 1 for a in range(value.data.ndim)]
    zero = np.array(quant.zero_point).reshape(shape if quant.axis is not None else ())
    scale = np.array(quant.scale).reshape(shape if quant.axis is not None else ())
    np.testing.assert_allclose((stored.values - zero) * scale, value.data, rtol=1e-6)


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
@pytest.mark.parametrize(
    ("op_type", "values", "attributes"),
    [
        ("Identity", [], {}),
        ("Transpose", [], {"perm": (2, 0, 1)}),
        ("Unsqueeze", [_ints(0, 3)], {}),
        ("Reshape", [_ints(2, 3, 4, 1)], {}),
        ("Reshape", [_ints(1, 2, 3, 2, 2)], {}),
        ("Reshape", [_ints(4, 3, 2)], {}),
        ("Flatten", [], {"axis": 1}),
        ("Slice", [_ints(1), _ints(3), _ints(2)], {}),
        ("Split", [_ints(1, 2)], {"axis": 1}),
        ("Gather", [_ints(0, 2)], {"axis": 1}),
    ],
)
def test_integers_move_along(
    op_type: str, values: list[Any], attributes: dict[str, Any], axis: int | None
) -> None:
    """Stored integers, where they are kept, still dequantize to the values."""
    source = _stored(axis)
    node = _node(op_type, 1 + len(values), 2 if op_type == "Split" else 1, **attributes)
    inputs = [source, *(Constant(v) for v in values)]
    made = fold(node, inputs, Allowance())
    for value in made:
        if value.stored is not None:
            _check_stored(value)
    if axis is None or op_type in ("Identity", "Transpose", "Unsqueeze"):
        assert all(value.stored is not None for value in made)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
def test_integers_are_kept(dtype: Any) -> None:
    """A dequantized constant keeps its integers; uint8 is mapped by -128."""
    q = np.array([0, 1, 120], dtype)
    inputs = [Constant(q), Constant(np.float32(0.25)), Constant(np.array(3, dtype))]
    (made,) = fold(_node("DequantizeLinear", 3), inputs, Allowance())
    assert made.stored is not None
    _check_stored(made)
    shift = 128 if dtype is np.uint8 else 0
    np.testing.assert_array_equal(q.astype(int) - shift, made.stored.values)
    kept = DType.INT32 if dtype is np.int32 else DType.INT8
    assert Quant.per_tensor(0.25, 3 - shift, kept) == made.stored.quant
    assert kept is DType.of(made.stored.values)


def test_reshape_finds_the_channel_axis() -> None:
    """Where two axes have the size of the channels, the channel axis stays the right one."""
    values = np.arange(9, dtype=np.int8).reshape(3, 3)
    scale = (1.0, 2.0, 4.0)
    quant = Quant(scale, (0, 0, 0), 1)
    constant = Constant(values * np.float32(scale), Stored(values, quant))
    made = constant.reshape((1, 3, 3, 1))
    assert made.stored is not None
    assert 2 == made.stored.quant.axis
    _check_stored(made)


@pytest.mark.parametrize(
    ("node", "values", "error"),
    [
        (_node("Conv", 2), [A, A], UnsupportedOp),
        (_node("Reshape", 2), [A, _ints(5, 0)], ValueError),
        (_node("Transpose", 1, perm=(0, 0, 1)), [A], DamagedModel),
        (_node("DequantizeLinear", 2), [N.astype(np.int64), np.float32(1)], UnsupportedType),
        (_node("DequantizeLinear", 2), [A.astype(np.int8), np.ones(5, np.float32)], UnsupportedOp),
        (_node("Constant", 0, value_strings=("a",)), [], UnsupportedType),
        (_node("Split", 2, 2), [N, _ints(1, 1)], DamagedModel),
        (_node("ConstantOfShape", 1), [_ints(-1)], DamagedModel),
        (_node("Expand", 2), [B, _ints(-2)], DamagedModel),
        (_node("Concat", 2, axis=7), [A, A], ValueError),
    ],
)
def test_misfits(node: OnnxNode, values: list[Any], error: type[Exception]) -> None:
    """What does not fit an operator is refused."""
    with pytest.raises(error):
        fold(node, [Constant(np.asarray(v)) for v in values], Allowance())


def test_allowance_is_shared() -> None:
    """Many constants that are each small enough are refused together."""
    allowance = Allowance()
    zero = np.zeros(1, np.uint8)
    node = _node("ConstantOfShape", 1, value=zero)
    shape = [Constant(_ints(50 << 20))]
    for _ in range(TOTAL_LIMIT // (50 << 20)):
        fold(node, shape, allowance)
    with pytest.raises(InputTooLarge):
        fold(node, shape, allowance)
