# SPDX-License-Identifier: Apache-2.0
"""Operators of ONNX Runtime with weights in a form of their own, as plain ones.

Source: the contributed operators of ONNX Runtime (``com.microsoft``): MatMulNBits,
DynamicQuantizeLSTM, DynamicQuantizeMatMul.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
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


def unpacked(node: OnnxNode, build: Builder) -> list[OnnxNode] | None:
    """One of `PACKED` as DequantizeLinear by blocks and MatMul or Gather; None for others.

    Raises:
        UnsupportedOp: the weights are in another order (``g_idx``), or computed.
        DamagedModel: their bytes do not fit the sizes.
    """
    if node.kind not in PACKED:
        return None
    plain = _Plain(node, lambda stem: f"{stem}:{len(plain.made)}")
    (_packed_product if node.kind == _PACKED_PRODUCT else _packed_rows)(node, build, plain)
    return plain.made


def _packed_product(node: OnnxNode, build: Builder, plain: _Plain) -> None:
    """Weights [N, blocks, bytes of a block], scales and zero points [N, blocks]."""
    if node.input(4):
        raise UnsupportedOp("g_idx", hint="quantize without reordering the inputs")
    outputs, size = node.get_int("N", 0), node.get_int("K", 0)
    bits, block = node.get_int("bits", 4), node.get_int("block_size", 0)
    if bits not in _BITS or min(outputs, size, block) < 1:
        sizes = f"N={outputs}, K={size}, bits={bits}, block_size={block}"
        raise DamagedModel(f"weights of {sizes}", hint="export again")
    blocks = -(-size // block)
    packed, scales = (_held(build, node.input(k)) for k in (1, 2))
    weights = _few_bits(packed, outputs, blocks * block, bits)[:, :size]
    points = _points(build, node.input(3), (outputs, blocks), bits)
    if scales.size != outputs * blocks:
        raise DamagedModel(f"{scales.size} scales for {outputs * blocks} blocks")
    scales = scales.astype(np.float32).reshape(outputs, blocks)
    stem = node.outputs[0]
    if points.dtype.kind == "f":
        less, steps = (np.repeat(each, block, axis=1)[:, :size] for each in (points, scales))
        made = _keep(build, f"{stem}:weights", (weights - less) * steps)
    else:
        made = plain.add(
            "DequantizeLinear",
            _keep(build, f"{stem}:weights", weights, bits),
            _keep(build, f"{stem}:scales", scales),
            _keep(build, f"{stem}:zero_points", points, bits),
            axis=1,
            block_size=block,
        )
    turned = plain.add("Transpose", made, perm=(1, 0))
    _product(plain, node.input(0), turned, node.input(5), stem)


def _packed_rows(node: OnnxNode, build: Builder, plain: _Plain) -> None:
    """Rows of a table of few bits, which bytes hold along its last axis."""
    data, scales = (_held(build, node.input(k)) for k in (0, 2))
    held, bits = build.constants[node.input(0)].bits, node.get_int("bits", 4)
    inner = (f"{node.outputs[0]}:{stem}" for stem in ("table", "scales", "zero_points"))
    table, steps, zero = inner
    point = node.input(3)
    if not held and data.dtype == np.uint8 and bits < DType.UINT8.bits:
        each = DType.UINT8.bits // bits
        data, held = _few_bits(data, data.size // data.shape[-1], data.shape[-1] * each, bits), bits
        if point:
            wide = _few_bits(
                _held(build, point), scales.size // scales.shape[-1], scales.shape[-1], bits
            )
            point = _keep(build, zero, wide.reshape(scales.shape), bits)
        else:
            point = _keep(build, zero, np.full(scales.shape, 1 << bits - 1, np.uint8), bits)
    real = plain.add(
        "DequantizeLinear",
        _keep(build, table, data, held),
        _keep(build, steps, scales.astype(np.float32)),
        *([point] if point else []),
        axis=node.get_int("quantize_axis", 1),
        block_size=node.get_int("block_size", 128),
    )
    axis = node.get_int("gather_axis", 0)
    plain.add("Gather", real, node.input(1), output=node.outputs[0], axis=axis)


def _keep(build: Builder, name: str, values: Array, bits: int = 0) -> str:
    """A constant of the model's; ``bits``: of its integers, 8 are those of its type."""
    build.constants[name] = Constant(values, bits=bits if bits < DType.UINT8.bits else 0)
    return name


def _held(build: Builder, name: str) -> Array:
    value = build.constant(name)
    if value is None:
        raise UnsupportedOp("weights that are computed", hint="make them constant")
    return value.data


def _few_bits(packed: Array, rows: int, count: int, bits: int) -> Array:
    """Integers [rows, count] of bytes, the lowest bits first, each row in bytes of its own."""
    flat = packed.view(np.uint8).reshape(-1)
    held = -(-count * bits // 8)
    if flat.size != rows * held:
        raise DamagedModel(f"{flat.size} bytes for {rows} rows of {count} values of {bits} bits")
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    each = (flat.reshape(rows, held, 1) >> shifts) & np.uint8((1 << bits) - 1)
    return np.ascontiguousarray(each.reshape(rows, -1)[:, :count])


def _points(build: Builder, name: str, counts: tuple[int, int], bits: int) -> Array:
    """Zero points [outputs, blocks]: packed as weights are, real ones, or the middle."""
    if not name:
        return np.full(counts, 1 << bits - 1, np.uint8)
    held = _held(build, name)
    if held.dtype != np.uint8:
        if held.size != counts[0] * counts[1]:
            raise DamagedModel(f"{held.size} zero points for {counts[0] * counts[1]} blocks")
        return held.astype(np.float32).reshape(counts)
    return _few_bits(held, *counts, bits)
