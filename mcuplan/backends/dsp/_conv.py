# SPDX-License-Identifier: Apache-2.0
"""Convolutions of the dsp backend, and matrices applied to many pixels as such."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np

from mcuplan.backends.dsp._dense import matrix, matrix_steps
from mcuplan.backends.dsp._shared import (
    FOUR,
    by_four,
    channel_array,
    clamped,
    for_all_weights,
    kernel,
    last_fields,
    run_words,
    shares_words,
    shifts,
)
from mcuplan.ir.op import Call, Field, Signature
from mcuplan.ir.types import Array
from mcuplan.ir.work import Work, block_parts
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import has_many_pixels, pixel_fields, taps_per_output
from mcuplan.units import align_up

__all__ = ["KERNELS"]

_UNROLL = 12  # steps of the convolution's loop
_EIGHTS_UNROLL = 4  # of the loop that widens pairs of pixels, eight bytes of each
_ROUND = 32  # bytes of a line widened in one round


def _conv_steps(sig: Signature) -> int:
    """Words of a patch."""
    _, kernel_h, kernel_w, in_c = sig.constant(1).shape
    return int(kernel_h * -(-kernel_w * in_c // 2))


def _conv_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    return op.groups == 1 and op.kernel[0] <= 16 and shares_words(sig)


def _conv_weights(sig: Signature) -> Array:
    """Weights as the patch has the inputs: int64 [out_c, steps, 2]."""
    weights = sig.constant(1).astype(np.int64)
    out_c, kernel_h, kernel_w, in_c = weights.shape
    return run_words(weights.reshape(out_c, kernel_h, kernel_w * in_c)).reshape(out_c, -1, 2)


def _conv(sig: Signature) -> tuple[Call, ...]:
    steps = _conv_steps(sig)
    packed: dict[str, Field] = {"packed": channel_array(sig, steps, _conv_weights), "steps": steps}
    return (Call(packed | conv_fields(sig) | last_fields(sig)),)


def _conv_scratch(sig: Signature) -> int:
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.kernel == (1, 1) and not any(op.pads)
    line = 0 if plain else align_up(op.kernel[1] * sig.inputs[0].channels, 4)
    return 8 * _conv_steps(sig) + line


def _conv_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Pairs of pixels by four channels, and their patches; a matrix is a 1x1 kernel."""
    in_c, op = sig.inputs[0].channels, sig.op
    if not isinstance(op, Conv2D) or (op.kernel == (1, 1) and not any(op.pads)):
        return _pointwise(sig, runs)
    run, pairs = op.kernel[1] * in_c, sum(-(-pixels // 2) for pixels in _pixels(sig, runs))
    steps = op.kernel[0] * -(-run // 2)
    return _tiles(sig, runs, pairs, steps) | {"pair": pairs} | _patches(sig, run)


def _pixels(sig: Signature, runs: Sequence[int]) -> list[int]:
    """Output pixels of each call."""
    in_row = sig.output.elements // sig.output.channels // sig.output.rows
    return [rows * in_row for rows in runs]


def _pointwise(sig: Signature, runs: Sequence[int]) -> dict[str, float]:
    """Pairs of pixels that follow one another, and an odd one of a call."""
    in_c, pixels = sig.inputs[0].channels, _pixels(sig, runs)
    odd, fours = sum(count % 2 for count in pixels), -(-sig.output.channels // 4)
    alone = odd * (in_c % FOUR == 0)  # by itself, else paired with itself
    pairs = (sum(pixels) - odd) // 2 + odd - alone
    apart = isinstance(sig.op, Conv2D) and sig.op.stride != (1, 1)  # each row is a run
    return _tiles(sig, runs, pairs, -(-in_c // 2)) | {
        "pointwise": len(runs),
        "row": sig.output.rows,
        "run": sum(runs) if apart else sum(count > 1 for count in pixels),
        "odd_pixel": odd - alone,
        "pair": pairs + alone,  # each reads all weights
        "eight": pairs * (in_c // 8),
        "eights": pairs * -(-(in_c // 8) // _EIGHTS_UNROLL),
        "left": pairs * (in_c % 8 > 0),
        "left_four": pairs * (in_c % 8 >= FOUR),
        "left_two": pairs * (in_c % FOUR > 1),
        "left_one": pairs * (in_c % 2),
        "alone": alone,
        "alone_four": alone * fours,
        "alone_step": alone * fours * (in_c // FOUR),
        "alone_rest": alone * (sig.output.channels % FOUR > 0),
    }


def _patches(sig: Signature, run: int) -> dict[str, float]:
    """Lines of patches: of whole windows, of windows that lie inside in part, of padding."""
    op = sig.op
    assert isinstance(op, Conv2D)
    in_c, plain = sig.inputs[0].channels, op.dilation[1] == 1
    rows, columns = sig.taps(1), sig.taps(2)
    inner = columns.whole if plain else 0
    tall = rows.whole if plain else 0
    whole = tall * inner
    padding = (rows.windows * rows.kernel - rows.inside) * columns.windows
    beside = rows.inside * inner - whole * rows.kernel
    gathered = rows.inside * (columns.windows - inner)
    copied = rows.inside * (columns.inside - inner * columns.kernel)
    blocks = block_parts("fill", gathered, run, aligned=True)
    blocks |= block_parts("gather_copy", copied, in_c, aligned=in_c % 4 == 0)
    return (
        blocks
        | {
            "window_row": rows.windows,
            "found": rows.windows * rows.kernel,
            "patch": whole,
            "line": whole * rows.kernel,
            "border": rows.windows * columns.windows - whole,
            "padding_line": padding,
            "padding_word": padding * -(-run // 2),
            "border_line": beside,
            "gather": gathered,
            "gather_tap": gathered * columns.kernel,
        }
        | _widened(run, whole * rows.kernel + beside + gathered)
    )


def _tiles(sig: Signature, runs: Sequence[int], pairs: int, steps: int) -> dict[str, float]:
    """Two pixels of a call by four channels at a time."""
    fours = -(-sig.output.channels // 4)
    return {
        "call": len(runs),
        "tile": pairs * fours,
        "step": pairs * fours * steps,
        "round": pairs * fours * max(0, -(-(steps - 1) // _UNROLL)),
        "rest": pairs * (sig.output.channels % 4 > 0),
        "rest_byte": pairs * (sig.output.channels % 4),
        "few": pairs * (sig.output.channels < FOUR),
        "shifted": pairs * fours * shifts(sig),
        **clamped(sig),
    }


def _widened(run: int, runs: int) -> dict[str, float]:
    """Bytes of runs that become words."""
    words, rest = divmod(run, 4)
    return {
        "word": runs * words,
        "round_of_words": runs * (run // _ROUND),
        "odd_run": runs * (rest > 0),
        "odd_three": runs * (rest == 3),
    }


def _patch_steps(sig: Signature) -> int:
    """Words of a patch, four taps at a time."""
    return 2 * -(-taps_per_output(sig) // FOUR)


def _patch_words(sig: Signature) -> Array:
    """Weights of a patch that is one run, up to a multiple of four: int64 [out_c, steps, 2]."""
    weights = sig.constant(1).astype(np.int64)
    flat = weights.reshape(len(weights), -1)
    return run_words(np.pad(flat, [(0, 0), (0, -flat.shape[1] % 4)]))


def _patch_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    return _conv_supports(sig) and op.dilation == (1, 1)


def _patch(sig: Signature) -> tuple[Call, ...]:
    """The convolution's fields, its weights packed for a patch of bytes."""
    (call,) = _conv(sig)
    fields = {n: value for n, value in call.fields.items() if not n.startswith("dilation")}
    words = _patch_steps(sig)
    packed = channel_array(sig, words, _patch_words)
    return (Call(fields | {"packed": packed, "steps": words // 2}),)


def _patch_scratch(sig: Signature) -> int:
    return align_up(taps_per_output(sig), 4)


def _patch_work(sig: Signature, runs: Sequence[int]) -> Work:
    """One pixel by four channels at a time, from a patch of bytes."""
    op = sig.op
    assert isinstance(op, Conv2D)
    rows, columns = sig.taps(1), sig.taps(2)
    pixels, in_c = rows.windows * columns.windows, sig.inputs[0].channels
    steps = -(-rows.kernel * columns.kernel * in_c // 4)
    fours = pixels * -(-sig.output.channels // 4)
    run, aligned = columns.kernel * in_c, in_c % 4 == 0
    beside = rows.inside * (columns.windows - columns.whole)  # runs that lie inside in part
    outside = (rows.windows * rows.kernel - rows.inside) * columns.windows
    work = Counter(block_parts("fill", beside + outside, run, aligned=aligned))
    for taps in columns.counts:
        work.update(block_parts("copy", rows.inside, taps * in_c, aligned=aligned))
    return work | {
        "call": len(runs),
        "row": rows.windows,
        "found": rows.windows * rows.kernel,
        "pixel": pixels,
        "line": pixels * rows.kernel,
        "four": fours,
        "step": fours * steps,
        "round": fours * -(-steps // 8),
        "whole": pixels * (sig.output.channels >= 4),
        "rest": pixels * (sig.output.channels % 4 > 0),
        "rest_byte": pixels * (sig.output.channels % 4),
        "shifted": fours * shifts(sig),
        **clamped(sig),
    }


def _many_pixels(sig: Signature) -> bool:
    return has_many_pixels(sig) and shares_words(sig)


def _dense_pixels(sig: Signature) -> tuple[Call, ...]:
    """A matrix applied to many pixels is a 1x1 convolution: two pixels share each weight."""
    steps = matrix_steps(sig)
    packed: dict[str, Field] = {"packed": channel_array(sig, steps, matrix), "steps": steps}
    return (Call(packed | pixel_fields(sig) | last_fields(sig)),)


def _pixel_scratch(sig: Signature) -> int:
    return 8 * matrix_steps(sig)


def _stays(sig: Signature) -> tuple[int, ...]:
    """The input, where every pixel's outputs take as many bytes at its place."""
    op, given, made = sig.op, sig.inputs[0], sig.output
    if isinstance(op, Conv2D):
        moves = op.kernel != (1, 1) or op.stride != (1, 1) or any(op.pads)
        return () if moves or given.shape != made.shape else (0,)
    return (0,) if given.shape == made.shape else ()


_CONV = kernel(
    Conv2D,
    function="mplan_conv2d_s8_dsp",
    lower=_conv,
    work=_conv_work,
    supports=_conv_supports,
    scratch_bytes=_conv_scratch,
    inplace_inputs=_stays,
    cost_class="conv2d",
    blocks=partial(by_four, _conv_steps),
)

_PATCH = kernel(
    Conv2D,
    function="mplan_conv2d_patch_s8_dsp",
    lower=_patch,
    work=_patch_work,
    supports=_patch_supports,
    scratch_bytes=_patch_scratch,
    cost_class="conv2d",
    blocks=partial(by_four, _patch_steps),
)

_PIXELS = kernel(
    Dense,
    function="mplan_conv2d_s8_dsp",
    lower=_dense_pixels,
    work=_conv_work,
    supports=_many_pixels,
    scratch_bytes=_pixel_scratch,
    inplace_inputs=_stays,
    cost_class="conv2d",
    blocks=partial(by_four, matrix_steps),
)

KERNELS = (*for_all_weights(_CONV), *for_all_weights(_PATCH), *for_all_weights(_PIXELS))
