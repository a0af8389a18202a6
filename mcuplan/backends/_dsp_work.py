# SPDX-License-Identifier: Apache-2.0
"""What the loops of the dsp kernels count; see their C for the parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from mcuplan.ir.op import NO_CLAMP, Signature
from mcuplan.ir.work import Work, block_parts, taps_of
from mcuplan.ir.work import max_pool_work as filled_blocks
from mcuplan.ir.work import pool_work as blocks_of_channels
from mcuplan.ops.conv2d import Conv2D
from mcuplan.quant.requantize import act_limits

__all__ = [
    "add_work",
    "conv_work",
    "dense_work",
    "depthwise3x3_work",
    "depthwise_work",
    "max_pool_work",
    "patch_work",
    "pool_work",
]

_UNROLL = 16  # steps of the convolution's loop
_ROUND = 32  # bytes widened in one round


def _clamped(sig: Signature) -> dict[str, float]:
    """Outputs that a last pass over rows limits; none where int8 itself is the limit."""
    limits = act_limits(sig.output.q, getattr(sig.op, "act", NO_CLAMP))
    output = sig.output
    some = limits != (output.dtype.low, output.dtype.high)
    return {
        "clamp": output.elements * some,
        "clamp_row": output.rows * some,
        "clamp_pixel": output.elements // output.channels * some,
    }


def _shifts(sig: Signature) -> bool:
    """Whether sums of some channel are shifted left before they are requantized."""
    real = sig.inputs[0].q.s * max(sig.inputs[1].q.scale) / sig.output.q.s
    return math.floor(real * 2**32 + 0.5) >= 2**31


def _tiles(sig: Signature, runs: Sequence[int], steps: int) -> dict[str, float]:
    """Two pixels of a call by four channels at a time."""
    in_row = sig.output.elements // sig.output.channels // sig.output.rows
    pairs, fours = sum(-(-rows * in_row // 2) for rows in runs), -(-sig.output.channels // 4)
    return {
        "call": len(runs),
        "pair": pairs,
        "tile": pairs * fours,
        "step": pairs * fours * steps,
        "round": pairs * fours * -(-steps // _UNROLL),
        "whole": pairs * (sig.output.channels >= 4),
        "rest": pairs * (sig.output.channels % 4 > 0),
        "rest_byte": pairs * (sig.output.channels % 4),
        "shifted": pairs * fours * _shifts(sig),
        **_clamped(sig),
    }


def conv_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Pairs of pixels by four channels, and their patches; a matrix is a 1x1 kernel."""
    in_c, rows = sig.inputs[0].channels, sig.output.rows
    pixels = sig.output.elements // sig.output.channels
    op = sig.op
    if not isinstance(op, Conv2D) or (op.kernel == (1, 1) and not any(op.pads)):
        steps = -(-in_c // 2)
        return _tiles(sig, runs, steps) | {"row": rows, "pixel": pixels} | _widened(in_c, pixels)
    run = op.kernel[1] * in_c
    steps = op.kernel[0] * -(-run // 2)
    return _tiles(sig, runs, steps) | _patches(sig, run)


def _patches(sig: Signature, run: int) -> dict[str, float]:
    """Lines of patches: of whole windows, of windows that lie inside in part, of padding."""
    op = sig.op
    assert isinstance(op, Conv2D)
    in_c, plain = sig.inputs[0].channels, op.dilation[1] == 1
    rows, columns = taps_of(sig, 0), taps_of(sig, 1)
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


def patch_work(sig: Signature, runs: Sequence[int]) -> Work:
    """One pixel by four channels at a time, from a patch of bytes."""
    op = sig.op
    assert isinstance(op, Conv2D)
    rows, columns = taps_of(sig, 0), taps_of(sig, 1)
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
        "shifted": fours * _shifts(sig),
        **_clamped(sig),
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


def depthwise3x3_work(sig: Signature, runs: Sequence[int]) -> Work:
    """One column after the other of each channel of a row."""
    op = sig.op
    assert isinstance(op, Conv2D)
    _, out_h, out_w, channels = sig.output.shape
    kind = "" if op.stride == (1, 1) else "2"
    columns = sig.inputs[0].shape[2] - 1 if op.stride == (1, 1) else out_w
    rows, across = taps_of(sig, 0), taps_of(sig, 1)
    missing, lines = 3 * out_h - rows.inside, out_h * channels
    open_left = op.stride != (1, 1) and op.pads[1] == 0
    open_right = op.stride != (1, 1) and across.counts[-1] == 3
    special = out_h if open_left or open_right else out_h - rows.whole
    return {
        "call": len(runs),
        "row": out_h,
        f"channel{kind}": lines,
        f"column{kind}": lines * columns,
        f"round{kind}": lines * ((columns - 1) // (2 if kind else 3)),
        "missing_row": missing * channels,
        "special": special * channels,
        "open_left": lines * open_left,
        "closed_right": lines * (bool(kind) and not open_right),
        "shifted": out_h * channels * out_w * _shifts(sig),
        **_clamped(sig),
    }


def depthwise_work(sig: Signature, runs: Sequence[int]) -> Work:
    """One pixel after the other, four channels at a time, taps inside the input only."""
    _, out_h, out_w, channels = sig.output.shape
    rows, across = taps_of(sig, 0).inside, taps_of(sig, 1)
    columns, odd = across.inside, sum(count % 2 for count in across.counts)
    fours = channels // 4
    return {
        "call": len(runs),
        "row": out_h,
        "pixel": out_h * out_w,
        "line": rows * out_w,
        "found": rows,
        "four": fours * out_h * out_w,
        "four_line": fours * rows * out_w,
        "four_tap": fours * rows * columns,
        "four_odd": fours * rows * odd,
        "shifted": fours * out_h * out_w * _shifts(sig),
        **_clamped(sig),
    }


def dense_work(sig: Signature, runs: Sequence[int]) -> Work:
    """One pixel by four outputs at a time."""
    inputs, outputs = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // outputs
    fours = pixels * -(-outputs // 4)
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "four": fours,
        "step": fours * (inputs // 4),
        "round": fours * max(1, -(-(inputs // 4) // 8)),
        "odd": fours * -(-(inputs % 4) // 2),
        "odd_four": fours * (inputs % 4 > 0),
        "widened": pixels * (inputs % 4 > 1),
        "widened_one": pixels * (inputs % 2),
        "whole": pixels * (outputs >= 4),
        "rest": pixels * (outputs % 4 > 0),
        "rest_byte": pixels * (outputs % 4),
        "shifted": fours * _shifts(sig),
        **_clamped(sig),
    }


def add_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four elements of a row at a time."""
    row = sig.output.row_bytes
    rows = sig.output.rows
    return {"call": len(runs), "row": rows, "word": rows * (row // 4), "odd_byte": rows * (row % 4)}


def pool_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four channels of a window at a time."""
    return blocks_of_channels(sig, runs, 4)


def max_pool_work(sig: Signature, runs: Sequence[int]) -> Work:
    """The same, of rows that are filled before."""
    return filled_blocks(sig, runs, 4)
