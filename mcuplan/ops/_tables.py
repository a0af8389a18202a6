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
_NEAR = 2  # steps of int16 off, with which the coarsest table is taken


@dataclass(frozen=True, slots=True)
class Lines:
    """Results of every 2**shift-th int16 value from the least on, straight lines between them."""

    table: Array  # int16 [2**(16 - shift) + 1]
    shift: int

    def __call__(self, q: Array) -> Array:
        """int16 of int16 values, rounded half up."""
        code = q.astype(np.int64) - DType.INT16.low
        at, part = code >> self.shift, code & ((1 << self.shift) - 1)
        wide = self.table.astype(np.int64)
        rise = (wide[at + 1] - wide[at]) * part
        made: Array = wide[at] + ((rise + (1 << (self.shift - 1))) >> self.shift)
        return made.astype(np.int16)


def lines_of(value: Callable[[Array], Array], source: Quant, output: Quant) -> Lines:
    """The shortest table of a function that is at most two steps off; else the nearest one."""
    codes = np.arange(DType.INT16.low, DType.INT16.high + 2)
    wanted = to_grid(value(source.dequantize(codes)), output)
    found = []
    for shift in _SHIFTS:
        lines = Lines(wanted[:: 1 << shift], shift)
        made = lines(codes[:-1].astype(np.int16)).astype(np.int64)
        off = int(np.abs(made - wanted[:-1]).max())
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
