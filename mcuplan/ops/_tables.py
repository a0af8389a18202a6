# SPDX-License-Identifier: Apache-2.0
"""Tables of 256 entries: one int8 result for each int8 value, indexed by ``q + 128``."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array, Quant

__all__ = ["CODES", "apply_table", "requantize_table", "to_grid"]

CODES: Array = np.arange(-128, 128, dtype=np.int64)
"""Every int8 value, in the order of a table."""


def to_grid(real: Array, quant: Quant) -> Array:
    """Nearest int8 of real values, in double, half to even; NaN becomes the zero point."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.rint(np.asarray(real, np.float64) / quant.s)
    steps = np.where(np.isnan(steps), 0.0, steps)
    limited: Array = np.clip(steps + quant.z, -128, 127).astype(np.int8)
    return limited


def requantize_table(source: Quant, target: Quant) -> Array:
    """The int8 value on one grid for each value on another, through float32 as ONNX has it."""
    real = (CODES - source.z).astype(np.float32) * np.float32(source.s)
    return target.quantize(real)


def apply_table(table: Array, q: Array) -> Array:
    """Look up every element of an int8 array."""
    found: Array = table[q.astype(np.int64) + 128]
    return found
