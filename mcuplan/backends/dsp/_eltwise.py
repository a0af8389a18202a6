# SPDX-License-Identifier: Apache-2.0
"""Sums of two tensors, and pools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mcuplan.backends._sums import row_sums
from mcuplan.backends.dsp._shared import FOUR, clamped, kernel
from mcuplan.ir.op import Signature
from mcuplan.ir.work import Work
from mcuplan.ops import portable_calls
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.ops.fields import same_shapes
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D, average_factors, divides
from mcuplan.ops.pool_kernels import has_two_axes, max_pool_work

__all__ = ["KERNELS"]


def _add_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four elements of sixteen at a time; rows of a call lie behind one another, as most do."""
    bytes_of = [count * sig.output.row_bytes for count in runs]
    return {
        "call": len(runs),
        "word": sum(count // 4 for count in bytes_of),
        "round": sum(-(-(count // 4) // 4) for count in bytes_of),
        "odd_byte": sum(count % 4 for count in bytes_of),
        **clamped(sig),
    }


_MOST_PIXELS = 255  # of a window whose sums int16 holds


def _average_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four channels of a window at a time, in assembly but for large windows and shifted sums."""
    op = sig.op
    assert isinstance(op, AvgPool2D)
    rows, columns = sig.taps(1), sig.taps(2)
    across = columns.windows - columns.whole + (columns.whole > 0)
    fours, rest = divmod(sig.output.channels, FOUR)
    halves = divides(sig)
    exact = halves or not average_factors(sig)[2].any()
    work = Counter[str](call=len(runs), row=rows.windows, run=rows.windows * across)
    work["run_line"] = rows.inside * across
    for high, times in Counter(rows.counts).items():
        for wide, found in Counter(columns.counts).items():
            windows, taps = times * found, high * wide
            fast = exact and 0 < taps <= _MOST_PIXELS
            work.update(_of_fours(windows * fours, high, wide, halves) if fast else {})
            slow = windows * fours * (not fast)
            work.update(block=slow, block_line=slow * high, block_tap=slow * taps)
            some = windows * (rest > 0)
            work.update(
                rest=some,
                rest_line=some * high,
                rest_tap=some * taps,
                one_tap=windows * rest * taps,
            )
            work.update(pixel=windows, output=FOUR * slow + windows * rest)
    return work


def _of_fours(fours: int, high: int, wide: int, halves: bool) -> Work:
    """Four channels of windows in assembly; a single column is taken as a row."""
    lines, across = (high, wide) if wide > 1 else (1, high)
    repeated = halves and high * wide < 3
    lines *= 4 // (high * wide) if repeated else 1
    return {
        "four": fours,
        "four_line": fours * lines,
        "four_two": fours * lines * (across // 2),
        "four_odd": fours * lines * (across % 2),
        "four_even": fours * (repeated or (halves and high * wide % 2 == 0)),
    }


def _max_pool_work(sig: Signature, runs: Sequence[int]) -> Work:
    """The same, of rows that are filled before."""
    return max_pool_work(sig, runs, 4)


KERNELS = (
    kernel(Add, function="mplan_add_s8_dsp", lower=row_sums, supports=same_shapes, work=_add_work),
    kernel(Sub, function="mplan_add_s8_dsp", lower=row_sums, supports=same_shapes, work=_add_work),
    kernel(
        AvgPool2D,
        function="mplan_avg_pool2d_s8_dsp",
        lower=portable_calls,
        supports=has_two_axes,
        cost_class="pool",
        work=_average_work,
    ),
    kernel(
        MaxPool2D,
        function="mplan_max_pool2d_s8_dsp",
        lower=portable_calls,
        supports=has_two_axes,
        cost_class="pool",
        work=_max_pool_work,
    ),
)
