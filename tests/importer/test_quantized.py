# SPDX-License-Identifier: Apache-2.0
"""QDQ and QOperator models: grids, boundary types, and the values ONNX Runtime computes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_files import TensorProto, model, node, onnx, run_onnx, save, value

from mcuplan.errors import McuplanError, UnsupportedOp
from mcuplan.facts import IntegerWeights
from mcuplan.importer.onnx import ImportedModel, load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import Array, DType, Quant
from mcuplan.ops.quantize import Quantize

_F32 = np.float32
_DATA = np.random.default_rng(9)
MS = "com.microsoft"


def _q(shape: Sequence[int], dtype: Any = np.int8, low: int = -90, high: int = 90) -> Array:
    shift = 128 if dtype is np.uint8 else 0
    return (_DATA.integers(low, high, shape) + shift).astype(dtype)


def _scale(size: int | None = None) -> Array:
    return _F32(_DATA.uniform(0.01, 0.05, size))


def _zero(dtype: Any = np.int8) -> Array:
    return np.array(_DATA.integers(-20, 20) + (128 if dtype is np.uint8 else 0), dtype)


def _real(imported: ImportedModel, arrays: Sequence[Array]) -> dict[str, Array]:
    """Feeds of the graph for what is fed to the model: integers become real values."""
    feeds = {}
    for port, array in zip(imported.graph.inputs, arrays, strict=True):
        quant = imported.graph.tensor(port.tensor).type.quant
        if port.dtype is not DType.FLOAT32:
            assert quant is not None
            shift = 128 if port.dtype is DType.UINT8 else 0
            array = ((array.astype(int) - shift - quant.z) * quant.s).astype(_F32)
        feeds[port.tensor] = array
    return feeds


def _agree(path: Path, arrays: Sequence[Array], steps: float = 1.0) -> ImportedModel:
    """Evaluate our graph and compare it with ONNX Runtime, in steps of the output's grid."""
    imported = load_model(path)
    imported.graph.check()
    expected = run_onnx(
        path, {p.name: a for p, a in zip(imported.graph.inputs, arrays, strict=True)}
    )
    found = evaluate(imported.graph, _real(imported, arrays))
    for port, array in zip(imported.graph.outputs, expected, strict=True):
        quant = imported.graph.tensor(port.tensor).type.quant
        mine = found[port.tensor]
        if port.dtype is not DType.FLOAT32:
            assert quant is not None
            shift = 128 if port.dtype is DType.UINT8 else 0
            array = (array.astype(int) - shift - quant.z) * quant.s
        tolerance = 1e-5 * float(np.abs(array).max()) + (quant.s * steps if quant else 0.0)
        assert float(np.abs(mine - array).max()) <= tolerance
        assert np.mean(np.abs(mine - array) < 1e-5 + tolerance / 2) > 0.9
    return imported


# -- QDQ --------------------------------------------------------------------------------


def _qdq_conv(dtype: Any, *, per_channel: bool, out: str = "float") -> Any:
    """A model: x -> Q -> DQ -> Conv(DQ weights, DQ bias) -> Q (-> DQ)."""
    channels = 4 if per_channel else None
    x_scale, w_scale = _scale(), _scale(channels)
    constants = {
        "xs": x_scale,
        "xz": _zero(dtype),
        "w": _q((4, 3, 3, 3)),
        "ws": w_scale,
        "wz": np.zeros_like(w_scale, np.int8),
        "b": _DATA.integers(-500, 500, 4).astype(np.int32),
        "bs": x_scale * w_scale,
        "ys": _F32(0.3),
        "yz": _zero(dtype),
    }
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        node("DequantizeLinear", ["xq", "xs", "xz"], ["xr"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wr"], axis=0),
        node("DequantizeLinear", ["b", "bs"], ["br"], axis=0),
        node("Conv", ["xr", "wr", "br"], ["c"], pads=[1, 1, 1, 1]),
        node("QuantizeLinear", ["c", "ys", "yz"], ["q"]),
        node("DequantizeLinear", ["q", "ys", "yz"], ["y"]),
    ]
    kind = TensorProto.UINT8 if dtype is np.uint8 else TensorProto.INT8
    last = value("y", None) if out == "float" else value("q", None, kind)
    return model(
        nodes if out == "float" else nodes[:-1], [value("x", [1, 3, 6, 6])], [last], constants
    )


@pytest.mark.parametrize("out", ["float", "integer"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_qdq_conv(dtype: Any, per_channel: bool, out: str, tmp_path: Path) -> None:
    """Grids, stored integers and boundary types are those of the model."""
    proto = _qdq_conv(dtype, per_channel=per_channel, out=out)
    path = save(tmp_path, proto)
    x = _DATA.normal(size=(1, 3, 6, 6)).astype(_F32)
    imported = _agree(path, [x])
    assert "int8 (QDQ)" == imported.form
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    shift = 128 if dtype is np.uint8 else 0
    grids = [n.op.fixed_quant for n in imported.graph.nodes if isinstance(n.op, Quantize)]
    expected = [
        Quant.per_tensor(float(constants[s]), int(constants[z]) - shift)
        for s, z in (("xs", "xz"), ("ys", "yz"))
    ]
    assert expected == grids
    stored = {t.stored.values.dtype: t.stored for t in imported.graph.tensors.values() if t.stored}
    np.testing.assert_array_equal(
        constants["w"].transpose(0, 2, 3, 1), stored[np.dtype(np.int8)].values
    )
    np.testing.assert_array_equal(constants["b"], stored[np.dtype(np.int32)].values)
    assert (0 if per_channel else None) == stored[np.dtype(np.int8)].quant.axis
    (source,), (result,) = imported.graph.inputs, imported.graph.outputs
    boundary = DType.UINT8 if dtype is np.uint8 else DType.INT8
    assert (DType.FLOAT32, boundary) == (source.dtype, source.boundary)
    kind = DType.FLOAT32 if out == "float" else boundary
    assert (kind, boundary) == (result.dtype, result.boundary)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_integer_input_behind_movement(dtype: Any, tmp_path: Path) -> None:
    """The grid of an integer input is found behind nodes that only move elements."""
    kind = TensorProto.UINT8 if dtype is np.uint8 else TensorProto.INT8
    constants = {"s": _F32(0.25), "z": _zero(dtype), "shape": np.array([1, 4, 3], np.int64)}
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
        node("Reshape", ["t", "shape"], ["r"]),
        node("Identity", ["r"], ["i"]),
        node("DequantizeLinear", ["i", "s", "z"], ["y"]),
    ]
    path = save(
        tmp_path, model(nodes, [value("x", [1, 3, 2, 2], kind)], [value("y", None)], constants)
    )
    imported = _agree(path, [_q((1, 3, 2, 2), dtype)], steps=0)
    (port,) = imported.graph.inputs
    assert DType(np.dtype(dtype).name) == port.dtype == port.boundary


def test_default_zero_point_is_that_of_the_type(tmp_path: Path) -> None:
    """QuantizeLinear without a zero point gives uint8, whose 0 is -128 here."""
    nodes = [node("QuantizeLinear", ["x", "s"], ["q"]), node("DequantizeLinear", ["q", "s"], ["y"])]
    proto = model(nodes, [value("x", [1, 50])], [value("y", None)], {"s": _F32(0.1)})
    imported = _agree(save(tmp_path, proto), [_DATA.normal(size=(1, 50)).astype(_F32)], steps=0)
    (step,) = imported.graph.nodes
    assert Quantize(float(_F32(0.1)), -128) == step.op
    assert DType.UINT8 == imported.graph.inputs[0].boundary


@pytest.mark.parametrize("pad", [None, 7])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_pad_of_integers(dtype: Any, pad: int | None, tmp_path: Path) -> None:
    """Padding integers fills with an integer, which is a real value on the grid."""
    constants = {"s": _F32(0.25), "z": np.array(3, dtype), "pads": np.array([0, 2, 0, 1], np.int64)}
    if pad is not None:
        constants["fill"] = np.array(pad, dtype)
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("Pad", ["q", "pads", *(["fill"] if pad is not None else [])], ["p"]),
        node("DequantizeLinear", ["p", "s", "z"], ["y"]),
    ]
    path = save(tmp_path, model(nodes, [value("x", [1, 9])], [value("y", None)], constants))
    _agree(path, [_DATA.normal(size=(1, 9)).astype(_F32)], steps=0)


def test_weights_only(tmp_path: Path) -> None:
    """Weights quantized alone make a float model whose weights are stored as integers."""
    constants = {"w": _q((5, 3)), "s": _scale(5), "z": _q(5, low=-5, high=5)}
    nodes = [
        node("DequantizeLinear", ["w", "s", "z"], ["wr"], axis=0),
        node("Gemm", ["x", "wr"], ["y"], transB=1),
    ]
    path = save(tmp_path, model(nodes, [value("x", [1, 3])], [value("y", None)], constants))
    imported = _agree(path, [_DATA.normal(size=(1, 3)).astype(_F32)], steps=0)
    assert "float32" == imported.form
    assert IntegerWeights() in imported.graph.notes
    assert any(t.stored is not None for t in imported.graph.tensors.values())


@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4])
def test_four_bit_weights(kind: int, tmp_path: Path) -> None:
    """Weights of 4 bits are widened to int8."""
    signed = kind == TensorProto.INT4
    values = list(range(-8, 7)) if signed else list(range(15))
    weights = onnx.helper.make_tensor("w", kind, [5, 3], values)
    zero = onnx.helper.make_tensor("z", kind, [], [1])
    constants = {"w": weights, "s": _F32(0.5), "z": zero}
    nodes = [
        node("DequantizeLinear", ["w", "s", "z"], ["wr"]),
        node("Gemm", ["x", "wr"], ["y"], transB=1),
    ]
    proto = model(nodes, [value("x", [1, 3])], [value("y", None)], constants, opset=21)
    imported = _agree(save(tmp_path, proto), [_DATA.normal(size=(1, 3)).astype(_F32)], steps=0)
    (stored,) = [t.stored for t in imported.graph.tensors.values() if t.stored is not None]
    shift = 0 if signed else 128
    np.testing.assert_array_equal(np.array(values).reshape(5, 3) - shift, stored.values)


def test_weights_quantized_by_a_node(tmp_path: Path) -> None:
    """Float weights behind Q and DQ are integers, as if they were stored so."""
    w = _DATA.normal(size=(4, 3)).astype(_F32)
    nodes = [
        node("QuantizeLinear", ["w", "s", "z"], ["wq"]),
        node("DequantizeLinear", ["wq", "s", "z"], ["wr"]),
        node("Gemm", ["x", "wr"], ["y"], transB=1),
    ]
    constants = {"w": w, "s": _F32(0.02), "z": np.int8(0)}
    path = save(tmp_path, model(nodes, [value("x", [1, 3])], [value("y", None)], constants))
    imported = _agree(path, [_DATA.normal(size=(1, 3)).astype(_F32)], steps=0)
    assert any(t.stored is not None for t in imported.graph.tensors.values())


def test_same_grid_twice_is_one_rounding(tmp_path: Path) -> None:
    """A second Q/DQ pair on the same grid adds nothing, on another grid a rounding."""
    constants = {"s": _F32(0.1), "z": np.int8(4), "s2": _F32(0.17)}
    pairs = [("s", "x", "a"), ("s", "a", "b"), ("s2", "b", "y")]
    nodes = []
    for scale, source, made in pairs:
        nodes.append(node("QuantizeLinear", [source, scale, "z"], [f"{made}q"]))
        nodes.append(node("DequantizeLinear", [f"{made}q", scale, "z"], [made]))
    path = save(tmp_path, model(nodes, [value("x", [1, 64])], [value("y", None)], constants))
    imported = _agree(path, [3 * _DATA.normal(size=(1, 64)).astype(_F32)], steps=0)
    assert 2 == len(imported.graph.nodes)


def test_another_grid_is_refused(tmp_path: Path) -> None:
    """Integers read on another grid than they were written on are refused."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s2", "z"], ["y"]),
    ]
    constants = {"s": _F32(0.1), "z": np.int8(4), "s2": _F32(0.2)}
    path = save(tmp_path, model(nodes, [value("x", [1, 4])], [value("y", None)], constants))
    with pytest.raises(UnsupportedOp, match="another grid") as caught:
        load_model(path)
    assert "DequantizeLinear_y" in caught.value.where


def test_arithmetic_on_integers_is_refused(tmp_path: Path) -> None:
    """An operator on integers that is not just movement is refused, not misread."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("Add", ["q", "q"], ["p"]),
        node("DequantizeLinear", ["p", "s", "z"], ["y"]),
    ]
    constants = {"s": _F32(0.1), "z": np.int8(4)}
    path = save(tmp_path, model(nodes, [value("x", [1, 4])], [value("y", None)], constants))
    with pytest.raises(UnsupportedOp, match="arithmetic on int8"):
        load_model(path)


# -- QOperator ----------------------------------------------------------------------------


def _around(dtype: Any, middle: list[Any], constants: dict[str, Any], shape: Sequence[int]) -> Any:
    """A model: x -> QuantizeLinear -> quantized operators -> DequantizeLinear -> y."""
    constants = {
        "xs": _F32(0.03),
        "xz": _zero(dtype),
        "ys": _F32(0.05),
        "yz": _zero(dtype),
    } | constants
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["a"]),
        *middle,
        node("DequantizeLinear", ["q", "ys", "yz"], ["y"]),
    ]
    extra = [onnx.helper.make_opsetid(MS, 1)]
    return model(nodes, [value("x", shape)], [value("y", None)], constants, extra=extra)


A, YQ = ["a", "xs", "xz"], ["ys", "yz"]


def _second(shape: Sequence[int], dtype: Any) -> dict[str, Any]:
    return {"b": _q(shape, dtype), "bs": _F32(0.02), "bz": _zero(dtype)}


def _qoperator(kind: str, dtype: Any) -> Any:
    image, vector = (1, 4, 6, 6), (1, 12)
    weights = {"w": _q((5, 4, 3, 3)), "ws": _scale(5), "wz": np.zeros(5, np.int8)}
    bias = {"c": _DATA.integers(-800, 800, 5).astype(np.int32)}
    w = ["w", "ws", "wz"]
    if kind == "QLinearConv":
        return _around(dtype, [node(kind, [*A, *w, *YQ, "c"], ["q"])], weights | bias, image)
    if kind == "QLinearConv per tensor":
        weights |= {"ws": _scale(), "wz": np.int8(0)}
        return _around(
            dtype, [node("QLinearConv", [*A, *w, *YQ], ["q"], strides=[2, 2])], weights, image
        )
    if kind == "QLinearMatMul":
        weights = {"w": _q((12, 5), dtype), "ws": _F32(0.01), "wz": _zero(dtype)}
        return _around(dtype, [node(kind, [*A, *w, *YQ], ["q"])], weights, vector)
    if kind == "QGemm":
        weights = {"w": _q((5, 12)), "ws": _scale(5), "wz": np.zeros(5, np.int8)} | bias
        return _around(
            dtype, [node(kind, [*A, *w, "c", *YQ], ["q"], transB=1, domain=MS)], weights, vector
        )
    if kind in ("QLinearAdd", "QLinearMul"):
        middle = [node(kind, [*A, "b", "bs", "bz", *YQ], ["q"], domain=MS)]
        return _around(dtype, middle, _second(vector, dtype), vector)
    if kind == "QLinearConcat":
        middle = [
            node("QLinearSigmoid", [*A, "ss", "sz"], ["s"], domain=MS),
            node(kind, [*YQ, *A, "s", "ss", "sz"], ["q"], axis=1, domain=MS),
        ]
        return _around(dtype, middle, {"ss": _F32(1 / 256), "sz": _zero(dtype)}, vector)
    if kind == "QLinearSoftmax":
        softmax = {"ys": _F32(1 / 256), "yz": np.array(0 if dtype is np.uint8 else -128, dtype)}
        middle = [node(kind, [*A, *YQ], ["q"], axis=-1, opset=13, domain=MS)]
        return _around(dtype, middle, softmax, vector)
    if kind == "QLinearWhere":
        chosen = {"c": _DATA.integers(0, 2, vector).astype(bool)} | _second(vector, dtype)
        middle = [node(kind, ["c", *A, "b", "bs", "bz", *YQ], ["q"], domain=MS)]
        return _around(dtype, middle, chosen, vector)
    attributes = {
        "QLinearAveragePool": {"kernel_shape": [2, 2], "strides": [2, 2]},
        "QLinearLeakyRelu": {"alpha": 0.1},
    }.get(kind, {})
    return _around(dtype, [node(kind, [*A, *YQ], ["q"], domain=MS, **attributes)], {}, image)


_KINDS = (
    *("QLinearConv", "QLinearConv per tensor", "QLinearMatMul", "QGemm", "QLinearAdd"),
    *("QLinearMul", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearSigmoid"),
    *("QLinearLeakyRelu", "QLinearSoftmax", "QLinearConcat", "QLinearWhere"),
)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("kind", _KINDS)
def test_qoperator(kind: str, dtype: Any, tmp_path: Path) -> None:
    """A quantized operator is the float one between roundings, within one step of its grid."""
    proto = _qoperator(kind, dtype)
    shape = [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]
    imported = _agree(save(tmp_path, proto), [_DATA.normal(size=shape).astype(_F32)])
    assert "int8 (QOperator)" == imported.form


@pytest.mark.parametrize("kind", ["ArgMax", "ArgMin", "ReduceMax", "ReduceMin", "TopK"])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_order_of_integers(dtype: Any, kind: str, tmp_path: Path) -> None:
    """What only compares integers of one grid compares their real values."""
    constants = {"s": _F32(0.1), "z": _zero(dtype), "k": np.array([3])}
    made = {"TopK": ["q", "i"]}.get(kind, ["q"])
    more = {"axis": 1} if kind[:3] in ("Arg", "Top") else {"axes": [1]}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["a"]),
        node(kind, ["a", "k"] if kind == "TopK" else ["a"], made, **more),
    ]
    real = node("DequantizeLinear", ["q", "s", "z"], ["y"])
    nodes.append(node("Cast", ["q"], ["y"], to=1) if kind[:3] == "Arg" else real)
    proto = model(nodes, [value("x", [1, 20])], [value("y", None)], constants)
    _agree(save(tmp_path, proto), [_DATA.normal(size=(1, 20)).astype(_F32)], steps=0)


def test_qoperator_names_the_node_of_the_file(tmp_path: Path) -> None:
    """A problem inside an expansion is reported at the operator of the file."""
    proto = _qoperator("QLinearAveragePool", np.int8)
    proto.graph.node[1].attribute.append(onnx.helper.make_attribute("channels_last", 1))
    with pytest.raises(McuplanError) as caught:
        load_model(save(tmp_path, proto))
    assert "com.microsoft::QLinearAveragePool" in caught.value.where
