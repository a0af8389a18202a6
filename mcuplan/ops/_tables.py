# SPDX-License-Identifier: Apache-2.0
"""Tables: one int8 result for each int8 value, from the least on; of int16 some, and lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.types import Array, DType, Quant

__all__ = [
    "CODES",
    "Lines",
    "apply_table",
    "lines_of",
    "requantize_table",
    "to_grid",
]

CODES: Array = DType.INT8.codes
"""Every int8 value, in the order of a table."""


def to_grid(real: Array, quant: Quant) -> Array:
    """Nearest int8 of real values, in double, half to even; NaN becomes the zero point."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.rint(np.asarray(real, np.float64) / quant.s)
    steps = np.where(np.isnan(steps), 0.0, steps)
    return quant.dtype.clip(steps + quant.z)


_SHIFTS = (7, 6, 5, 4)  # of int16 values from one entry to the next: 513 to 4,097 entries
_NEAR = 1  # steps of int16 off the rounded result, with which the shortest table is taken
_FRACTION = 4  # bits of entries below a step, so that their own rounding does not show
_FARTHEST = 1 << 20  # of an entry: twice what int16 holds


@dataclass(frozen=True, slots=True)
class Lines:
    """Results of every 2**shift-th int16 value from the least on, straight lines between them."""

    table: Array  # int32 [2**(16 - shift) + 1], in sixteenths of a step
    shift: int

    def __call__(self, q: Array) -> Array:
        """int16 of int16 values, rounded half up."""
        code = q.astype(np.int64) - DType.INT16.low
        at, part = code >> self.shift, code & ((1 << self.shift) - 1)
        wide, down = self.table.astype(np.int64), self.shift + _FRACTION
        line = (wide[at] << self.shift) + (wide[at + 1] - wide[at]) * part
        return DType.INT16.clip((line + (1 << (down - 1))) >> down)


def lines_of(value: Callable[[Array], Array], source: Quant, output: Quant) -> Lines:
    """The shortest table of a function that is at most one step off; else the nearest one."""
    codes = np.arange(DType.INT16.low, DType.INT16.high + 2)
    real = value(source.dequantize(codes))
    wanted = to_grid(real, output)[:-1].astype(np.int64)
    steps = np.nan_to_num(real / output.s) + output.z
    fine = np.rint(np.clip(steps * (1 << _FRACTION), -_FARTHEST, _FARTHEST)).astype(np.int32)
    found = []
    for shift in _SHIFTS:
        lines = Lines(fine[:: 1 << shift], shift)
        made = lines(codes[:-1].astype(np.int16)).astype(np.int64)
        off = int(np.abs(made - wanted).max())
        if off <= _NEAR:
            return lines
        found.append((off, lines))
    return min(found, key=lambda each: each[0])[1]


def requantize_table(source: Quant, target: Quant) -> Array:
    """The int8 value on one grid for each value on another, through float32 as ONNX has it."""
    real = (CODES - source.z).astype(np.float32) * np.float32(source.s)
    return target.quantize(real)


def apply_table(table: Array, q: Array) -> Array:
    """Look up every element of an int8 array."""
    found: Array = table[q.astype(np.int64) - DType.INT8.low]
    return found
