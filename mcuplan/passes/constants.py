# SPDX-License-Identifier: Apache-2.0
"""Integers of constants: weights per output channel, biases, operands."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.block_factors import block_factors
from mcuplan.ir.graph import Stored, Tensor
from mcuplan.ir.types import Array, DType, Quant, TensorType
from mcuplan.passes._block_scales import as_blocks, on_block_scales
from mcuplan.passes._reach import Sums, within_reach
from mcuplan.quant.observers import quant_of_range
from mcuplan.quant.requantize import weighted_requant

__all__ = [
    "BiasClipped",
    "fitting_scales",
    "kept_weights",
    "lies_on_steps",
    "operand_on_grid",
    "rows_on_grids",
    "weights_on_grid",
]

_WEIGHTS = DType.INT8
_WIDEST = _WEIGHTS.steps  # of such weights less their zero point
_BIAS_END = 2.0**1000  # finite, whatever the scale
# integers of a bias stay below, where the weights leave the choice
_BIAS_REACH = {8: 2.0**24, 16: 2.0**30}
_SUMS = 2.0**31 * 63 / 64  # of channels with weights of 16 bits: repair can move them a little
_SHARES = tuple(k / 64 for k in range(64, 23, -1))  # of the widest range of few steps
_AT_ONCE = 1 << 16  # weights: doubles of them stay in a cache
_FEW = 8  # weights that lie on steps by chance
_ON_STEP = 1e-3  # of a step: as float32 has them
_LEAST_FACTOR = 2.0**-20  # scale_in * scale_w / scale_out of a channel whose weights are 0


@dataclass(frozen=True, slots=True)
class BiasClipped:
    """Channels of a layer whose bias does not fit the int32 grid that the scales give it."""

    layer: str
    channels: int


def operand_on_grid(
    tensor: Tensor, wanted: Quant | None = None, codes: DType = DType.INT8
) -> Tensor:
    """A constant operand (of an addition, say) with integers of a type on one grid.

    Integers of the model file are kept; others lie on the wanted grid, or on their own.
    """
    stored = tensor.stored
    of_type = stored is not None and (codes is DType.INT8 or stored.quant.dtype is codes)
    if stored is not None and of_type and stored.quant.axis is None and codes.holds(stored.values):
        return tensor
    data = tensor.data
    assert data is not None
    ends = (float(data.min(initial=0)), float(data.max(initial=0)))
    quant = wanted or quant_of_range(ends, codes, symmetric=codes.bits > 8)
    return replace(tensor, stored=Stored(quant.quantize(data), quant))


def rows_on_grids(matrix: Tensor) -> Tensor:
    """A matrix as symmetric int8, each row on a grid of its own; the model's, if it has such."""
    assert matrix.data is not None
    kept = kept_weights(matrix)
    if kept is not None and kept.values.dtype == _WEIGHTS.numpy:
        return replace(matrix, stored=kept)
    most = np.abs(matrix.data.astype(np.float64)).max(axis=1, initial=0.0)
    scales = np.where(most > 0, most / _WEIGHTS.high, 1.0).astype(np.float32).astype(np.float64)
    values = np.clip(np.rint(matrix.data / scales[:, None]), -_WEIGHTS.high, _WEIGHTS.high)
    quant = Quant(tuple(scales.tolist()), (0,) * len(scales), 0)
    return replace(matrix, stored=Stored(values.astype(_WEIGHTS.numpy), quant))


def weights_on_grid(
    weights: Tensor, bias: Tensor, source: Quant, output: Quant, act: tuple[float, float]
) -> tuple[Tensor, Tensor, int]:
    """Weights (output channels on axis 0) as symmetric int8, int4, blocks or int16, bias as int32.

    Integers that the model file brings are kept where they are of the type wanted and their sums
    stay in int32, less their zero point, which may take int16. ``act`` are the output's limits.

    Returns:
        Weights and bias with ``stored`` set, and how many channels were fitted to int32.

    Raises:
        ScaleError: a factor cannot be held.
        AccumulatorOverflow: a sum could leave int32.
    """
    assert weights.data is not None
    assert bias.data is not None
    fine = source.dtype is output.dtype is DType.INT16
    stored = kept_weights(weights, DType.INT16.high if fine else _WIDEST)
    if stored is None:
        dtype = weights.wanted or (DType.INT16 if fine else _WEIGHTS)
        stored = _per_channel(weights, bias.data, source, output, dtype)
    if source.dtype is DType.INT16 and stored.quant.dtype is DType.INT4_BLOCKS:
        whole = replace(stored.quant, dtype=_WEIGHTS, factored=None)  # no kernel has both
        stored = replace(stored, quant=whole)
    scales = np.broadcast_to(np.array(stored.quant.scale, np.float64), bias.data.shape)
    sums = Sums(stored.values, _bias_values(bias, scales * source.s), scales)
    fitted, changed = within_reach(sums, source, output, act)
    if changed:
        dtype, block = stored.quant.dtype, stored.quant.factored
        if block is not None and block_factors(fitted.weights, block) is None:
            dtype, block = _WEIGHTS, None  # rounded off the steps of their blocks
        per_channel = Quant(tuple(fitted.scale.tolist()), (0,) * len(scales), 0, dtype)
        stored = Stored(fitted.weights, replace(per_channel, factored=block))
    scales = fitted.scale * source.s
    axis = None if len(set(scales.tolist())) == 1 and len(stored.quant.scale) == 1 else 0
    each = tuple(scales.tolist()) if axis == 0 else (float(scales.flat[0]),)
    quant = Quant(each, (0,) * len(each), axis, DType.INT32)
    integers = fitted.bias.astype(np.int32)
    kinds = (TensorType((), grid.dtype, grid) for grid in (source, stored.quant, output))
    weighted_requant(stored.values, integers, *kinds)  # raises what is impossible
    made = replace(bias, stored=Stored(integers, quant))
    return replace(weights, stored=stored), made, changed


def kept_weights(weights: Tensor, most: int = _WIDEST) -> Stored | None:
    """Stored integers with their zero point taken out; None where they must be made.

    ``most``: of their magnitudes.
    """
    stored = weights.stored
    if stored is None or stored.quant.axis not in (None, 0):
        return None
    quant = stored.quant
    shape = (-1,) + (1,) * (stored.values.ndim - 1)
    values = stored.values.astype(np.int32) - np.array(quant.zero_point, np.int32).reshape(shape)
    if values.size and np.abs(values).max() > most:
        return None  # of int32 constants
    dtype = _WEIGHTS if _WEIGHTS.holds(values) else DType.INT16
    wanted = weights.wanted or quant.dtype
    if wanted is DType.INT4 and wanted.holds(values):
        dtype = wanted
    elif weights.wanted is DType.INT4:
        return None
    zeros = (0,) * len(quant.scale)
    kept = Quant(quant.scale, zeros, quant.axis, dtype)
    if wanted is DType.INT4_BLOCKS and dtype is _WEIGHTS:
        kept = replace(kept, factored=quant.factored)
    return as_blocks(Stored(values.astype(dtype.numpy), kept))


def _per_channel(tensor: Tensor, bias: Array, source: Quant, output: Quant, dtype: DType) -> Stored:
    """Symmetric integers per output channel, or on scales of blocks.

    A channel of nearly no weight takes a scale that holds its bias and its factor, so
    that a constant channel is exact.
    """
    weights = tensor.data
    assert weights is not None
    most_bias = source.s * _BIAS_REACH[source.dtype.bits]
    least = np.abs(bias.astype(np.float64)) / most_bias
    least = np.maximum(least, _LEAST_FACTOR * output.s / source.s)
    if dtype is DType.INT4_BLOCKS and tensor.block is not None:

        def fitted(rows: Array, widest: Array) -> Array:
            return fitting_scales(rows, widest, DType.INT4)

        def rounded(steps: Array, factors: Array) -> Array:
            of_map = weights.ndim > 2
            return _sums_kept(steps, DType.INT4, factors) if of_map else _nearest(steps, DType.INT4)

        return on_block_scales(weights, tensor.block, least, fitted, rounded)
    flat = weights.reshape(len(weights), -1)
    most = np.maximum(flat.max(axis=1, initial=0.0), -flat.min(axis=1, initial=0.0))
    scales = _own_scales(flat, most.astype(np.float64), dtype)
    if dtype is DType.INT16:
        scales = np.maximum(scales, _scales_of_sums(flat, bias, source))
    if dtype.bits < _WEIGHTS.bits:
        scales = fitting_scales(flat.astype(np.float64), scales, dtype)
    scales = np.maximum(scales, least).astype(np.float32).astype(np.float64)
    values = np.empty(weights.shape, dtype.numpy)
    is_map = weights.ndim > 2  # inputs of a matrix have no neighbours
    some = max(1, _AT_ONCE // max(1, flat.shape[1]))  # few bytes at a time
    for first in range(0, len(weights), some):
        part = slice(first, first + some)
        steps = weights[part] / scales[part].reshape(-1, *(1,) * (weights.ndim - 1))
        values[part] = _sums_kept(steps, dtype) if is_map else _nearest(steps, dtype)
    return Stored(values, Quant(tuple(scales.tolist()), (0,) * len(scales), 0, dtype))


def lies_on_steps(weights: Tensor) -> bool:
    """Whether real weights of each output are whole numbers of int8 of a step of their own."""
    if weights.data is None or not weights.type.shape or weights.data[0].size <= _FEW:
        return False
    flat = weights.data.reshape(len(weights.data), -1).astype(np.float64)
    scales = _own_scales(flat, np.abs(flat).max(axis=1), _WEIGHTS)
    steps = flat / np.where(scales > 0.0, scales, 1.0)[:, None]
    return bool((np.abs(steps - np.rint(steps)) < _ON_STEP).all())


def _own_scales(weights: Array, most: Array, dtype: DType) -> Array:
    """Scales at which the largest weight takes all steps, or those on whose steps all weights lie.

    Of a network that was trained on integers: its steps are larger than need be, and exact.
    """
    scales: Array = most / dtype.high
    some = max(1, _AT_ONCE // (dtype.high * _FEW))
    small = dtype.bits <= _WEIGHTS.bits and weights.shape[1] > _FEW
    for first in range(0, len(weights), some) if small else ():
        part = slice(first, first + some)
        scales[part] = _whole_steps(weights[part], most[part], scales[part], dtype)
    return scales


def _whole_steps(weights: Array, most: Array, scales: Array, dtype: DType) -> Array:
    """Scales with the widest of fewer steps in the place of those on whose steps all weights lie.

    Nearly none is left after the first weights, which are looked at for all numbers of steps.
    """
    counts = np.arange(dtype.high - 1, 0, -1)
    safe = np.where(most > 0, most, 1.0)

    def lie(terms: Array, steps: Array) -> Array:
        real = terms / steps[..., None]
        return np.asarray((np.abs(real - np.rint(real)) < _ON_STEP).all(axis=-1))

    likely = lie(weights[:, :_FEW], safe / counts[:, None]) & (most > 0)
    made, open_ = scales.copy(), np.ones(len(weights), bool)
    for k in np.flatnonzero(likely.any(axis=1)):
        left = np.flatnonzero(likely[k] & open_)
        left = left[lie(weights[left], safe[left] / counts[k])]
        made[left], open_[left] = most[left] / counts[k], False
    return made


def _nearest(real: Array, dtype: DType) -> Array:
    """Whole numbers nearest to weights."""
    return np.asarray(np.clip(np.rint(real), -dtype.high, dtype.high))


def _sums_kept(real: Array, dtype: DType, factors: Array | None = None) -> Array:
    """Whole numbers for the weights of outputs of a map whose errors nearly cancel.

    Neighbours of a map, and values that are never negative, show the sum of the errors more than
    each: those nearest to a half are rounded the other way until the errors of the taps of an input
    channel sum to half a step at most, and then those of all. ``factors``: what each weighs.

    Source: Guo et al. 2022 (SQuant), without its order among kernels.
    """
    flat = real.astype(np.float64).reshape(len(real), -1, real.shape[-1])
    made = _nearest(flat, dtype)
    for shape in (flat.shape, (len(real), -1)):
        weights = None if factors is None else factors.reshape(shape)
        made = _balanced(made.reshape(shape), flat.reshape(shape), weights)
    made = np.clip(made, -dtype.high, dtype.high)
    return np.asarray(made.reshape(real.shape))


def _balanced(made: Array, wanted: Array, factors: Array | None) -> Array:
    """Whole numbers, those nearest to a half on the other side where errors along axis 1 sum up.

    ``factors``: what the error of each weighs; None: all alike.
    """
    error = made - wanted
    sums = (error if factors is None else error * factors).sum(axis=1).ravel()
    some = np.flatnonzero(np.rint(sums if factors is None else sums / factors.min(axis=1).ravel()))
    if not some.size:
        return made
    lines = np.moveaxis(error, 1, -1)
    towards = np.sign(sums[some, None])
    off = towards * lines.reshape(-1, lines.shape[-1])[some]
    order = np.argsort(-off, axis=1, kind="stable")
    places = np.arange(off.shape[1]) + 0.5
    if factors is not None:
        every = np.moveaxis(factors, 1, -1).reshape(-1, off.shape[1])[some]
        each = np.take_along_axis(every, order, axis=1)
        places = each.cumsum(axis=1) - each / 2
    first = places < np.abs(sums[some, None])
    moved = np.zeros(off.shape)
    np.put_along_axis(moved, order, first.astype(np.float64), axis=1)
    whole = np.moveaxis(made, 1, -1)
    found = whole.reshape(-1, lines.shape[-1])
    found[some] -= towards * (moved * (off > 0.0))
    return np.ascontiguousarray(np.moveaxis(found.reshape(whole.shape), -1, 1))


def _scales_of_sums(weights: Array, bias: Array, source: Quant) -> Array:
    """The finest scales of weights for which 32 bits hold every sum of a channel."""
    sizes = np.abs(weights).sum(axis=1, dtype=np.float64) * source.dtype.reach
    terms = source.dtype.reach * weights.shape[1]  # of which half is what rounding can add
    finest: Array = (sizes + np.abs(bias.astype(np.float64)) / source.s) / (_SUMS - terms / 2)
    return finest if terms < _SUMS else np.zeros(len(weights))


def fitting_scales(
    weights: Array, widest: Array, dtype: DType, importance: Array | float = 1.0
) -> Array:
    """Scales of least squared error: of few steps some large weights may be cut.

    Args:
        weights: real ones, double [channels, terms].
        widest: scales that cut nothing: [channels].
        dtype: of the integers.
        importance: of the squared error of each term.
    """
    best, least = widest, np.full(len(widest), np.inf)
    for share in _SHARES:
        scales = share * widest
        safe = np.where(scales > 0.0, scales, 1.0)[:, None]
        cut = np.clip(np.rint(weights / safe), -dtype.high, dtype.high) * safe
        error = (importance * (cut - weights) ** 2).sum(axis=1)
        best = np.where(error < least, scales, best)
        least = np.minimum(error, least)
    return best


def _bias_values(bias: Tensor, scales: Array) -> Array:
    """A bias as whole numbers in float64 on the accumulator's grid; the stored ones if on it."""
    stored, data = bias.stored, bias.data
    assert data is not None
    if stored is not None and stored.values.dtype == np.int32 and not any(stored.quant.zero_point):
        same = np.allclose(np.array(stored.quant.scale), scales, rtol=1e-5, atol=0.0)
        if same:
            return stored.values.astype(np.float64)
    with np.errstate(over="ignore"):
        exact: Array = np.rint(data.astype(np.float64) / scales)
    return np.clip(exact, -_BIAS_END, _BIAS_END)
