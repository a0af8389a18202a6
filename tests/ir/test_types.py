# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from mcuplan.ir.types import Array, DType, Quant

_STORAGE = (DType.INT8, DType.UINT8, DType.INT16)
_INTEGERS = tuple(dtype for dtype in DType if not dtype.is_float and dtype is not DType.BOOL)
_ELEMENT = {
    DType.INT8: onnx.TensorProto.INT8,
    DType.UINT8: onnx.TensorProto.UINT8,
    DType.INT16: onnx.TensorProto.INT16,
}


@pytest.mark.parametrize("dtype", [d for d in _INTEGERS if d is not DType.INT4])
def test_limits_are_those_of_the_arrays(dtype: DType) -> None:
    """Ends, bytes and C name of a type whose values lie one by one."""
    info = np.iinfo(dtype.numpy)
    assert (info.min, info.max) == (dtype.low, dtype.high)
    assert (info.bits // 8, f"{info.dtype}_t") == (dtype.nbytes(), dtype.c_type)
    assert max(abs(int(info.min)), int(info.max)) == dtype.reach


def test_int4_has_its_own_limits() -> None:
    """Sixteen values, two to a byte; an odd last one takes a byte."""
    assert (-8, 7, "s4") == (DType.INT4.low, DType.INT4.high, DType.INT4.suffix)
    assert [0, 1, 1, 2, 2] == [DType.INT4.nbytes(n) for n in range(5)]
    assert [12, 6] == [DType.FLOAT32.nbytes(3), DType.INT16.nbytes(3)]


def test_the_even_index_of_int4_is_in_the_low_half() -> None:
    """Bytes by hand."""
    packed = DType.INT4.packed(np.array([1, -1, 7, -8, 3], np.int8))
    assert [0xF1, 0x87, 0x03] == packed.tolist()


@given(st.lists(st.integers(-8, 7), max_size=9))
def test_packed_int4_comes_back(values: list[int]) -> None:
    """Any number of values, odd ones too, in the bytes that the type says."""
    array = np.array(values, np.int8)
    packed = DType.INT4.packed(array)
    assert DType.INT4.nbytes(len(values)) == packed.nbytes
    assert values == DType.INT4.unpacked(packed, array.shape).tolist()


@given(st.integers(-40000, 40000), st.sampled_from(_INTEGERS))
def test_clip_and_holds_agree(value: int, dtype: DType) -> None:
    """What a type holds is not changed by clipping to it, all else is."""
    values = np.array([value])
    assert dtype.holds(values) == (int(dtype.clip(values)[0]) == value)


def test_recoded_keeps_the_order() -> None:
    """The least integer of a type becomes the least of the other, and so on."""
    for one, other in ((DType.UINT8, DType.INT8), (DType.INT16, DType.UINT16)):
        codes = one.codes.astype(one.numpy)
        assert other.codes.tolist() == one.recoded(codes, other).tolist()
        assert codes.tolist() == other.recoded(one.recoded(codes, other), one).tolist()


def test_a_grid_stored_as_another_type_is_the_same_grid() -> None:
    """Real values of recoded integers do not change."""
    quant = Quant.per_tensor(0.3, 200, DType.UINT8)
    codes = np.arange(256).astype(np.uint8)
    moved = quant.stored_as(DType.INT8)
    assert 72 == moved.z
    recoded = DType.UINT8.recoded(codes, DType.INT8)
    assert quant.dequantize(codes).tolist() == moved.dequantize(recoded).tolist()
    assert quant.ends == moved.ends


@cache
def _session(dtype: DType, shape: tuple[int, ...], axis: int, block: int) -> object:
    """QuantizeLinear of ONNX Runtime."""
    extra = {"axis": axis} | ({"block_size": block} if block else {})
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **extra)
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    s = helper.make_tensor_value_info("s", onnx.TensorProto.FLOAT, None)
    z = helper.make_tensor_value_info("z", _ELEMENT[dtype], None)
    q = helper.make_tensor_value_info("q", _ELEMENT[dtype], shape)
    graph = helper.make_graph([node], "quantize", [x, s, z], [q])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def _in_runtime(quant: Quant, real: Array, entries: tuple[int, ...]) -> Array:
    session = _session(quant.dtype, real.shape, quant.axis or 0, quant.block or 0)
    scale = np.array(quant.scale, np.float32).reshape(entries)
    zero = np.array(quant.zero_point, quant.dtype.numpy).reshape(entries)
    found: Array = session.run(None, {"x": real, "s": scale, "z": zero})[0]  # type: ignore[attr-defined]
    return found


def _edges(quant: Quant, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Halves between steps, ends and what lies beyond, their neighbours, infinities."""
    scale, zero = np.float32(quant.scale[0]), quant.zero_point[0]
    steps = rng.integers(quant.dtype.low - 3, quant.dtype.high + 4, shape) - zero
    real = ((steps + rng.choice([0.0, 0.5], shape)) * scale).astype(np.float32)
    flat = real.reshape(-1)
    flat[::5] = np.nextafter(flat[::5], np.float32(np.inf))
    flat[1::5] = np.nextafter(flat[1::5], np.float32(-np.inf))
    flat[:4] = [np.inf, -np.inf, 3e38, -0.0]
    return real


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_STORAGE), st.floats(2.0**-20, 2.0**10, width=32), st.data())
def test_quantize_agrees_with_onnx_runtime(dtype: DType, scale: float, data: st.DataObject) -> None:
    """Per tensor, per channel and in blocks, at edges of the grid."""
    shape, rng = (4, 6, 5), np.random.default_rng(data.draw(st.integers(0, 99)))
    axis = data.draw(st.sampled_from([None, 0, 1, 2]))
    block = data.draw(st.sampled_from([None, 2, 4])) if axis is not None else None
    if axis is None:
        entries: tuple[int, ...] = ()
    elif block is None:
        entries = (shape[axis],)
    else:
        entries = (*shape[:axis], -(-shape[axis] // block), *shape[axis + 1 :])
    count = math.prod(entries)
    scales = (np.float32(scale) * rng.uniform(0.5, 2, count)).astype(np.float32)
    zeros = rng.integers(dtype.low, dtype.high + 1, count)
    quant = Quant(tuple(scales.tolist()), tuple(zeros.tolist()), axis, dtype, block)
    real = _edges(quant, rng, shape)
    found = quant.quantize(real)
    assert dtype.numpy == found.dtype
    assert np.array_equal(_in_runtime(quant, real, entries), found)


@pytest.mark.parametrize("dtype", _STORAGE)
def test_covers_and_holds_know_the_ends(dtype: DType) -> None:
    """The ends of a grid lie on it, half a step beyond is rounded, a whole one is cut."""
    quant = Quant.per_tensor(0.5, dtype.low + 3, dtype)
    low, high = quant.ends
    assert quant.holds(low)
    assert quant.holds(high)
    assert not quant.holds(high + 0.5)
    assert quant.covers(high + 0.25)
    assert not quant.covers(high + 0.5)
    assert not quant.covers(low - 0.5)


def test_blocks_of_weights_have_their_own_scales() -> None:
    """Two rows of five weights in blocks of two: the last block has one."""
    quant = Quant((1.0, 2.0, 4.0, 8.0, 16.0, 32.0), (0,) * 6, 1, DType.INT4, 2)
    real = quant.dequantize(np.ones((2, 5), np.int8))
    assert [[1, 1, 2, 2, 4], [8, 8, 16, 16, 32]] == real.tolist()
    assert (quant.quantize(real) == 1).all()
