# SPDX-License-Identifier: Apache-2.0
"""Operators on quantized integers as the plain ones that ONNX defines them by.

They stand here where the integers lie on no grid of one scale: QuantizeLinear and
DequantizeLinear by axis or block or with computed scales, DynamicQuantizeLinear, MatMulInteger,
ConvInteger. Where a dynamic quantization only serves products, the products are real ones, and
their inputs are quantized with calibration data as all others are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp, UnsupportedType
from mcuplan.importer._numeric import FOUR_BITS
from mcuplan.importer.contributed import PACKED, unpacked
from mcuplan.importer.protofile import Allowance
from mcuplan.importer.structure import FileNode
from mcuplan.ir.builder import Attribute, Builder, Constant, OnnxNode
from mcuplan.ir.types import Array, DType

__all__ = ["PLAIN", "narrowed", "plain_steps", "statically"]

_OPSET = 13  # of the steps, at least
_TERMS = (1 << 24) // 255**2  # products of bytes, whose sum float32 holds
_PARTS = 64  # that a longer sum is divided into at most
_CODES = (DType.INT8, DType.UINT8)
_PRODUCTS = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}
_FLOAT = DType.FLOAT32.onnx


@dataclass(slots=True)
class _Steps:
    """The nodes that one becomes."""

    node: OnnxNode
    build: Builder
    made: list[OnnxNode] = field(default_factory=list)

    def add(self, op_type: str, *inputs: str, output: str = "", **attributes: Attribute) -> str:
        """A standard node; its output is one within unless it is named."""
        return self.take(op_type, inputs, output, attributes)

    def take(
        self,
        op_type: str,
        inputs: tuple[str, ...],
        output: str,
        attributes: Mapping[str, Attribute],
    ) -> str:
        """The same with attributes as a node has them."""
        output = output or f"{self.node.outputs[0]}\0{len(self.made)}"
        self.made.append(
            replace(
                self.node,
                op_type=op_type,
                domain="",
                opset=max(_OPSET, self.node.opset),
                inputs=inputs,
                outputs=(output,),
                attributes=attributes,
            )
        )
        return output

    def constant(self, stem: str, values: Array) -> str:
        """A constant of the model's."""
        name = f"{self.node.outputs[0]}\0{stem}"
        self.build.constants[name] = Constant(values)
        return name

    def real(self, name: str) -> str:
        """Integers as real values."""
        return self.add("Cast", name, to=_FLOAT)

    def saturated(self, whole: str, dtype: DType | None, output: str) -> None:
        """Whole numbers as integers of 8 bits, those beyond them at their ends."""
        if dtype not in (DType.INT8, DType.UINT8):
            raise UnsupportedType(f"quantization to {dtype}", hint="quantize to int8")
        low, high = (
            self.constant(stem, np.array(end, np.float32))
            for stem, end in (("low", dtype.low), ("high", dtype.high))
        )
        self.add("Cast", self.add("Clip", whole, low, high), output=output, to=dtype.onnx)

    def spread(self, name: str, shape: Sequence[int], axis: int | None = None) -> str:
        """Scales or zero points so that they broadcast: one, by axis, or by block."""
        size, node = math.prod(self.build.shape(name)), self.node
        axis = node.get_int("axis", 1) if axis is None else axis
        if size == 1:
            return self.add("Reshape", name, self.constant(f"{name}:one", np.zeros(0, np.int64)))
        axis += len(shape) if axis < 0 else 0
        block = node.get_int("block_size", 0)
        if not 0 <= axis < len(shape):
            raise DamagedModel(f"axis={axis} of a tensor of rank {len(shape)}")
        if block:
            return self._blocks(name, shape, axis, block)
        if size != shape[axis]:
            raise DamagedModel(f"{size} scales or zero points for {shape[axis]} elements")
        wanted = [-1 if a == axis else 1 for a in range(len(shape))]
        return self.add("Reshape", name, self.constant(f"{name}:axis", np.array(wanted)))

    def _blocks(self, name: str, shape: Sequence[int], axis: int, block: int) -> str:
        held = self.build.constant(name)
        if held is None:
            raise UnsupportedOp("scales of blocks that are computed", hint="make them constant")
        counts = (*shape[:axis], -(-shape[axis] // max(1, block)), *shape[axis + 1 :])
        if block < 1 or held.data.shape != counts:
            found = list(held.data.shape)
            raise DamagedModel(f"blocks of {block}: {found} scales for shape {list(shape)}")
        size = shape[axis]
        each = np.repeat(held.data, min(block, max(1, size)), axis).take(range(size), axis)
        return self.constant(f"{name}:blocks", each)

    def less(self, name: str, zero: str, shape: Sequence[int], axis: int | None = None) -> str:
        """Real values of integers, less their zero point if there is one."""
        made = self.real(name)
        if not zero:
            return made
        return self.add("Sub", made, self.real(self.spread(zero, shape, axis)))


def plain_steps(node: OnnxNode, build: Builder, allowance: Allowance) -> list[OnnxNode] | None:
    """The nodes that one becomes; None where it is read as it is.

    Raises:
        DamagedModel: scales or zero points do not fit.
        UnsupportedOp: sums may be larger than float32 has whole numbers.
        InputTooLarge: weights of few bits would pass the limits.
    """
    if node.domain or node.op_type not in _FORMS:
        return unpacked(node, build, allowance)
    if node.op_type == "QuantizeLinear" and _has_one_grid(node, build):
        return _of_few_bits(node, build)
    if node.op_type == "DequantizeLinear" and build.dtype(node.input(0)).is_float:
        return None
    steps = _Steps(node, build)
    _FORMS[node.op_type](steps)
    return steps.made


def narrowed(node: OnnxNode, build: Builder, dtype: DType | None) -> tuple[OnnxNode, ...] | None:
    """A Clip of integers on a grid as one of real values between conversions from and to it.

    ``dtype``: of the integers. None where it is another node, or limits are computed.
    """
    given = [build.constant(name) if name else None for name in node.inputs[1:3]]
    wanted = sum(map(bool, node.inputs[1:3]))
    quant = build.quant(node.input(0)) if dtype in _CODES and node.op_type == "Clip" else None
    if dtype is None or quant is None or len([g for g in given if g is not None]) < wanted:
        return None
    read, names = quant.stored_as(dtype), list[str]()
    for index, limit in enumerate(given):
        ends = (dtype.low, dtype.high)[index] if limit is None else int(limit.data.reshape(-1)[0])
        names.append(f"{node.outputs[0]}\0limit{index}")
        end = np.float32(ends - read.z) * np.float32(read.s)
        build.constants[names[-1]] = Constant(np.array(end, np.float32))
    held = np.array(read.s, np.float32), np.array(read.z, dtype.numpy)
    parameters = tuple(f"{node.outputs[0]}\0{stem}" for stem in ("scale", "zero_point"))
    build.constants.update({n: Constant(v) for n, v in zip(parameters, held, strict=True)})
    real, middle = f"{node.outputs[0]}\0real", f"{node.outputs[0]}\0clipped"
    plain = replace(node, attributes={})
    return (
        replace(
            plain,
            op_type="DequantizeLinear",
            inputs=(node.inputs[0], *parameters),
            outputs=(real,),
        ),
        replace(plain, inputs=(real, *names), outputs=(middle,)),
        replace(plain, op_type="QuantizeLinear", inputs=(middle, *parameters)),
    )


def _has_one_grid(node: OnnxNode, build: Builder) -> bool:
    scale, zero = build.constant(node.input(1)), node.input(2)
    known = scale is not None and scale.data.size == 1 and not node.get_int("block_size", 0)
    return known and (not zero or build.constant(zero) is not None)


def _of_few_bits(node: OnnxNode, build: Builder) -> list[OnnxNode] | None:
    """Rounding to integers of 2 or 4 bits: to bytes, of values within the ends of those.

    None where the integers have all bits of their type.
    """
    zero, code = build.constant(node.input(2)), node.get_int("output_dtype", 0)
    bits = 4 if zero is None and code in FOUR_BITS else 0 if zero is None else zero.bits
    scale = build.constant(node.input(1))
    if not bits or scale is None:
        return None
    point = np.zeros((), FOUR_BITS[code]) if zero is None else zero.data
    signed = point.dtype == np.int8
    low = -(1 << bits - 1) if signed else 0
    parts = _Steps(node, build)
    step, first = scale.data.astype(np.float32).reshape(()), np.float32(point.reshape(()))
    ends = [
        parts.constant(stem, (np.float32(end) - first) * step)
        for stem, end in (("low", low), ("high", low + (1 << bits) - 1))
    ]
    cut = parts.add("Clip", node.input(0), *ends)
    held = parts.constant("zero", point)
    parts.add("QuantizeLinear", cut, node.input(1), held, output=node.outputs[0])
    return parts.made


def _quantize(steps: _Steps) -> None:
    """Round(x / scale) + zero point, saturated."""
    node, build = steps.node, steps.build
    shape, zero = build.shape(node.input(0)), node.input(2)
    given = build.dtype(zero).onnx if zero else node.get_int("output_dtype", 0)
    ratio = steps.add("Div", node.input(0), steps.spread(node.input(1), shape))
    whole = steps.add("Round", ratio)
    if zero:
        whole = steps.add("Add", whole, steps.real(steps.spread(zero, shape)))
    steps.saturated(whole, DType.of_onnx(given or DType.UINT8.onnx), node.outputs[0])


def _dequantize(steps: _Steps) -> None:
    """(q - zero point) * scale."""
    node = steps.node
    shape = steps.build.shape(node.input(0))
    apart = steps.less(node.input(0), node.input(2), shape)
    steps.add("Mul", apart, steps.spread(node.input(1), shape), output=node.outputs[0])


def _dynamic(steps: _Steps) -> None:
    """The grid of uint8 that covers the values and 0, and the integers on it."""
    node, x = steps.node, steps.node.input(0)
    zero, ends = (
        steps.constant(n, np.array(v, np.float32)) for n, v in (("zero", 0), ("ends", 255))
    )
    high = steps.add("Max", steps.add("ReduceMax", x, keepdims=0), zero)
    low = steps.add("Min", steps.add("ReduceMin", x, keepdims=0), zero)
    y, scale, point = (*node.outputs, "", "")[:3]
    scale = steps.add("Div", steps.add("Sub", high, low), ends, output=scale)
    place = steps.add("Round", steps.add("Sub", zero, steps.add("Div", low, scale)))
    place = steps.add("Clip", place, zero, ends)
    if point:
        steps.add("Cast", place, output=point, to=DType.UINT8.onnx)
    whole = steps.add("Add", steps.add("Round", steps.add("Div", x, scale)), place)
    steps.saturated(whole, DType.UINT8, y)


def _product(steps: _Steps) -> None:
    """The product of real values, which are whole numbers, and its whole numbers.

    The sum of a long row is that of parts which float32 holds.
    """
    node, build = steps.node, steps.build
    shapes = [build.shape(node.input(i)) for i in (0, 1)]
    matrices = node.op_type == "MatMulInteger"
    terms = shapes[0][-1] if matrices else math.prod(shapes[1][1:])
    parts_made = matrices and min(map(len, shapes)) > 1
    if terms > _TERMS * (_PARTS if parts_made else 1):
        raise UnsupportedOp(
            f"sums of {terms} products of bytes", hint="quantize statically (QDQ), or export floats"
        )
    axes = (-2, -1) if matrices else (0, 0)  # of a zero point for each
    sides = [steps.less(node.input(k), node.input(2 + k), shapes[k], axis=axes[k]) for k in (0, 1)]
    total, output = "", node.outputs[0]
    for first in range(0, terms, _TERMS):
        ends = (first, min(first + _TERMS, terms))
        parts = sides
        if terms > _TERMS:
            parts = [_part(steps, sides[k], len(shapes[k]) - 1 - k, ends) for k in (0, 1)]
        made = steps.take(_PRODUCTS[node.op_type], tuple(parts), "", node.attributes)
        last = ends[1] == terms
        whole = steps.add(
            "Cast", made, output=output if last and not total else "", to=DType.INT32.onnx
        )
        total = steps.add("Add", total, whole, output=output if last else "") if total else whole


def _part(steps: _Steps, name: str, axis: int, ends: tuple[int, int]) -> str:
    """Some of the terms of a side."""
    given = (*ends, axis)
    held = [steps.constant(f"{name}:{ends[0]}:{k}", np.array([v])) for k, v in enumerate(given)]
    return steps.add("Slice", name, *held)


_FORMS: Mapping[str, Callable[[_Steps], None]] = {
    "ConvInteger": _product,
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _dynamic,
    "MatMulInteger": _product,
    "QuantizeLinear": _quantize,
}
PLAIN = frozenset(_FORMS) | PACKED
"""Operators (``OnnxNode.kind``) of which some or all become plain ones."""


# -- dynamic quantization that serves products ----------------------------------------------------


def statically(nodes: Sequence[FileNode], outputs: Collection[str]) -> tuple[list[FileNode], int]:
    """The nodes of a model with real products where a DynamicQuantizeLinear serves nothing else.

    Its integers then are the values themselves, of scale 1. Also, how many of them there are.
    """
    readers: dict[str, list[OnnxNode]] = defaultdict(list)
    for file_node in nodes:
        for name in dict.fromkeys(filter(None, file_node.node.inputs)):
            readers[name].append(file_node.node)
    real: set[str] = set()  # what DynamicQuantizeLinear gave, and was real before
    made: list[FileNode] = []
    for file_node in nodes:
        node = file_node.node
        if node.op_type == "DynamicQuantizeLinear" and _serves(node, readers, outputs):
            real.add(node.outputs[0])
            one = replace(node, op_type="Constant", inputs=(), outputs=node.outputs[1:2])
            one = replace(one, attributes={"value_float": 1.0}, opset=_OPSET)
            same = replace(node, op_type="Identity", outputs=node.outputs[:1], opset=_OPSET)
            made += [replace(file_node, node=one), replace(file_node, node=same)]
        elif node.op_type in _PRODUCTS and node.input(0) in real:
            made += [replace(file_node, node=each) for each in _real_product(node)]
        else:
            made.append(file_node)
    return made, len(real)


def _serves(
    node: OnnxNode, readers: Mapping[str, Sequence[OnnxNode]], outputs: Collection[str]
) -> bool:
    """Whether integers and zero point go to products alone, and these to a Cast to float."""
    y, _, zero = (*node.outputs, "", "")[:3]
    found = [*readers.get(y, ()), *readers.get(zero, ())]
    alone = not {y, zero}.intersection(outputs)
    return alone and all(
        reader.op_type in _PRODUCTS
        and (reader.input(0), reader.input(2)) == (y, zero)
        and y not in (reader.input(1), reader.input(3))
        and reader.outputs[0] not in outputs
        and all(
            behind.op_type == "Cast" and behind.get_int("to", 0) == _FLOAT
            for behind in readers.get(reader.outputs[0], ())
        )
        for reader in found
    )


def _real_product(node: OnnxNode) -> list[OnnxNode]:
    """The product of real values and of integers less their zero point."""
    weights, zero = node.input(1), node.input(3)
    whole = f"{node.outputs[0]}:whole"
    made = [_step(node, "Cast", (weights,), whole, {"to": _FLOAT})]
    if zero:
        point, whole = f"{node.outputs[0]}:zero", f"{node.outputs[0]}:less"
        made.append(_step(node, "Cast", (zero,), point, {"to": _FLOAT}))
        made.append(_step(node, "Sub", (made[0].outputs[0], point), whole, {}))
    kind = _PRODUCTS[node.op_type]
    return [*made, _step(node, kind, (node.input(0), whole), node.outputs[0], node.attributes)]


def _step(
    node: OnnxNode,
    op_type: str,
    inputs: tuple[str, ...],
    output: str,
    attributes: Mapping[str, Attribute],
) -> OnnxNode:
    opset = max(_OPSET, node.opset)
    return OnnxNode(op_type, "", opset, node.name, inputs, (output,), attributes)
