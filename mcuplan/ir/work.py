# SPDX-License-Identifier: Apache-2.0
"""What loops count: how often the parts of a kernel run for one whole output.

A kernel names its parts and counts them from shapes alone; how many cycles each part takes
is measured (`mcuplan.price.cycles`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from mcuplan.ir.op import Kernel, Signature

__all__ = [
    "Taps",
    "Work",
    "block_parts",
    "conv_work",
    "dense_work",
    "depthwise_work",
    "max_pool_work",
    "plain_work",
    "pool_work",
    "taps_of",
    "work_of",
]

Work = Mapping[str, float]


class _Windowed(Protocol):
    """An operator with windows: per axis (H, W); ``pads`` top, left, bottom, right."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Taps:
    """Windows along one axis of all outputs.

    ``counts`` are the taps of each window that lie in the input.
    """

    kernel: int
    windows: int
    counts: tuple[int, ...]

    @property
    def inside(self) -> int:
        """Of all windows together."""
        return sum(self.counts)

    @property
    def whole(self) -> int:
        """Windows of which all taps do."""
        return sum(count == self.kernel for count in self.counts)


def taps_of(sig: Signature, axis: int) -> Taps:
    """The windows of an operator that has some, along H (0) or W (1)."""
    op = cast(_Windowed, sig.op)
    size, counts = sig.inputs[0].shape[1 + axis], []
    windows, kernel = sig.output.shape[1 + axis], op.kernel[axis]
    for k in range(windows):
        at = k * op.stride[axis] - op.pads[axis]
        counts.append(sum(0 <= at + t * op.dilation[axis] < size for t in range(kernel)))
    return Taps(kernel, windows, tuple(counts))


def work_of(kernel: Kernel, sig: Signature, runs: Sequence[int] = ()) -> Work:
    """What a kernel says, else what every kernel of its class counts.

    ``runs`` are the output rows of each call; without them one call makes all.
    """
    runs = runs or (sig.output.rows,)
    if kernel.work is not None:
        return kernel.work(sig, runs)
    by_class: Mapping[str, Callable[[Signature, Sequence[int]], Work]] = {
        "conv2d": conv_work,
        "depthwise": depthwise_work,
        "dense": dense_work,
        "pool": pool_work,
    }
    return by_class.get(kernel.cost_class, plain_work)(sig, runs)


def block_parts(name: str, times: float, nbytes: int, *, aligned: bool) -> dict[str, float]:
    """What the C library's copy or fill of a block counts: 16 bytes a round, words, the rest.

    From 4 to 7 bytes go one by one unless they are aligned.
    """
    short = 4 <= nbytes < 8 and not aligned
    return {
        name: times,
        f"{name}_round": times * (nbytes // 16),
        f"{name}_word": 0 if short else times * (nbytes % 16 // 4),
        f"{name}_pair": 0 if short else times * (nbytes % 4 >= 2),
        f"{name}_odd": 0 if short else times * (nbytes % 2),
        f"{name}_skewed": times * (nbytes >= 8 and not aligned),
        f"{name}_few": times * (nbytes < 4),
        f"{name}_short": times * short,
        f"{name}_short_byte": times * nbytes * short,
    }


def plain_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Calls, rows, pixels, elements made, and what is done for them."""
    output = sig.output
    cost = sig.op.cost(sig.inputs, sig.outputs)
    pixels = output.elements / max(1, output.channels)
    same = all(kind.shape == output.shape for kind in sig.inputs)
    return {
        "call": len(runs),
        "row": output.rows,
        "line": output.rows if same else pixels,
        "pixel": pixels,
        "output": output.elements,
        "step": cost.macs + cost.ops,
    }


def conv_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Two channels of a pixel at a time, a run of each kernel row in fours, then the padding."""
    out_c, kernel_h, kernel_w, group_c = sig.constant(1).shape
    rows, columns = taps_of(sig, 0), taps_of(sig, 1)
    wide = sig.op.window(sig.inputs).size[1] > kernel_w
    whole = group_c == sig.inputs[0].channels and not wide
    groups = sig.inputs[0].channels // group_c
    pairs = groups * -(-out_c // groups // 2)  # of each pixel
    run, count = (kernel_w * group_c, columns.windows) if whole else (group_c, columns.inside)
    taps = rows.inside * columns.inside
    ones = pairs * rows.inside * count * (run % 4)
    pixels = rows.windows * columns.windows
    return {
        "call": len(runs),
        "row": rows.windows,
        "pixel": pixels,
        "pair": pairs * pixels,
        "line": pairs * rows.inside * columns.windows,
        "run": pairs * rows.inside * count,
        "four": max(0, pairs * taps * group_c - ones) / 4,
        "one": ones,
        "padding": pairs * (pixels * kernel_h * kernel_w - taps) * group_c,
        "padding_line": pairs * (pixels * kernel_h - rows.inside * columns.windows),
        "output": sig.output.elements,
    }


def depthwise_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four channels of a pixel at a time, then one by one; every tap, inside or not."""
    out_c = sig.output.channels
    rows, columns = taps_of(sig, 0), taps_of(sig, 1)
    fours = out_c // 4 if out_c == sig.inputs[0].channels else 0
    ones = out_c - 4 * fours
    pixels = rows.windows * columns.windows
    lines = pixels * rows.kernel
    outside = pixels * rows.kernel * columns.kernel - rows.inside * columns.inside
    return {
        "call": len(runs),
        "row": rows.windows,
        "pixel": pixels,
        "four": pixels * fours,
        "four_line": lines * fours,
        "four_tap": rows.inside * columns.inside * fours,
        "four_outside": outside * fours,
        "one_line": lines * ones,
        "one_tap": lines * columns.kernel * ones,
        "output": sig.output.elements,
    }


def dense_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Two outputs of a pixel at a time."""
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // out_c
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "pair": pixels * (out_c // 2),
        "pair_step": pixels * (out_c // 2) * in_c,
        "last_step": pixels * (out_c % 2) * in_c,
        "output": sig.output.elements,
    }


def pool_work(sig: Signature, runs: Sequence[int], side_by_side: int = 8) -> Work:
    """Some channels of a window at a time, then those that are left; taps inside the input."""
    rows, columns = taps_of(sig, 0), taps_of(sig, 1)
    blocks, rest = divmod(sig.output.channels, side_by_side)
    lines, taps = rows.inside * columns.windows, rows.inside * columns.inside
    return {
        "call": len(runs),
        "row": rows.windows,
        "pixel": rows.windows * columns.windows,
        "line": lines,
        "column": lines * columns.kernel,
        "tap": taps,
        "block": rows.windows * columns.windows * blocks,
        "block_line": lines * blocks,
        "block_tap": taps * blocks,
        "rest_line": lines * (rest > 0),
        "rest_tap": taps * (rest > 0),
        "one_tap": taps * rest,
        "output": sig.output.elements,
    }


def max_pool_work(sig: Signature, runs: Sequence[int], side_by_side: int = 8) -> Work:
    """Rows that are filled, and what pools count; taps of many channels keep more at hand."""
    output, taps = sig.output, taps_of(sig, 0)
    work = Counter(pool_work(sig, runs, side_by_side))
    aligned = output.channels % 4 == 0
    work.update(block_parts("fill", output.rows, output.row_bytes, aligned=aligned))
    work["kernel_row"] = taps.windows * taps.kernel
    if output.channels >= side_by_side:
        work["wide_tap"], work["wide_line"] = work["tap"], work["line"]
    return work
