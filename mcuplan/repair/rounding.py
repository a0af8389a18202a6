# SPDX-License-Identifier: Apache-2.0
"""Whole numbers for the weights of a layer, chosen by what they are multiplied with.

Sources: Frantar et al. 2023 (weights rounded one by one in the order of their Hessian's diagonal,
the error of each put on those that follow); Ledoit, Wolf 2004 (covariances of few samples).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mcuplan.ir.block_factors import short
from mcuplan.ir.types import Array, DType
from mcuplan.passes.constants import fitting_scales

__all__ = ["rounded", "rounded_in_blocks", "shrunk"]

_RIDGE = 0.1  # of the mean of the Hessian's diagonal: weights that the samples leave free
_RIDGE_OF_FEW = 0.01  # of few steps, whose errors are larger than what samples leave open
_NEAR = (0.8, 0.87, 0.94, 1.06, 1.13, 1.2)  # shares of a scale that are tried of few steps
_SWEEPS = 3  # over weights of few steps, each put where it is best beside all others


def rounded(weights: Array, scales: Array, hessian: Array, dtype: DType) -> tuple[Array, Array]:
    """Whole numbers for weights and their scales: those of least error of the sums.

    Of few steps other scales than those of the weights alone may be better.

    Args:
        weights: real ones, [outputs, terms].
        scales: of outputs, to begin with.
        hessian: covariance of the terms, [terms, terms].
        dtype: of the whole numbers.

    Returns:
        Whole numbers [outputs, terms], as they are stored, and the scale of each output.
    """
    made = _one_by_one(weights, scales[:, None], hessian, dtype)
    if dtype.bits >= DType.INT8.bits:
        return made, scales
    widest = np.abs(weights).max(axis=1, initial=0.0) / dtype.high
    best, least = scales, _error(made * scales[:, None] - weights, hessian)
    for trial in _trials(weights, scales, widest, hessian, dtype):
        tried = _one_by_one(weights, trial[:, None], hessian, dtype)
        error = _error(tried * trial[:, None] - weights, hessian)
        better = error < least
        made, best = np.where(better[:, None], tried, made), np.where(better, trial, best)
        least = np.minimum(error, least)
    return _settled(weights, made, best, hessian, np.ones(weights.shape), _float32)


def rounded_in_blocks(
    weights: Array, scales: Array, hessian: Array, factors: Array
) -> tuple[Array, Array]:
    """The same in 4 bits on scales of blocks, whose factors [outputs, terms] stay.

    Returns:
        Whole numbers times their factors [outputs, terms], and the scale of each output.
    """
    best, made, least = scales, np.zeros(weights.shape), np.full(len(scales), np.inf)
    for share in (1.0, *_NEAR):
        tried = short(share * scales)
        steps = tried[:, None] * factors
        narrow = _one_by_one(weights, steps, hessian, DType.INT4)
        error = _error(narrow * steps - weights, hessian)
        better = error < least
        made = np.where(better[:, None], narrow * factors, made)
        best = np.where(better, tried, best)
        least = np.minimum(error, least)
    return _settled(weights, made, best, hessian, factors, short)


def shrunk(hessian: Array, terms: Array) -> Array:
    """A covariance as far towards equal, independent terms as so few sums leave it open.

    Weights of few steps would else be fitted to what these sums happen to have.

    Args:
        hessian: covariance of the terms, [terms, terms].
        terms: [sums, terms].
    """
    mean = float(np.trace(hessian)) / len(hessian)
    squares = float(np.square(hessian).sum())
    spread = squares - len(hessian) * mean**2
    if not spread > 0.0:
        return hessian
    sizes = np.square(terms - terms.mean(axis=0)).sum(axis=1)
    doubt = (float(np.square(sizes).mean()) - squares) / len(terms)
    share = min(1.0, doubt / spread)
    made: Array = (1.0 - share) * hessian + share * mean * np.eye(len(hessian))
    return made


def _settled(
    weights: Array,
    made: Array,
    scales: Array,
    hessian: Array,
    factors: Array,
    as_stored: Callable[[Array], Array],
) -> tuple[Array, Array]:
    """Whole numbers and scales that no change of one alone makes better, or nearly so.

    Rounded one by one, the first ones knew nothing of how those behind them were rounded.

    Args:
        weights: real ones, [outputs, terms].
        made: whole numbers of few steps, times their factors.
        scales: of outputs.
        hessian: covariance of the terms.
        factors: [outputs, terms], what each whole number is a multiple of.
        as_stored: scales as they can be stored.
    """
    hessian = hessian + _RIDGE_OF_FEW * float(np.diag(hessian).mean()) * np.eye(len(hessian))
    diagonal, high = np.diag(hessian), DType.INT4.high
    found, scale = made.copy(), scales
    for _ in range(_SWEEPS if diagonal.min(initial=np.inf) > 0.0 else 0):
        sums = found @ hessian
        own, cross = (sums * found).sum(axis=1), (sums * weights).sum(axis=1)
        fits = (own > 0.0) & (cross > 0.0)
        scale = np.where(fits, as_stored(cross / np.where(fits, own, 1.0)), scale)
        steps = scale[:, None] * factors
        slope = (found * scale[:, None] - weights) @ hessian
        for k in np.argsort(-diagonal, kind="stable"):
            wanted = found[:, k] / factors[:, k] - slope[:, k] / (diagonal[k] * steps[:, k])
            moved = np.clip(np.rint(wanted), -high, high) * factors[:, k] - found[:, k]
            some = np.flatnonzero(moved)
            slope[some] += (moved[some] * scale[some])[:, None] * hessian[k]
            found[some, k] += moved[some]
    before, after = (
        _error(whole * each[:, None] - weights, hessian)
        for whole, each in ((made, scales), (found, scale))
    )
    better = after < before
    return np.where(better[:, None], found, made), np.where(better, scale, scales)


def _trials(
    weights: Array, scales: Array, widest: Array, hessian: Array, dtype: DType
) -> Iterator[Array]:
    """Scales to try: by the importance of each weight, and around those that there are."""
    if not widest.all():
        return
    yield _float32(fitting_scales(weights, widest, dtype, np.diag(hessian)))
    for share in _NEAR:
        yield _float32(share * scales)


def _float32(scales: Array) -> Array:
    return scales.astype(np.float32).astype(np.float64)


def _error(off: Array, hessian: Array) -> Array:
    """Mean squared error of the sums of each output, given what its weights are off."""
    made: Array = ((off @ hessian) * off).sum(axis=1)
    return made


def _one_by_one(weights: Array, steps: Array, hessian: Array, dtype: DType) -> Array:
    """Whole numbers for weights [outputs, terms], given the covariance of the terms.

    ``steps``: of each weight, or one for each output.

    The error of a weight is put on those behind it, weighed as the inverse Hessian says.
    """
    mean = float(np.trace(hessian)) / len(hessian)
    if not mean > 0.0:
        return np.clip(np.rint(weights / steps), -dtype.high, dtype.high)
    order = np.argsort(-np.diag(hessian), kind="stable")
    ridge = _RIDGE if dtype.bits >= DType.INT8.bits else _RIDGE_OF_FEW
    ordered = hessian[np.ix_(order, order)] + ridge * mean * np.eye(len(order))
    upper = np.linalg.cholesky(np.linalg.inv(ordered)).T
    left, made = weights[:, order].copy(), np.empty(weights.shape)
    steps = np.broadcast_to(steps, weights.shape)[:, order]
    for k in range(left.shape[1]):
        made[:, k] = np.clip(np.rint(left[:, k] / steps[:, k]), -dtype.high, dtype.high)
        error = (left[:, k] - made[:, k] * steps[:, k]) / upper[k, k]
        left[:, k + 1 :] -= error[:, None] * upper[k, None, k + 1 :]
    values = np.empty(weights.shape)
    values[:, order] = made
    return values
