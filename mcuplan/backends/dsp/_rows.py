# SPDX-License-Identifier: Apache-2.0
"""Convolutions from rows with their padding, of the dsp backend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np

from mcuplan.backends.dsp._shared import (
    FOUR,
    FOUR_PIXELS_STEPS,
    by_four,
    by_two,
    channel_array,
    clamped,
    for_all_weights,
    kernel,
    last_fields,
    pair_array,
    run_words,
    shares_words,
    shifts,
    tells_apart,
)
from mcuplan.ir.op import Call, Field, Signature
from mcuplan.ir.types import Array
from mcuplan.ir.work import Work, block_parts
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.units import align_up

__all__ = ["FOURS", "ROWS"]

_UNROLL = 8  # steps of the loop
_WORDS_UNROLL = 2  # of a line
_BLOCK = 16  # bytes copied at a time
_JOB_BYTES = 92  # of four pixels


def _steps(sig: Signature) -> int:
    """Words of a patch: those of each line, then of what makes lines odd, in twos."""
    _, kernel_h, kernel_w, in_c = sig.constant(1).shape
    words, odd = divmod(kernel_w * in_c, 2)
    return int(kernel_h * words + odd * -(-kernel_h // 2))


def _columns(sig: Signature) -> int:
    """Columns of a row with what lies beside it."""
    op = sig.op
    assert isinstance(op, Conv2D)
    return (sig.output.shape[2] - 1) * op.stride[1] + op.kernel[1]


def _width(sig: Signature) -> int:
    """Columns of the input that are read."""
    op = sig.op
    assert isinstance(op, Conv2D)
    return min(sig.inputs[0].shape[2], _columns(sig) - op.pads[1])


def _has_rows(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.groups == 1 and op.kernel != (1, 1) and op.dilation == (1, 1)
    return plain and _width(sig) > 0


def _supports(sig: Signature) -> bool:
    return _has_rows(sig) and sig.output.channels >= FOUR and shares_words(sig, again=True)


def _fours_supports(sig: Signature) -> bool:
    _, _, out_w, out_c = sig.output.shape
    small = _steps(sig) <= FOUR_PIXELS_STEPS and out_w >= FOUR and out_c % 2 == 0
    return _has_rows(sig) and small and tells_apart(sig)


def _words(sig: Signature) -> Array:
    """Weights as the patch has the inputs: int64 [out_c, steps, 2]."""
    weights = sig.constant(1).astype(np.int64)
    out_c, kernel_h, kernel_w, in_c = weights.shape
    lines = weights.reshape(out_c, kernel_h, kernel_w * in_c)
    even = kernel_w * in_c // 2 * 2
    whole = run_words(lines[..., :even]).reshape(out_c, -1, 2)
    ends = lines[..., even:].reshape(out_c, -1)
    packed = np.pad(ends, [(0, 0), (0, ends.shape[1] % 2)]).reshape(out_c, -1, 2)
    words: Array = np.concatenate([whole, packed], axis=1)
    return words


def _lower(sig: Signature) -> tuple[Call, ...]:
    steps = _steps(sig)
    fields: dict[str, Field] = {
        "packed": channel_array(sig, steps, _words, again=True),
        "steps": steps,
    }
    return (Call(fields | _shape_fields(sig) | last_fields(sig, again=True)),)


def _lower_fours(sig: Signature) -> tuple[Call, ...]:
    steps = _steps(sig)
    fields: dict[str, Field] = {"packed": pair_array(sig, steps, _words), "steps": steps}
    return (Call(fields | _shape_fields(sig) | last_fields(sig)),)


def _shape_fields(sig: Signature) -> dict[str, Field]:
    shape = {n: v for n, v in conv_fields(sig).items() if not n.startswith(("dilation", "in_w"))}
    return shape | {"width": _width(sig)}


def _pads(sig: Signature) -> bool:
    """Whether rows are copied, to have padding beside them."""
    return _columns(sig) > _width(sig)


def _scratch(sig: Signature) -> int:
    return 8 * _steps(sig) + _row_bytes(sig)


def _fours_scratch(sig: Signature) -> int:
    return _JOB_BYTES + _row_bytes(sig)


def _row_bytes(sig: Signature) -> int:
    """Of rows with their padding, and of where lines are."""
    op = sig.op
    assert isinstance(op, Conv2D)
    taps = sig.taps(1)
    beyond = taps.inside < taps.windows * taps.kernel  # one row is all of these
    rows = op.kernel[0] if _pads(sig) else int(beyond)
    row = align_up(_columns(sig) * sig.inputs[0].channels, 4)
    return 4 * (op.kernel[0] + 1) + rows * row


def _rows_taken(sig: Signature, runs: Sequence[int]) -> tuple[int, int]:
    """Rows that calls take for the first time: of the input, and of padding."""
    op = sig.op
    assert isinstance(op, Conv2D)
    taps = sig.taps(1)
    if op.stride[0] > op.kernel[0]:
        return taps.inside, taps.windows * taps.kernel - taps.inside
    inside, taken, first = 0, 0, -op.pads[0]
    for rows in runs:
        end = first + (rows - 1) * op.stride[0] + op.kernel[0]
        inside += max(0, min(end, sig.inputs[0].rows) - max(first, 0))
        taken += end - first
        first += rows * op.stride[0]
    return inside, taken - inside


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Rows with their padding; patches of pixels in pairs, one by one where a row is odd; steps."""
    op = sig.op
    assert isinstance(op, Conv2D)
    (_, out_h, out_w, out_c), in_c, height = sig.output.shape, sig.inputs[0].channels, op.kernel[0]
    line, singles = op.kernel[1] * in_c, out_h * (out_w % 2)
    alone = sum(-(-rows // 2) for rows in runs) if out_w % 2 else 0
    made = out_h * (out_w // 2)
    pairs = made + alone  # each reads all weights
    tiles = pairs * -(-out_c // FOUR)
    return {
        "call": len(runs),
        "row": out_h,
        "found": out_h * height,
        "run": out_h * (out_w > 1),
        "patches": made,
        "line": made * height * (line > 1),
        "word": made * height * (line // 4),
        "round": made * height * -(-(line // 4) // _WORDS_UNROLL),
        "two": made * height * (line % 4 > 1),
        "odd": made * -(-height // 2) * (line % 2),
        "single": singles,
        "single_line": singles * height * (line > 1),
        "single_word": singles * height * (line // 4),
        "single_two": singles * height * (line % 4 > 1),
        "single_odd": singles * -(-height // 2) * (line % 2),
        "pair": pairs,
        "tile": tiles,
        "step": tiles * _steps(sig),
        "turn": tiles * max(1, -(-(_steps(sig) - 1) // _UNROLL)),
        "again": pairs * (out_c % FOUR > 0),
        "shifted": tiles * shifts(sig),
        **_copied(sig, runs),
        **clamped(sig),
    }


def _fours_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Rows with their padding; blocks of four pixels, the last ones again where rows have more."""
    op = sig.op
    assert isinstance(op, Conv2D)
    (_, out_h, out_w, out_c), height = sig.output.shape, op.kernel[0]
    line, blocks = op.kernel[1] * sig.inputs[0].channels, out_h * -(-out_w // FOUR)
    tiles = blocks * (out_c // 2)
    return {
        "call": len(runs),
        "row": out_h,
        "found": out_h * height,
        "again": out_h * (out_w % FOUR > 0),
        "block": blocks,
        "line": blocks * height,
        "word": blocks * height * (line // FOUR),
        "two": blocks * height * (line % FOUR > 1),
        "odd": blocks * -(-height // 2) * (line % 2),
        "tile": tiles,
        "step": tiles * _steps(sig),
        **_copied(sig, runs),
        **clamped(sig),
    }


def _copied(sig: Signature, runs: Sequence[int]) -> Work:
    """Rows and, once for each call, the padding on both sides of them; rows of padding alone."""
    op = sig.op
    assert isinstance(op, Conv2D)
    inside, beyond = _rows_taken(sig, runs)
    in_c, copied = sig.inputs[0].channels, inside * _pads(sig)
    before, nbytes, row = (n * in_c for n in (op.pads[1], _width(sig), _columns(sig)))
    end, times = before + nbytes, len(runs) * op.kernel[0] * _pads(sig)
    work = Counter(block_parts("fill", times, before, aligned=True))
    work.update(block_parts("fill", times, row - end, aligned=end % 4 == 0))
    work.update(block_parts("fill", beyond, row, aligned=True))
    return work | {
        "copied": copied,
        "copied_block": copied * (nbytes // _BLOCK),
        "copied_word": copied * (nbytes % _BLOCK // 4),
        "copied_byte": copied * (nbytes % 4),
    }


ROWS = for_all_weights(
    kernel(
        Conv2D,
        function="mplan_conv2d_rows_s8_dsp",
        lower=_lower,
        work=_work,
        supports=_supports,
        scratch_bytes=_scratch,
        cost_class="conv2d",
        blocks=partial(by_four, _steps),
    )
)


FOURS = kernel(
    Conv2D,
    function="mplan_conv2d_fours_s8_dsp",
    lower=_lower_fours,
    work=_fours_work,
    supports=_fours_supports,
    scratch_bytes=_fours_scratch,
    cost_class="conv2d",
    blocks=partial(by_two, _steps),
)
