# SPDX-License-Identifier: Apache-2.0
"""Parts of constants, with the integers that they are stored as."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.ir.graph import Stored, Tensor
from mcuplan.ir.types import Array, Quant

__all__ = ["repeated", "taken"]


def repeated(old: int, new: int) -> Array:
    """Indices of so many, from the first on and again where there are not enough."""
    return np.arange(new) % max(1, old)


def taken(tensor: Tensor, indices: Array, axis: int) -> Tensor:
    """A constant with the values at some indices of an axis, scales and stored integers too."""
    assert tensor.data is not None
    axis %= tensor.data.ndim
    data = np.ascontiguousarray(tensor.data.take(indices, axis))
    stored = tensor.stored
    if stored is not None and stored.quant.block is None and stored.quant.axis in (None, 0):
        values = stored.values.reshape(tensor.data.shape).take(indices, axis)
        stored = Stored(np.ascontiguousarray(values), _scales(stored.quant, indices, axis))
    else:
        stored = None
    kind = replace(tensor.type, shape=data.shape)
    return replace(tensor, type=kind, data=data, stored=stored)


def _scales(quant: Quant, indices: Array, axis: int) -> Quant:
    """Those of what is taken, where each index of axis 0 has one."""
    if quant.axis is None or len(quant.scale) == 1 or axis != 0:
        return quant
    scales, points = np.array(quant.scale), np.array(quant.zero_point)
    chosen = tuple(scales[indices].tolist())
    return replace(quant, scale=chosen, zero_point=tuple(points[indices].tolist()))
