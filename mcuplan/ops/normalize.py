# SPDX-License-Identifier: Apache-2.0
"""Values less their mean, over their deviation or norm: one operator for all normalizations.

In int8 one inverse square root and one reciprocal factor for each group of values that are
normalized together; `docs/arithmetic.md` has the definition.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import ALL, InputMap, Shape, each
from mcuplan.ir.op import Cost, Example, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ops._normalize_integers import Epsilon, factors_of, finished, units

__all__ = ["OPS", "Epsilon", "Normalize"]

_FLOAT = Types.all(DType.FLOAT32)


@dataclass(frozen=True, slots=True)
class Normalize(Op):
    """``(x - mean) / norm * gain + offset``, the norm that of a group of values.

    A group are the channels of a pixel of [.., C], or with ``whole`` all pixels of a block of
    [.., W, C]; with several ``groups`` an equal share of the channels. The norm is
    ``(sum(abs(x - mean) ** power) / divisor) ** (1 / power)``; the mean is 0 where not
    ``centered``.
    """

    gains: tuple[float, ...]
    offsets: tuple[float, ...]
    epsilon: float
    divisor: float
    whole: bool = False
    groups: int = 1
    centered: bool = True
    power: int = 2
    rule: Epsilon = Epsilon.INSIDE

    types = (Types(), _FLOAT)
    inplace_inputs = (0,)

    @property
    def label(self) -> str:
        """What it is called where it has a usual name."""
        if self.divisor == 1:
            return f"L{self.power} normalization"
        if not self.centered:
            return "RMS normalization"
        if not self.whole:
            return "Layer normalization"
        single = self.groups == len(self.gains)
        return "Instance normalization" if single else "Group normalization"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape; a gain and an offset for each element of the last axis."""
        shape = inputs[0].shape
        if not len(self.gains) == len(self.offsets) == shape[-1]:
            raise UnsupportedOp(f"{len(self.gains)} gains for {shape[-1]} channels")
        if self.groups < 1 or shape[-1] % self.groups:
            raise UnsupportedOp(f"{self.groups} groups of {shape[-1]} channels")
        if self.power == 1 and self.centered:
            raise UnsupportedOp("the mean distance from a mean")
        if self.whole and len(shape) < 4:
            raise UnsupportedOp(f"blocks of pixels of a tensor of rank {len(shape)}")
        if self.divisor < 1:
            raise UnsupportedOp("the deviation of a single value", hint="biased variance has one")
        return (TensorType(shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All channels; all pixels of a block."""
        axes = 1 + self.whole
        return ((*each(inputs)[0][:-axes], *(ALL,) * axes),)

    def grouped(self, x: Array) -> Array:
        """[.., groups, values]: those that are normalized together on the last axis."""
        pixels = x.shape[-2] if self.whole else 1
        before = x.shape[: -1 - self.whole]
        parts = x.reshape(*before, pixels, self.groups, -1)
        moved: Array = np.moveaxis(parts, -3, -2)
        return moved.reshape(*before, self.groups, -1)

    def ungrouped(self, values: Array, shape: Shape) -> Array:
        """What `grouped` took apart."""
        pixels = shape[-2] if self.whole else 1
        parts = values.reshape(*values.shape[:-1], pixels, -1)
        return np.moveaxis(parts, -2, -3).reshape(shape)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float, moments in double precision."""
        x = self.grouped(arrays[0].astype(np.float64))
        if self.centered:
            x = x - x.mean(axis=-1, keepdims=True)
        norm = (np.abs(x) ** self.power).sum(axis=-1, keepdims=True) / self.divisor
        if self.rule is Epsilon.INSIDE:
            norm = norm + self.epsilon
        norm = norm ** (1.0 / self.power)
        if self.rule is not Epsilon.INSIDE:
            least = self.rule is Epsilon.LEAST
            norm = np.maximum(norm, self.epsilon) if least else norm + self.epsilon
        unit = self.ungrouped(x / np.where(norm > 0.0, norm, 1.0), arrays[0].shape)
        return ((unit * self.gains + self.offsets).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Sums by pixel and channel, from 0; as `mplan_normalize_f32`."""
        x = self.grouped(arrays[0].astype(np.float32))
        one = np.float32(1.0)
        if self.centered:
            x = x - _sum_f32(x) / np.float32(x.shape[-1])
        norm = _sum_f32(x * x if self.power == 2 else np.abs(x)) / np.float32(self.divisor)
        epsilon = np.float32(self.epsilon)
        if self.rule is Epsilon.INSIDE:
            norm = norm + epsilon
        norm = np.sqrt(norm) if self.power == 2 else norm
        if self.rule is Epsilon.ADDED:
            norm = norm + epsilon
        if self.rule is Epsilon.LEAST:
            norm = np.where(norm < epsilon, epsilon, norm)
        positive = norm > 0.0
        factor = np.where(positive, one / np.where(positive, norm, one), np.float32(0.0))
        unit = self.ungrouped(x * factor, arrays[0].shape)
        gains, offsets = (np.array(v, np.float32) for v in (self.gains, self.offsets))
        return (unit * gains + offsets,)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Sums, inverse root, a factor and a mean for each group; as `mplan_normalize_s8`."""
        factors, q = factors_of(sig), self.grouped(arrays[0].astype(np.int64))
        unit = self.ungrouped(units(self, factors, q), arrays[0].shape)
        return (sig.output.dtype.clip(finished(unit, factors)),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """Sum, square, difference, quotient, gain, offset: six operations an element."""
        return Cost(ops=6 * outputs[0].elements)

    @classmethod
    def layer(
        cls, gains: Sequence[float], offsets: Sequence[float] = (), epsilon: float = 1e-5
    ) -> Normalize:
        """Over the channels of each pixel."""
        n = len(gains)
        return cls(tuple(gains), tuple(offsets) or (0.0,) * n, epsilon, n)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Tokens, pixels, a vector, one channel; gains of either sign and 0; every norm."""
        for gains, offsets, shape in [
            ((1.0, 0.5, -0.25, 0.0), (0.0, 0.1, -0.2, 0.3), (1, 6, 4)),
            ((1.0, 2.0, 0.125), (0.0, 0.0, 0.5), (1, 3, 5, 3)),
            ((0.5,) * 40, (0.25,) * 40, (1, 40)),
            ((1.0,), (0.5,), (1, 4, 1)),
        ]:
            yield Example(cls.layer(gains, offsets), (shape,))
        yield Example(cls.layer((1.0, 1.0), (0.0, 0.0), 0.25), ((1, 5, 2),))
        gains, offsets = (1.0, -0.5, 0.25, 2.0, 0.0, 1.0), (0.0, 0.1, -0.2, 0.3, 0.5, 0.0)
        shape = (1, 2, 10, 6)
        yield Example(cls(gains, offsets, 1e-5, 10, whole=True, groups=6), (shape,))
        yield Example(cls(gains, offsets, 1e-5, 30, whole=True, groups=2), (shape,))
        yield Example(cls(gains, offsets, 1e-5, 59, whole=True), (shape,))
        yield Example(cls(gains, offsets, 1e-5, 6, centered=False), ((1, 3, 6),))
        yield Example(cls(gains, offsets, 1e-12, 1, False, 3, False, 2, Epsilon.LEAST), (shape,))
        yield Example(cls(gains, offsets, 0.0, 1, centered=False, power=1), (shape,))
        yield Example(cls(gains, offsets, 0.01, 5, rule=Epsilon.ADDED), (shape,))
        yield Example(cls(gains, offsets, 0.3, 6, True, 6, False, 1, Epsilon.ADDED), (shape,))


def _sum_f32(values: Array) -> Array:
    """One after the other along the last axis, each sum rounded."""
    first = np.zeros((*values.shape[:-1], 1), np.float32)
    sums: Array = np.add.accumulate(np.concatenate([first, values], axis=-1), axis=-1)
    return sums[..., -1:]


OPS = (Normalize,)
