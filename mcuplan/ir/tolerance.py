# SPDX-License-Identifier: Apache-2.0
"""How far a result may be off that of a runtime."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["FLOAT_TOLERANCE", "INTEGER_TOLERANCE", "Tolerance"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a result may differ from a runtime's by: ``lsb`` where the model has the grid.

    ``error``: where only we have one, or in float32; relative to the size of the values.
    """

    lsb: int
    error: float

    @property
    def decibels(self) -> float:
        """The error as signal to noise."""
        return -20 * math.log10(self.error)


INTEGER_TOLERANCE = Tolerance(1, 0.5)
FLOAT_TOLERANCE = Tolerance(0, 1e-4)
