# SPDX-License-Identifier: Apache-2.0
"""Matrices applied to one pixel at a time, one half of the products by Winograd's inner product.

Source: Winograd 1968, A New Algorithm for Inner Product.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.dsp._shared import (
    clamped,
    int32_stream,
    kernel,
    last_fields,
    padded_channels,
    paired_channels,
    run_words,
    shares_words,
    shifts,
)
from mcuplan.ir.op import Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import pixels_of, prepared
from mcuplan.quant.requantize import Requant

__all__ = ["DENSE", "POINTWISE", "matrix", "matrix_steps"]

_EIGHT_STEPS, _FOUR_STEPS = 4, 2  # of the loops


def _first_fours(outputs: int, shifted: bool) -> int:
    """Fours of outputs that come by four; the others come by eight."""
    fours = -(-outputs // 4)
    return fours if shifted else 2 - fours % 2


def matrix(sig: Signature) -> Array:
    """Weights of one pixel in the order of the widened inputs: int64 [out_c, steps, 2]."""
    weights = sig.constant(1).astype(np.int64)
    return run_words(weights.reshape(len(weights), -1))


def matrix_steps(sig: Signature) -> int:
    """Words of a pixel."""
    return -(-sig.inputs[0].channels // 2)


def _is_matrix(sig: Signature) -> bool:
    """Whether a convolution is a matrix applied to each pixel."""
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.kernel == op.stride == (1, 1) and not any(op.pads) and op.groups == 1
    return (plain or is_one_pixel(sig)) and _splits_sums(sig)


def _crossed(words: Array, in_c: int) -> Array:
    """Sums of w0 * w1 + w2 * w3 of each four taps: [out_c]."""
    fours = words[:, : in_c // 4 * 2].reshape(len(words), -1, 2, 2)
    products: Array = (fours[:, :, 0] * fours[:, :, 1]).sum(axis=(1, 2))
    return products


def _splits_sums(sig: Signature) -> bool:
    """Whether the sum of an odd channel is told from that of its even one in int32."""
    return sig.once(_most_differs)


def _most_differs(sig: Signature) -> bool:
    if not shares_words(sig):
        return False
    words = padded_channels(matrix(sig))
    crossed = np.abs(_crossed(words[0::2], sig.inputs[0].channels))
    odd = sig.inputs[0].dtype.reach * np.abs(words[1::2]).sum(axis=(1, 2))
    return bool((256 * odd + crossed < 1 << 31).all())


def _channel_words(words: Array, in_c: int, requant: Requant) -> Array:
    """int32 stream of bias, weights and multipliers, four and eight output channels at a time.

    Args:
        words: [out_c, steps, 2], taps as inputs are widened.
        in_c: channels of a pixel.
        requant: folded bias and factors.
    """
    words, bias, factors = map(padded_channels, (words, requant.bias, requant.multiplier))
    pairs = paired_channels(words)
    crossed = _crossed(words[0::2], in_c)
    low, high = bias[0::2] - crossed, bias[1::2] - (-crossed >> 8)
    whole = in_c // 4 * 2
    blocks: list[Array] = []
    first = 2 * _first_fours(len(requant.bias), bool(requant.pre_shift.any()))
    for start in (*range(0, first, 2), *range(first, len(pairs), 4)):
        some = slice(start, start + (2 if start < first else 4))
        fours = pairs[some, :whole].reshape(len(pairs[some]), -1, 2).swapaxes(0, 1)
        rest = pairs[some, whole:].T
        multipliers = factors[2 * some.start : 2 * some.stop]
        blocks += [low[some], fours.ravel(), rest.ravel(), high[some], multipliers]
    return int32_stream(np.concatenate(blocks))


def _dense(sig: Signature) -> tuple[Call, ...]:
    in_c, fours = sig.inputs[0].channels, -(-sig.output.channels // 4)
    size = fours * (8 + 2 * matrix_steps(sig))
    content = Packed(size, lambda: _channel_words(matrix(sig), in_c, prepared(sig)))
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, content),
        "in_c": in_c,
        "out_c": sig.output.channels,
        "pixels": pixels_of(sig)[1],
    }
    return (Call(fields | last_fields(sig)),)


def _dense_work(sig: Signature, runs: Sequence[int]) -> Work:
    """One pixel by four and eight outputs at a time."""
    inputs, outputs = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // outputs
    all_fours, first = -(-outputs // 4), _first_fours(outputs, shifts(sig))
    fours, eights = pixels * first, pixels * (all_fours - first) // 2
    steps, odd = inputs // 4, -(-(inputs % 4) // 2)
    last = pixels * (outputs % 4 > 0)
    by_eight = all_fours > first
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "four": fours,
        "step": fours * steps,
        "eight": eights,
        "step8": eights * steps,
        "round": fours * max(1, -(-steps // _FOUR_STEPS)),
        "round8": eights * max(1, -(-steps // _EIGHT_STEPS)),
        "odd": fours * odd,
        "odd8": eights * odd,
        "odd_block": (fours + eights) * (odd > 0),
        "widened": pixels * (inputs % 4 > 1),
        "widened_one": pixels * (inputs % 2),
        "last": last,
        "second": last * (by_eight or all_fours > 1),
        "last_byte": last * (outputs - 4 * (all_fours - 1 - by_eight)),
        "shifted": fours * shifts(sig),
        **clamped(sig),
    }


POINTWISE = kernel(
    Conv2D,
    function="mplan_dense_s8_dsp",
    lower=_dense,
    work=_dense_work,
    supports=_is_matrix,
    cost_class="dense",
)


DENSE = kernel(
    Dense,
    function="mplan_dense_s8_dsp",
    lower=_dense,
    work=_dense_work,
    supports=_splits_sums,
    cost_class="dense",
)
