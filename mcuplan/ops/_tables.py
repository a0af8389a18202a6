# SPDX-License-Identifier: Apache-2.0
"""Tables of 256 entries: one int8 result for each int8 value, from the least on."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array, DType, Quant

__all__ = ["CODES", "apply_table", "requantize_table", "to_grid"]

CODES: Array = DType.INT8.codes
"""Every int8 value, in the order of a table."""


def to_grid(real: Array, quant: Quant) -> Array:
    """Nearest int8 of real values, in double, half to even; NaN becomes the zero point."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.rint(np.asarray(real, np.float64) / quant.s)
    steps = np.where(np.isnan(steps), 0.0, steps)
    return quant.dtype.clip(steps + quant.z)


def requantize_table(source: Quant, target: Quant) -> Array:
    """The int8 value on one grid for each value on another, through float32 as ONNX has it."""
    real = (CODES - source.z).astype(np.float32) * np.float32(source.s)
    return target.quantize(real)


def apply_table(table: Array, q: Array) -> Array:
    """Look up every element of an int8 array."""
    found: Array = table[q.astype(np.int64) - DType.INT8.low]
    return found
