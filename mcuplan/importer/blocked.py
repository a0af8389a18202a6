# SPDX-License-Identifier: Apache-2.0
"""DequantizeLinear of constants by blocks: real values, and integers on scales of channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedType
from mcuplan.importer._numeric import Folding
from mcuplan.ir.block_factors import MOST
from mcuplan.ir.builder import Constant
from mcuplan.ir.graph import Stored
from mcuplan.ir.types import Array, DType, Quant
from mcuplan.ops.quantize import grid

__all__ = ["block_parameters", "dequantize_blocks"]


def dequantize_blocks(folding: Folding) -> Constant:
    """Real values; the integers too where scales of a channel are multiples of one of them.

    Raises:
        DamagedModel: scales do not fit the blocks.
        UnsupportedType: integers other than of 4 or 8 bits.
    """
    x, scale = folding.value(0), folding.value(1)
    if x.dtype not in (np.int8, np.uint8):
        raise UnsupportedType(f"blocks of {x.dtype}", hint="quantize weights to int4 or int8")
    less, steps = block_parameters(folding, x.dtype)
    folding.reserve(x.shape, np.dtype(np.float32))
    integers = x.astype(np.int16) - less.astype(np.int16)
    with np.errstate(over="ignore"):
        real = integers.astype(np.float32) * steps
    axis, block = _axis_and_block(folding)
    turned = integers * np.sign(steps).astype(np.int16)
    stored = _on_channels(turned, np.abs(scale), axis, block)
    free = stored is None and 0 < folding.bits_of(0) <= DType.INT4.bits
    return Constant(real, stored, block=block if free else 0)


def block_parameters(folding: Folding, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Zero point (of ``dtype``, the integers' type) and scale of each value.

    A scale may be 0, of a block of nothing, and negative, as quantizers have it that let the
    largest value of a block be the least integer.

    Raises:
        DamagedModel: they do not fit the blocks.
        ScaleError: a scale is no number.
    """
    x, scale, zero_point = folding.value(0), folding.value(1), folding.optional(2)
    axis, block = _axis_and_block(folding)
    counts = (*x.shape[:axis], -(-x.shape[axis] // block), *x.shape[axis + 1 :])
    if scale.shape != counts or (zero_point is not None and zero_point.shape != counts):
        found = list(scale.shape if zero_point is None else zero_point.shape)
        message = f"blocks of {block}: {found} scales or zero points for shape {list(x.shape)}"
        raise DamagedModel(message, hint="export again")
    points = np.zeros(counts, dtype) if zero_point is None else zero_point
    if points.dtype != dtype:
        raise DamagedModel(f"zero points of {points.dtype} for {dtype}", hint="export again")
    sizes = np.where(scale == 0, np.ones((), scale.dtype), np.abs(scale))
    grid(sizes.reshape(-1), points.reshape(-1), 0)  # raises what no grid is
    size = x.shape[axis]
    less, steps = (np.repeat(e, block, axis).take(range(size), axis) for e in (points, scale))
    return less, steps


def _axis_and_block(folding: Folding) -> tuple[int, int]:
    """The axis that blocks divide, and how many values one has, at most all."""
    x, axis = folding.value(0), folding.node.get_int("axis", 1)
    block = folding.node.get_int("block_size", 0)
    axis += x.ndim if axis < 0 else 0
    if not 0 <= axis < x.ndim or block < 1:
        raise DamagedModel(f"blocks of {block} along axis {axis} of a tensor of rank {x.ndim}")
    return axis, min(block, max(1, x.shape[axis]))


def _on_channels(integers: Array, scale: Array, axis: int, block: int) -> Stored | None:
    """Integers times factors of their blocks, on a scale for each output channel.

    None where scales of a channel are no multiples, by 1 to 15, of one of them.
    """
    channels = 0 if axis else 1
    if integers.ndim < 2 or (channels and integers.ndim > 2):
        return None
    flat = np.moveaxis(scale, channels, 0).reshape(scale.shape[channels], -1).astype(np.float64)
    if not flat.size:
        return None
    units, factors = np.zeros(len(flat)), np.zeros(flat.shape)
    most = np.maximum(flat.max(axis=1), np.finfo(np.float32).tiny)
    flat = np.where(flat == 0.0, most[:, None], flat)  # of blocks of nothing
    for parts in range(1, MOST + 1):
        tried = most / parts
        whole = np.rint(flat / tried[:, None])
        same = (whole * tried[:, None]).astype(np.float32) == flat.astype(np.float32)
        some = (units == 0.0) & same.all(axis=1) & (whole >= 1).all(axis=1)
        units[some], factors[some] = tried[some], whole[some]
    shape = np.moveaxis(scale, channels, 0).shape
    each = np.moveaxis(factors.reshape(shape), 0, channels).astype(np.int16)
    each = np.repeat(each, block, axis).take(range(integers.shape[axis]), axis)
    products = integers * each
    if not units.all() or not DType.INT8.holds(products):
        return None
    zeros = (0,) * len(units)
    quant = Quant(tuple(units.tolist()), zeros, channels, DType.INT4_BLOCKS, factored=block)
    return Stored(products.astype(np.int8), quant)
