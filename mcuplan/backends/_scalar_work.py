# SPDX-License-Identifier: Apache-2.0
"""What the loops of the scalar kernels count; see their C for the parts."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.ir.op import Signature
from mcuplan.ir.work import Work, taps_of
from mcuplan.ops.conv2d import Conv2D

__all__ = ["add_work", "conv_work", "dense_work", "depthwise_work"]


def conv_work(sig: Signature, calls: Sequence[int], runs: int) -> Work:
    """Two pixels by two channels at a time, and their patches; a matrix is a 1x1 kernel.

    ``calls`` has the rows of each call; ``runs`` are those of all pairs of channels.
    """
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // out_c
    op = sig.op
    height, width = op.kernel if isinstance(op, Conv2D) else (1, 1)
    in_row = pixels // sig.output.rows
    pairs = sum(-(-rows * in_row // 2) for rows in calls)
    taps = height * width * in_c
    beside = 0  # lines that are copied
    if isinstance(op, Conv2D):
        plain = op.dilation[1] == 1 or width == 1
        tall, wide = taps_of(sig, 0), taps_of(sig, 1)
        inside = tall.inside * wide.whole if plain else 0
        beside = pixels * height - inside
    return {
        "call": len(calls),
        "row": sig.output.rows,
        "pair": pairs,
        "line": 2 * pairs * height,
        "copied": beside,
        "copied_tap": beside * width,
        "word": pairs * taps,
        "tile": pairs * -(-out_c // 2),
        "run": pairs * runs,
        "step": pairs * -(-out_c // 2) * taps,
        "output": 2 * pairs * out_c,
    }


def depthwise_work(sig: Signature, calls: Sequence[int]) -> Work:
    """One channel of a row after the other; windows that reach beyond a side on their own."""
    _, out_h, out_w, channels = sig.output.shape
    rows, columns = taps_of(sig, 0), taps_of(sig, 1)
    lines = out_h * channels
    return {
        "call": len(calls),
        "row": out_h,
        "channel": lines,
        "cut_channel": (out_h - rows.whole) * channels,
        "inner": lines * columns.whole,
        "border": lines * (out_w - columns.whole),
        "output": lines * out_w,
    }


def dense_work(sig: Signature, calls: Sequence[int]) -> Work:
    """One pixel by four outputs at a time."""
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // out_c
    fours = pixels * -(-out_c // 4)
    return {
        "call": len(calls),
        "row": sig.output.rows,
        "pixel": pixels,
        "four": fours,
        "step": fours * in_c,
        "output": sig.output.elements,
    }


def add_work(sig: Signature, calls: Sequence[int]) -> Work:
    """One element of a row after the other."""
    return {"call": len(calls), "row": sig.output.rows, "output": sig.output.elements}
