# SPDX-License-Identifier: Apache-2.0
"""Constants while a model is read, and how what is done to them keeps their integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.graph import Stored
from mcuplan.ir.types import Array

__all__ = ["Constant"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant as the model has it, with the integers it was stored as, if any."""

    data: Array
    stored: Stored | None = None
    bits: int = 0  # of its integers, where fewer than the array's type has
    block: int = 0  # how many of 4 bits or fewer shared a scale that was no multiple of another

    def transpose(self, axes: Sequence[int]) -> Constant:
        """Both forms with permuted axes."""
        if self.stored is None:
            return Constant(self.data.transpose(axes), bits=self.bits)
        quant = self.stored.quant
        if quant.axis is not None:
            quant = replace(quant, axis=list(axes).index(quant.axis))
        return Constant(
            self.data.transpose(axes), Stored(self.stored.values.transpose(axes), quant)
        )

    def times(self, factor: float) -> Constant:
        """Multiplied by a number; integers stay what they are where it is above 0."""
        data = self.data * np.float32(factor)
        if self.stored is None or not factor > 0.0:
            return Constant(data, bits=self.bits)
        quant = self.stored.quant
        scaled = replace(quant, scale=tuple(s * factor for s in quant.scale))
        return Constant(data, replace(self.stored, quant=scaled))

    def reshape(self, shape: Sequence[int]) -> Constant:
        """Both forms in another shape; a per-channel axis must keep its size and place."""
        data = self.data.reshape(shape)
        if self.stored is None:
            return Constant(data, bits=self.bits)
        quant = self.stored.quant
        if quant.axis is not None:
            before = math.prod(self.data.shape[: quant.axis])
            channels = self.data.shape[quant.axis]
            places = (
                i
                for i, n in enumerate(data.shape)
                if n == channels and math.prod(data.shape[:i]) == before
            )
            axis = next(places, None)
            if axis is None:
                return Constant(data)
            quant = replace(quant, axis=axis)
        return Constant(data, Stored(self.stored.values.reshape(shape), quant))
