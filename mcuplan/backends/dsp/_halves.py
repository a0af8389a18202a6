# SPDX-License-Identifier: Apache-2.0
"""Kernels of int16 activations: two products at a time, weights of 8 bits or of 16."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mcuplan.backends.dsp._shared import (
    half_words,
    int32_stream,
    kernel,
    last_fields,
    padded_channels,
    shifts,
)
from mcuplan.ir.op import Blocks, Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.types import Array, DType, Types
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields, depthwise_call
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import (
    FINE_TYPES,
    INT16_TYPES,
    has_many_pixels,
    pixel_fields,
    pixels_of,
    prepared,
    taps_per_output,
)

__all__ = ["KERNELS"]

_FOUR = 4  # outputs, and taps of a step
_MOST_ROWS = 16  # of a depthwise kernel
_TYPES = {"": INT16_TYPES, "_w16": FINE_TYPES}
_NARROW = (0, 2, 1, 3)  # taps in the bytes of a word


def _fits(sig: Signature) -> bool:
    """Whether 32 bits hold every sum, shifted for requantization."""
    return prepared(sig).fits_one_shift


def _is_matrix(sig: Signature) -> bool:
    """Whether a convolution is a matrix applied to each pixel."""
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.kernel == op.stride == (1, 1) and not any(op.pads) and op.groups == 1
    return plain and _fits(sig)


def _steps(sig: Signature) -> int:
    return -(-taps_per_output(sig) // _FOUR)


def _words(sig: Signature, together: int) -> Array:
    """Weights as words: int64 [outputs / together, steps, words of a step]."""
    taps = sig.constant(1).reshape(sig.output.channels, -1)
    taps = padded_channels(np.pad(taps, [(0, 0), (0, -taps.shape[1] % _FOUR)]))
    fours = taps.reshape(len(taps) // together, together, -1, _FOUR).swapaxes(1, 2)
    if sig.inputs[1].dtype is DType.INT8:
        parts = fours[..., _NARROW] & 0xFF
        words: Array = (parts << np.arange(0, 32, 8)).sum(axis=-1)
        return words
    halves = half_words(fours[..., 0::2], fours[..., 1::2])  # [blocks, steps, together, 2]
    return halves.swapaxes(2, 3).reshape(*halves.shape[:2], -1)


def _packed(sig: Signature, together: int) -> ConstArray:
    """Bias, weights and multipliers, some outputs at a time."""
    wide = 1 if sig.inputs[1].dtype is DType.INT8 else 2
    blocks = -(-sig.output.channels // _FOUR) * _FOUR // together
    size = blocks * together * (2 + wide * _steps(sig))

    def make() -> Array:
        requant = prepared(sig)
        words = _words(sig, together).reshape(blocks, -1)
        bias, multiplier = (
            padded_channels(values).reshape(blocks, together)
            for values in (requant.bias, requant.multiplier)
        )
        return int32_stream(np.concatenate([bias, words, multiplier], axis=1).ravel())

    return ConstArray(DType.INT32, Packed(size, make))


def _blocks(together: int, types: Types, sig: Signature) -> Blocks | None:
    """Of :func:`_packed` for weights of 8 bits."""
    return Blocks(together, together * _steps(sig), together) if types is INT16_TYPES else None


def _dense(sig: Signature) -> tuple[Call, ...]:
    fields: dict[str, Field] = {
        "packed": _packed(sig, _FOUR),
        "in_c": sig.inputs[0].channels,
        "out_c": sig.output.channels,
        "pixels": pixels_of(sig)[1],
    }
    return (Call(fields | last_fields(sig)),)


def _dense_work(sig: Signature, runs: Sequence[int]) -> Work:
    """One pixel by four outputs at a time, four steps of four taps at a time."""
    inputs, outputs = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // outputs
    fours = pixels * -(-outputs // _FOUR)
    whole = 0 if shifts(sig) else outputs // _FOUR * _FOUR  # the others are put in a loop
    steps = inputs // _FOUR
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "four": fours,
        "round": fours * (steps // _FOUR),
        "step": fours * (steps % _FOUR),
        "rest": fours * (inputs % _FOUR > 0),
        "output": pixels * whole,
        "some": pixels * -(-(outputs - whole) // _FOUR),
        "one": pixels * (outputs - whole),
    }


def _has_patches(sig: Signature) -> bool:
    """Whether two pixels are taken together, of a convolution without gaps and groups."""
    op = sig.op
    assert isinstance(op, Conv2D)
    return op.groups == 1 and op.dilation[1] == 1 and sig.output.shape[2] > 1 and _fits(sig)


def _many_pixels(sig: Signature) -> bool:
    """Whether a matrix is applied to pixels two of which lie in a row."""
    return has_many_pixels(sig) and pixels_of(sig)[1] > 1 and _fits(sig)


def _is_direct(sig: Signature) -> bool:
    """Whether inputs are read where they are."""
    plain = not isinstance(sig.op, Conv2D) or (sig.op.kernel == (1, 1) and not any(sig.op.pads))
    return plain and sig.inputs[0].channels % _FOUR == 0


def _patches(sig: Signature) -> int:
    """Bytes of the taps of two pixels; a word where they are not copied."""
    return 4 if _is_direct(sig) else 2 * 2 * _FOUR * _steps(sig)


def _conv(sig: Signature) -> tuple[Call, ...]:
    if isinstance(sig.op, Conv2D):
        shape = conv_fields(sig)
    else:
        shape = pixel_fields(sig) | {"pad_top": 0, "pad_left": 0}
        shape["in_zero_point"] = sig.inputs[0].q.z
    fields: dict[str, Field] = {"packed": _packed(sig, 2), "is_direct": int(_is_direct(sig))}
    return (Call(fields | shape | last_fields(sig)),)


def _conv_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Pairs of pixels of a row by two outputs at a time, two steps of four taps at a time."""
    rows, columns = sig.output.rows, sig.output.elements // sig.output.channels
    columns //= max(1, rows)
    pairs, steps = rows * -(-columns // 2), _steps(sig)
    twos = pairs * -(-sig.output.channels // 2)
    taken = 0 if _is_direct(sig) else 2 * pairs
    lines = taken * (sig.op.kernel[0] if isinstance(sig.op, Conv2D) else 1)
    return {
        "call": len(runs),
        "row": rows,
        "pair": pairs,
        "taken": taken,
        "line": lines,
        "tap": taken * taps_per_output(sig),
        "two": twos,
        "round": twos * (steps // 2),
        "step": twos * (steps % 2),
        "output": sig.output.elements,
        "shifted": sig.output.elements * shifts(sig),
    }


def _is_even_depthwise(sig: Signature) -> bool:
    """Whether each channel makes one, two to a word, and padding adds nothing."""
    op, channels = sig.op, sig.inputs[0].channels
    assert isinstance(op, Conv2D)
    alone = op.groups == channels == sig.output.channels and channels % 2 == 0
    zero = sig.inputs[0].q.z == 0
    return alone and zero and op.kernel[0] <= _MOST_ROWS and _fits(sig)


def _depthwise_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Two channels of a pixel at a time, taps inside the input."""
    rows, columns = sig.taps(1), sig.taps(2)
    twos, pixels = sig.output.channels // 2, rows.windows * columns.windows
    return {
        "call": len(runs),
        "row": rows.windows,
        "pixel": pixels,
        "found": rows.inside * columns.windows,
        "two": pixels * twos,
        "line": rows.inside * columns.windows * twos,
        "tap": rows.inside * columns.inside * twos,
        "shifted": sig.output.elements * shifts(sig),
    }


_MATRICES = (
    kernel(
        op,
        function=f"mplan_dense_s16{suffix}_dsp",
        lower=_dense,
        work=_dense_work,
        supports=supports,
        types=types,
        cost_class="dense",
        blocks=partial(_blocks, _FOUR, types),
    )
    for suffix, types in _TYPES.items()
    for op, supports in ((Dense, _fits), (Conv2D, _is_matrix))
)
KERNELS = (
    *_MATRICES,
    *(
        kernel(
            Conv2D,
            function="mplan_depthwise_s16_dsp",
            lower=depthwise_call,
            work=_depthwise_work,
            supports=_is_even_depthwise,
            types=types,
            cost_class="depthwise",
        )
        for types in _TYPES.values()
    ),
    *(
        kernel(
            op,
            function=f"mplan_conv2d_s16{suffix}_dsp",
            lower=_conv,
            work=_conv_work,
            supports=supports,
            scratch_bytes=_patches,
            types=types,
            cost_class="conv2d",
            blocks=partial(_blocks, 2, types),
        )
        for suffix, types in _TYPES.items()
        for op, supports in ((Conv2D, _has_patches), (Dense, _many_pixels))
    ),
)
