# SPDX-License-Identifier: Apache-2.0
"""Portable kernels of pools: their calls, and what their loops count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import DType
from mcuplan.ir.work import Work, block_parts
from mcuplan.ops._pools import EXTREME_TYPES, Pool, axis_names, extreme_call
from mcuplan.ops._windows import three_axes
from mcuplan.ops.fields import INT16_TYPES
from mcuplan.ops.min_pool import MinPool2D
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D, average_factors, divides

__all__ = ["KERNELS", "has_two_axes", "max_pool_work", "pool_taps", "pool_work"]

MODES: dict[type[Pool], int] = {MaxPool2D: 0, MinPool2D: 1, AvgPool2D: 2}
"""The kernels' ``mode``; an average is the one behind its sum."""
_SUFFIXES = {DType.FLOAT32: "f32", DType.INT16: "s16"}


def _avg_pool(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, AvgPool2D)
    fields = op.fields(sig)
    for side, value in zip(("top", "left", "bottom", "right"), op.counted, strict=True):
        fields[f"counted_{side}"] = value
    return (Call(fields | _grids(sig) | {"divide": int(op.divide)}),)


def _grids(sig: Signature) -> dict[str, Field]:
    """Zero points of an average, and its factors where it does not divide."""
    fields: dict[str, Field] = {"in_zero_point": sig.inputs[0].q.z}
    fields["out_zero_point"] = sig.output.q.z
    if divides(sig):
        return fields
    first, multiplier, pre_shift = average_factors(sig)
    return fields | {
        "first_count": first,
        "multiplier": ConstArray(DType.INT32, multiplier, "tables"),
        "pre_shift": ConstArray(DType.UINT8, pre_shift, "tables"),
    }


def has_two_axes(sig: Signature) -> bool:
    """Whether the kernels over two axes take a pool; averages there are not dilated."""
    op = sig.op
    assert isinstance(op, Pool)
    return len(op.kernel) == 2 and (not isinstance(op, AvgPool2D) or op.dilation == (1, 1))


def _three_axes(sig: Signature) -> bool:
    """Of integers: what no other kernel takes."""
    return sig.output.dtype is not DType.INT8 or not has_two_axes(sig)


def _general(sig: Signature) -> tuple[Call, ...]:
    """The call of a kernel over three axes."""
    op = sig.op
    assert isinstance(op, Pool)
    fields, integers = op.fields_of_three(sig), sig.output.dtype is not DType.FLOAT32
    fields["mode"] = MODES[type(op)]
    if isinstance(op, AvgPool2D):
        half = len(op.kernel)
        fields |= axis_names("before", three_axes(op.counted[:half], 0))
        fields |= axis_names("after", three_axes(op.counted[half:], 0))
        fields["mode"] = MODES[type(op)] + op.divide
        fields |= _grids(sig) if integers else {}
    elif sig.output.dtype is DType.UINT8:
        fields["flip_sign"] = 128
    return (Call(fields),)


def pool_work(sig: Signature, runs: Sequence[int], side_by_side: int = 8) -> Work:
    """Some channels of a window at a time, then those that are left; taps inside the input."""
    rows, columns = sig.taps(1), sig.taps(2)
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
    output, taps = sig.output, sig.taps(1)
    work = Counter(pool_work(sig, runs, side_by_side))
    aligned = output.channels % 4 == 0
    work.update(block_parts("fill", output.rows, output.row_bytes, aligned=aligned))
    work["kernel_row"] = taps.windows * taps.kernel
    if output.channels >= side_by_side:
        work["wide_tap"], work["wide_line"] = work["tap"], work["line"]
    return work


def _min_pool_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Rows that are filled, then windows by lines and taps, those inside with their channels."""
    output = sig.output
    rows, columns = sig.taps(1), sig.taps(2)
    lines, taps = rows.inside * columns.windows, rows.inside * columns.inside
    return {
        "call": len(runs),
        "row": output.rows,
        "word": output.rows * (output.row_bytes // 4),
        "kernel_row": output.rows * rows.kernel,
        "line": lines,
        "column": lines * columns.kernel,
        "tap": taps,
        "step": taps * output.channels,
    }


def pool_taps(sig: Signature) -> tuple[int, int, int, int]:
    """Taps inside the input of all windows along D, H and W, and how many there are along W."""
    op = sig.op
    assert isinstance(op, Pool)
    size, made = sig.inputs[0].shape[1:-1], three_axes(sig.output.shape[1:-1], 1)
    inside = [int(op.taps(size, axis, 0, 0).sum()) for axis in range(len(size))]
    first, high, wide = three_axes(inside, 1)
    return first, high, wide, made[2]


def _general_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Eight channels of a window at a time; taps inside the input, each with its channels."""
    channels = sig.output.channels
    first, high, wide, columns = pool_taps(sig)
    pixels, blocks = sig.output.elements // channels, -(-channels // 8)
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "block": pixels * blocks,
        "line": first * high * columns * blocks,
        "tap": first * high * wide * blocks,
        "one": first * high * wide * channels,
        "output": sig.output.elements,
    }


def _int16_work(sig: Signature, runs: Sequence[int]) -> Work:
    """The same; an average takes its taps in another loop, and is divided."""
    work = dict(_general_work(sig, runs))
    averages = isinstance(sig.op, AvgPool2D)
    divided = work["output"] if averages and divides(sig) else 0.0
    summed = work["one"] if averages else 0.0
    return work | {"summed": summed, "averaged": work["output"] * averages, "divided": divided}


def _over_three(op: type[Pool]) -> tuple[Kernel, ...]:
    """The general kernels of one operator."""
    return tuple(
        Kernel(
            op,
            f"mplan_pool3d_{_SUFFIXES.get(types.outputs[0], 's8')}",
            _general,
            supports=_three_axes,
            types=types,
            cost_class="pool",
            work=_int16_work if types is INT16_TYPES else _general_work,
        )
        for types in op.types
    )


KERNELS = (
    Kernel(
        AvgPool2D,
        "mplan_avg_pool2d_s8",
        _avg_pool,
        supports=has_two_axes,
        cost_class="pool",
        work=pool_work,
    ),
    Kernel(
        MaxPool2D,
        "mplan_max_pool2d_s8",
        extreme_call,
        types=EXTREME_TYPES[0],
        supports=has_two_axes,
        cost_class="pool",
        work=max_pool_work,
    ),
    Kernel(
        MinPool2D,
        "mplan_min_pool2d_s8",
        extreme_call,
        types=EXTREME_TYPES[0],
        supports=has_two_axes,
        cost_class="pool",
        work=_min_pool_work,
    ),
    *_over_three(AvgPool2D),
    *_over_three(MaxPool2D),
    *_over_three(MinPool2D),
)
