# SPDX-License-Identifier: Apache-2.0
"""A border around a tensor: constant, repeated edge, mirrored or wrapped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import SAME, AxisMap, InputMap, Shape, Window, taken
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ir.work import block_parts
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import constant_float, inner, int_list, layout_behind, normal_axis
from mcuplan.ops._strided import MOVED, split_rows
from mcuplan.ops._taken import FILLED, check_taken, take_call, take_kernels
from mcuplan.ops.slicing import Slice

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Pad"]

MODES = ("constant", "edge", "reflect", "wrap")
"""In the order of the kernel's ``mode``."""


@dataclass(frozen=True, slots=True)
class Pad(Op):
    """``pads[i]`` elements before and after axis i."""

    pads: tuple[tuple[int, int], ...]
    mode: str = "constant"
    value: float = 0.0

    types = MOVED
    quant_rule = QuantRule.PASS_THROUGH

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Sizes grow by both sides."""
        shape = inputs[0].shape
        assert len(shape) == len(self.pads)
        assert min(min(p) for p in self.pads) >= 0
        pairs = tuple(zip(shape, self.pads, strict=True))
        grown = tuple(n + sum(p) for n, p in pairs)
        if inputs[0].dtype.nbytes() > 1 or _levels(shape, self.pads) is None:
            check_taken(shape, [range(size) if any(p) else None for size, p in pairs])
        return (TensorType(grown, inputs[0].dtype),)

    def axes(self, shape: Sequence[int]) -> tuple[tuple[int, ...] | None, ...]:
        """Input index of each output index of the axes that grow; `FILLED` for the constant."""
        found: list[tuple[int, ...] | None] = []
        for size, pads in zip(shape, self.pads, strict=True):
            (own,) = Pad((pads,), self.mode)._padded(np.arange(size), FILLED)
            found.append(tuple(own.tolist()) if any(pads) else None)
        return tuple(found)

    @property
    def mixes(self) -> tuple[float, ...]:
        """The constant of the border."""
        return (self.value,) if self.mode == "constant" and any(map(any, self.pads)) else ()

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Those of the input and of the constant."""
        low, high = inputs[0]
        value = self.value if self.mode == "constant" else 0.0
        return min(low, value), max(high, value)

    def _padded(self, x: Array, value: float) -> tuple[Array, ...]:
        if self.mode == "constant":
            return (np.pad(x, self.pads, constant_values=value),)
        return (np.pad(x, self.pads, mode=self.mode),)  # type: ignore[call-overload]

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Shifted by a constant border; elements again in any other."""
        return (tuple(map(self._axis, inputs[0], self.pads)),)

    def _axis(self, size: int, pads: tuple[int, int]) -> AxisMap:
        if not any(pads):
            return SAME
        if self.mode == "constant":
            return Window(1, before=pads[0])
        (found,) = Pad((pads,), self.mode).axes((size,))
        return SAME if found is None else taken(found)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """The border as numpy makes it."""
        return self._padded(arrays[0], self.value)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Padding with the constant on the grid of the output."""
        return self._padded(arrays[0], _filling(sig)[0])

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """Only where axis 0 stays."""
        return self.pads[0] == (0, 0)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Every mode, one side only, channels, more than the input is long."""
        rows = ((0, 0), (1, 2), (2, 0), (0, 0))
        every = ((0, 0), (2, 1), (1, 2), (1, 1))
        yield Example(cls(rows), ((1, 3, 4, 2),))
        yield Example(cls(rows, value=-1.5), ((1, 3, 4, 2),))
        for mode in MODES:
            yield Example(cls(every, mode), ((1, 3, 4, 3),))
            yield Example(cls(((0, 0), (3, 4)), mode), ((1, 5),))
            yield Example(cls(((0, 0), (0, 0), (2, 1)), mode), ((1, 4, 3),))
        yield Example(cls(((0, 0), (5, 4), (7, 0), (0, 0)), "reflect"), ((1, 2, 3, 2),))
        yield Example(cls(((0, 0), (2, 3)), "reflect"), ((1, 1),))
        yield Example(cls(((0, 0), (4, 4)), "wrap"), ((1, 3),))
        yield Example(cls(((1, 0), (0, 0), (0, 0))), ((2, 2, 3),))
        yield Example(cls(((0, 0), (1, 0), (0, 1), (2, 1), (1, 1))), ((1, 2, 2, 1, 3),))


def _filling(sig: Signature) -> Array:
    """The constant as one element of the output."""
    op = sig.op
    assert isinstance(op, Pad)
    return sig.output.stored(np.asarray([op.value]))


_Level = tuple[int, int, int]


def _levels(shape: Sequence[int], pads: Sequence[tuple[int, int]]) -> tuple[_Level, _Level] | None:
    """(size, before, after) of the two levels inside a row: pixels, and elements of one.

    None where the padded axes need more of them.
    """
    _, within = split_rows(shape)
    levels: list[tuple[int, int, int]] = []
    for size, (before, after) in zip(within, pads[len(pads) - len(within) :], strict=True):
        if levels and not (before or after) and not any(levels[-1][1:]):
            levels[-1] = (levels[-1][0] * size, 0, 0)
        elif (size, before, after) != (1, 0, 0):
            levels.append((size, before, after))
    if len(levels) == 1 and any(levels[0][1:]):
        levels.append((1, 0, 0))
    if len(levels) > 2 or (shape[0] == 1 and any(pads[0])):
        return None
    first, second = [(1, 0, 0)] * (2 - len(levels)) + levels
    return first, second


def read_pad(node: OnnxNode, build: Builder) -> None:
    """Pad in any mode; negative padding is a Slice before it."""
    name = node.input(0)
    shape = build.shape(name)
    mode = node.get_str("mode", "constant")
    if mode not in MODES:
        raise UnsupportedOp(f"mode={mode}", hint=f"use one of {', '.join(MODES)}")
    given = int_list(node, build, 1, "pads")
    if given is None:
        raise UnsupportedOp("Pad without pads")
    value = _value(node, build) if mode == "constant" else 0.0
    axes = int_list(node, build, 3, "axes") or tuple(range(len(shape)))
    if len(given) != 2 * len(axes) or len({a % len(shape) for a in axes}) < len(axes):
        raise UnsupportedOp(f"{len(given)} pads for {len(axes)} axes")
    wanted = [(0, 0)] * len(shape)
    for i, axis in enumerate(axes):
        wanted[normal_axis(axis, len(shape))] = (given[i], given[len(axes) + i])
    _add_pad(node, build, wanted, mode, value)


def _value(node: OnnxNode, build: Builder) -> float:
    """The constant of the border; an integer one is exact."""
    given = build.constant(node.input(2)) if node.input(2) else None
    if given is not None and given.data.size == 1 and given.data.dtype.kind != "f":
        return int(given.data.reshape(-1)[0])
    return constant_float(node, build, 2, "value", 0.0)


def _add_pad(
    node: OnnxNode, build: Builder, wanted: Sequence[tuple[int, int]], mode: str, value: float
) -> None:
    name = node.input(0)
    moved = [axis for axis, sides in enumerate(wanted) if any(sides)]
    layout, shape = layout_behind(build, [name], moved), build.shape(name)
    pads = [(0, 0) if axis is None else wanted[axis] for axis in layout]
    source, quant = build.in_layout(name, layout), build.quant(name)
    filled = (max(max(p) for p in pads) > 0) and mode == "constant"
    held = quant is None or not filled or quant.holds(value)
    if min(min(p) for p in pads) < 0:
        sizes = [1 if axis is None else shape[axis] for axis in layout]
        left = [n + min(b, 0) + min(a, 0) for n, (b, a) in zip(sizes, pads, strict=True)]
        if min(left) < 1:
            raise UnsupportedOp(f"pads={list(wanted)} remove everything")
        ranges = tuple(
            (-min(b, 0), 1, n) if min(b, a) < 0 else None
            for n, (b, a) in zip(left, pads, strict=True)
        )
        cropped = inner(node, "crop")
        build.add(Slice(ranges), [source], cropped, layout, quant=quant)
        source = build.in_layout(cropped.outputs[0], layout)
    op = Pad(tuple((max(b, 0), max(a, 0)) for b, a in pads), mode, value)
    build.add(op, [source], node, layout, quant=quant if held else None)


def _pad(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Pad)
    shape = sig.inputs[0].shape
    rows, within = split_rows(shape)
    top = op.pads[1][0] if len(within) < len(shape) else 0
    levels = _levels(shape, op.pads)
    assert levels is not None
    (pixels, left, right), (size, front, back) = levels
    return (
        Call(
            {
                "in_h": rows,
                "in_w": pixels,
                "in_c": size,
                "out_w": pixels + left + right,
                "out_c": size + front + back,
                "pad_top": top,
                "pad_left": left,
                "pad_front": front,
                "mode": MODES.index(op.mode),
                "value": int(_filling(sig)[0]),
            }
        ),
    )


def write_pad(node: Node, out: Writer) -> None:
    """Pad of any order of axes that is held."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, Pad)
    sides = [op.pads[a][side] for side in (0, 1) for a in axes]
    pads = out.constant("pads", np.array(sides, np.int64))
    inputs = [out.read(node.inputs[0], axes), pads]
    if op.mode == "constant":
        inputs.append(out.constant("value", np.array(op.value, np.float32)))
    out.write(node.output, out.node("Pad", inputs, mode=op.mode), axes)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Rows and pixels of the border, which are filled, and pixels copied whole or by bytes."""
    op = sig.op
    assert isinstance(op, Pad)
    levels = _levels(sig.inputs[0].shape, op.pads)
    assert levels is not None
    (pixels, left, right), (size, front, back) = levels
    rows, wide, constant = sig.output.rows, pixels + left + right, op.mode == "constant"
    filled_rows = rows - sig.inputs[0].rows if constant else 0
    lines = rows - filled_rows
    filled = lines * (left + right) if constant else 0
    copied = lines * wide - filled
    own = front or back  # channels are found one by one
    beside = rows - sig.inputs[0].rows + lines * (left + right) + copied * (front + back)
    row_bytes, deep, aligned = sig.output.row_bytes, size + front + back, size % 4 == 0
    work = Counter(block_parts("filled_row", filled_rows, row_bytes, aligned=aligned))
    work.update(block_parts("filled", filled, deep, aligned=aligned and not own))
    if not own:
        work.update(block_parts("copied", copied, size, aligned=aligned))
    return work | {
        "call": len(runs),
        "row": rows,
        "pixel": lines * wide,
        "one": copied * deep if own else 0,
        f"beside_{op.mode}": beside,
    }


def _of_bytes(sig: Signature) -> bool:
    """Whether the kernel of pixels and bytes pads it."""
    op, kind = sig.op, sig.inputs[0]
    assert isinstance(op, Pad)
    return kind.dtype is DType.INT8 and _levels(kind.shape, op.pads) is not None


def _by_tables(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Pad)
    fill = _filling(sig) if op.mode == "constant" else None
    return (take_call(sig, op.axes(sig.inputs[0].shape), fill),)


OPS = (Pad,)
KERNELS = (
    Kernel(Pad, "mplan_pad_s8", _pad, supports=_of_bytes, cost_class="copy", work=_work),
    *take_kernels(Pad, _by_tables, lambda sig: not _of_bytes(sig)),
)
READERS = {"Pad": read_pad}
WRITERS = {Pad: write_pad}
