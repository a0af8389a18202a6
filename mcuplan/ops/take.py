# SPDX-License-Identifier: Apache-2.0
"""Elements at indices that are known when generating, or a constant in their place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.geometry import SAME, InputMap, Shape, taken
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Op, QuantRule, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._strided import MOVED
from mcuplan.ops._taken import FILLED, check_taken, take_call, take_kernels, take_values

__all__ = ["KERNELS", "OPS", "WRITERS", "Take"]


@dataclass(frozen=True, slots=True)
class Take(Op):
    """Along each axis the elements at ``indices``; None: the axis as it is; -1: ``value``."""

    indices: tuple[tuple[int, ...] | None, ...]
    value: float = 0.0

    types = MOVED
    quant_rule = QuantRule.PASS_THROUGH

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """As many elements as there are indices."""
        shape = inputs[0].shape
        assert len(self.indices) == len(shape)
        pairs = list(zip(self.indices, shape, strict=True))
        assert all(own is None or -1 <= min(own) <= max(own) < n for own, n in pairs)
        check_taken(shape, self.indices)
        made = tuple(n if own is None else len(own) for own, n in pairs)
        return (TensorType(made, inputs[0].dtype),)

    @property
    def mixes(self) -> tuple[float, ...]:
        """The constant."""
        return (self.value,) if self._fills else ()

    @property
    def _fills(self) -> bool:
        return any(own is not None and FILLED in own for own in self.indices)

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Those of the input and of the constant."""
        low, high = inputs[0]
        return (min(low, self.value), max(high, self.value)) if self._fills else (low, high)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """The tables; a constant stands where the first element might be read."""
        return (
            tuple(
                SAME if own is None else taken(max(index, 0) for index in own)
                for own in self.indices
            ),
        )

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Taken elements."""
        return (take_values(arrays[0], self.indices, self.value),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Taken elements, and the constant as the output's type has it."""
        return (take_values(arrays[0], self.indices, _filling(sig)),)

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """Only where axis 0 stays."""
        return self.indices[0] is None

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Rows, columns, channels, repeated, left out, filled, along several axes."""
        for indices, shape in [
            ((None, (2, 0, 0, 1), None, None), (1, 3, 4, 2)),
            ((None, None, (3, 1, 1), None), (1, 2, 4, 3)),
            ((None, None, None, (1, 4, 0)), (1, 2, 3, 5)),
            ((None, (1, -1, 0), (-1, 2, 1), (0, -1, 1)), (1, 2, 3, 2)),
            ((None, (4, 2, -1, 2)), (1, 5)),
            (((2, 0, 1, 1), None), (3, 2)),
        ]:
            yield Example(cls(indices, -0.75), (shape,))


def _filling(sig: Signature) -> Array:
    """The constant as one element of the output."""
    op = sig.op
    assert isinstance(op, Take)
    return sig.output.stored(np.asarray([op.value]))


def _take(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Take)
    return (take_call(sig, op.indices, _filling(sig) if op._fills else None),)


def write_take(node: Node, out: Writer) -> None:
    """A Gather for each axis, from what a Pad has put the constant behind."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, Take)
    value = out.read(node.inputs[0], axes)
    shape = out.shape(node.inputs[0])
    for axis, own in enumerate(op.indices):
        if own is None:
            continue
        place = axes.index(axis)
        if FILLED in own:
            pads = [0] * (2 * len(axes))
            pads[len(axes) + place] = 1
            fill = out.constant("value", np.array(op.value, np.float32))
            value = out.node("Pad", [value, out.constant("pads", np.array(pads, np.int64)), fill])
        wanted = [shape[axis] if index == FILLED else index for index in own]
        indices = out.constant("indices", np.array(wanted, np.int64))
        value = out.node("Gather", [value, indices], axis=place)
    out.write(node.output, value, axes)


OPS = (Take,)
KERNELS = take_kernels(Take, _take)
WRITERS = {Take: write_take}
