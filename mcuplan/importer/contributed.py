# SPDX-License-Identifier: Apache-2.0
"""Operators of ONNX Runtime with weights in a form of their own, as plain ones.

Source: the contributed operators of ONNX Runtime (``com.microsoft``): MatMulNBits,
GatherBlockQuantized, DynamicQuantizeLSTM, DynamicQuantizeMatMul.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.importer.protofile import Allowance
from mcuplan.importer.structure import MICROSOFT
from mcuplan.ir.builder import Attribute, Builder, Constant, OnnxNode
from mcuplan.ir.types import Array, DType

__all__ = ["DYNAMIC", "PACKED", "unpacked", "with_real_weights"]

_PACKED_PRODUCT = f"{MICROSOFT}::MatMulNBits"
_PACKED_ROWS = f"{MICROSOFT}::GatherBlockQuantized"
PACKED = frozenset({_PACKED_PRODUCT, _PACKED_ROWS})
"""Operators with weights of few bits in blocks."""

_OPSET = 21  # the first with blocks
_BITS = (2, 4, 8)
_BYTES = ("int8", "uint8")
_REAL = ("float16", "float32", "float64")


class _Plain:
    """The nodes that one becomes."""

    def __init__(self, node: OnnxNode, fresh: Callable[[str], str]) -> None:
        self._node, self._fresh = node, fresh
        self.made: list[OnnxNode] = []

    def add(self, op_type: str, *inputs: str, output: str = "", **attributes: Attribute) -> str:
        """A standard node; its output is fresh unless it is named."""
        output = output or self._fresh(f"{self._node.outputs[0]}_{op_type.lower()}")
        name = self._node.name
        self.made.append(OnnxNode(op_type, "", _OPSET, name, inputs, (output,), attributes))
        return output

    def real(self, integers: str, scale: str, zero_point: str) -> str:
        """Real values of integers [sides, inputs, outputs], scales for each side or output."""
        shape = self.add("Constant", value=np.array([0, 1, -1]))
        whole = self.add("Cast", integers, to=DType.FLOAT32.onnx)
        if zero_point:
            point = self.add("Cast", zero_point, to=DType.FLOAT32.onnx)
            whole = self.add("Sub", whole, self.add("Reshape", point, shape))
        return self.add("Mul", whole, self.add("Reshape", scale, shape))


# -- what quantizes its input by what each sample holds -------------------------------------------


def _lstm(node: OnnxNode, plain: _Plain) -> None:
    sides = [
        plain.add("Transpose", plain.real(*map(node.input, places)), perm=(0, 2, 1))
        for places in ((1, 8, 9), (2, 10, 11))
    ]
    inputs = (node.input(0), *sides, *(node.input(k) for k in range(3, 8)))
    plain.made.append(
        replace(node, op_type="LSTM", domain="", opset=_OPSET, inputs=_without_end(inputs))
    )


def _matmul(node: OnnxNode, plain: _Plain) -> None:
    whole = plain.add("Cast", node.input(1), to=DType.FLOAT32.onnx)
    if node.input(3):
        whole = plain.add("Sub", whole, plain.add("Cast", node.input(3), to=DType.FLOAT32.onnx))
    real = plain.add("Mul", whole, node.input(2))
    _product(plain, node.input(0), real, node.input(4), node.outputs[0])


def _product(plain: _Plain, x: str, weights: str, bias: str, output: str) -> None:
    made = plain.add("MatMul", x, weights, output="" if bias else output)
    if bias:
        plain.add("Add", made, bias, output=output)


def _without_end(names: Sequence[str]) -> tuple[str, ...]:
    """The names without absent ones at the end."""
    count = max((k + 1 for k, name in enumerate(names) if name), default=0)
    return tuple(names[:count])


_DYNAMIC: Mapping[str, Callable[[OnnxNode, _Plain], None]] = {
    f"{MICROSOFT}::DynamicQuantizeLSTM": _lstm,
    f"{MICROSOFT}::DynamicQuantizeMatMul": _matmul,
}
DYNAMIC = frozenset(_DYNAMIC)
"""Operators that take real values and quantize them by what each sample holds."""


def with_real_weights(node: OnnxNode, fresh: Callable[[str], str]) -> tuple[OnnxNode, ...]:
    """The operators of real values and weights that one of `DYNAMIC` stands for."""
    plain = _Plain(node, fresh)
    _DYNAMIC[node.kind](node, plain)
    return tuple(plain.made)


# -- weights of few bits in blocks ----------------------------------------------------------------


def unpacked(node: OnnxNode, build: Builder, allowance: Allowance) -> list[OnnxNode] | None:
    """One of `PACKED` as DequantizeLinear by blocks and MatMul or Gather; None for others.

    Raises:
        UnsupportedOp: the weights are in another order (``g_idx``), or computed.
        DamagedModel: their types, or bytes, do not fit the sizes.
        InputTooLarge: the unpacked weights would pass the limits.
    """
    if node.kind not in PACKED:
        return None
    held = _Weights(node, build, allowance)
    (_packed_product if node.kind == _PACKED_PRODUCT else _packed_rows)(held)
    return held.plain.made


class _Weights:
    """The constants of one of `PACKED`, and the nodes that it becomes."""

    def __init__(self, node: OnnxNode, build: Builder, allowance: Allowance) -> None:
        self.node, self._build, self._allowance = node, build, allowance
        self.plain = _Plain(node, lambda stem: f"{stem}\0{len(self.plain.made)}")
        self.bits = node.get_int("bits", 4)
        if self.bits not in _BITS:
            raise DamagedModel(f"bits={self.bits}", hint="export again")

    def held(self, index: int, types: Sequence[str]) -> Constant:
        """An input that is a constant, of one of the types that numpy so names."""
        value = self._build.constant(self.node.input(index))
        if value is None:
            raise UnsupportedOp("weights that are computed", hint="make them constant")
        if value.data.dtype.name not in types:
            raise DamagedModel(f"input {index} is {value.data.dtype}", hint="export again")
        return value

    def keep(self, stem: str, values: Array, bits: int = 0, block: int = 0) -> str:
        """A constant of the model's; ``bits``: of its integers, 8 are those of its type.

        ``block``: see `Constant`.
        """
        name = f"{self.node.outputs[0]}\0{stem}"
        few = bits if bits < DType.UINT8.bits else 0
        self._build.constants[name] = Constant(values, bits=few, block=block)
        return name

    def few_bits(self, packed: Array, rows: int, count: int) -> Array:
        """Integers [rows, count] of bytes, the lowest bits first, each row in bytes of its own."""
        flat, bits = packed.reshape(-1), self.bits
        row_bytes = -(-count * bits // 8)
        if flat.size != rows * row_bytes:
            raise DamagedModel(
                f"{flat.size} bytes for {rows} rows of {count} values of {bits} bits"
            )
        self.reserve(rows * count, np.dtype(np.uint8))
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        each = (flat.reshape(rows, row_bytes, 1) >> shifts) & np.uint8((1 << bits) - 1)
        return np.ascontiguousarray(each.reshape(rows, -1)[:, :count])

    def reserve(self, elements: int, dtype: np.dtype[Any]) -> None:
        """Take the memory of weights before they are computed."""
        self._allowance.take(elements, dtype.itemsize, "a tensor of weights")


def _packed_product(held: _Weights) -> None:
    """Weights [N, blocks, bytes of a block], scales and zero points [N, blocks]."""
    node, plain, bits = held.node, held.plain, held.bits
    if node.input(4):
        raise UnsupportedOp("g_idx", hint="quantize without reordering the inputs")
    outputs, size = node.get_int("N", 0), node.get_int("K", 0)
    block = node.get_int("block_size", 0)
    if min(outputs, size, block) < 1:
        message = f"weights of N={outputs}, K={size}, block_size={block}"
        raise DamagedModel(message, hint="export again")
    blocks = -(-size // block)
    packed, scales = held.held(1, ("uint8",)).data, held.held(2, _REAL).data
    weights = held.few_bits(packed, outputs, blocks * block)[:, :size]
    points = _points(held, outputs, blocks)
    if scales.size != outputs * blocks:
        raise DamagedModel(f"{scales.size} scales for {outputs * blocks} blocks")
    scales = scales.astype(np.float32).reshape(outputs, blocks)
    if points.dtype.kind == "f":
        held.reserve(weights.size, np.dtype(np.float32))
        less, steps = (np.repeat(each, block, axis=1)[:, :size] for each in (points, scales))
        few = bits <= DType.INT4.bits
        made = held.keep("weights", (weights - less) * steps, block=block if few else 0)
    else:
        made = plain.add(
            "DequantizeLinear",
            held.keep("weights", weights, bits),
            held.keep("scales", scales),
            held.keep("zero_points", points, bits),
            axis=1,
            block_size=block,
        )
    turned = plain.add("Transpose", made, perm=(1, 0))
    _product(plain, node.input(0), turned, node.input(5), node.outputs[0])


def _points(held: _Weights, outputs: int, blocks: int) -> Array:
    """Zero points [outputs, blocks]: packed as weights are, real ones, or the middle."""
    if not held.node.input(3):
        return np.full((outputs, blocks), 1 << held.bits - 1, np.uint8)
    points = held.held(3, ("uint8", *_REAL)).data
    if points.dtype == np.uint8:
        return held.few_bits(points, outputs, blocks)
    if points.size != outputs * blocks:
        raise DamagedModel(f"{points.size} zero points for {outputs * blocks} blocks")
    return points.astype(np.float32).reshape(outputs, blocks)


def _packed_rows(held: _Weights) -> None:
    """Rows of a table of few bits, which bytes hold along its last axis."""
    node, plain = held.node, held.plain
    table, scales = held.held(0, _BYTES), held.held(2, _REAL).data
    data, bits, point = table.data, table.bits, node.input(3)
    if not bits and data.dtype == np.uint8 and held.bits < DType.UINT8.bits:
        bits = held.bits
        data = _rows_of(held, data, data.shape[-1] * DType.UINT8.bits // bits)
        points = np.full(scales.shape, 1 << bits - 1, np.uint8)
        if point:
            packed = held.held(3, ("uint8",)).data
            points = _rows_of(held, packed, scales.shape[-1])
        point = held.keep("zero_points", points, bits)
    real = plain.add(
        "DequantizeLinear",
        held.keep("table", data, bits),
        held.keep("scales", scales.astype(np.float32)),
        *([point] if point else []),
        axis=node.get_int("quantize_axis", 1),
        block_size=node.get_int("block_size", 128),
    )
    axis = node.get_int("gather_axis", 0)
    plain.add("Gather", real, node.input(1), output=node.outputs[0], axis=axis)


def _rows_of(held: _Weights, packed: Array, count: int) -> Array:
    """Integers [..., count] of bytes whose last axis holds those of a row."""
    before = packed.shape[:-1]
    return held.few_bits(packed, math.prod(before), count).reshape(*before, count)
