# SPDX-License-Identifier: Apache-2.0
"""Kernels for cores with a unit for float32: Cortex-M4F, M7, M33, M55."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mcuplan.ir.op import NO_CLAMP, Call, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields, is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import FLOAT_TYPES, float_limits, pixels_of

__all__ = ["BACKEND", "KERNELS"]

BACKEND = "fpu"
_EIGHT, _FOUR, _TWO = 8, 4, 2  # outputs computed at once

kernel = partial(Kernel, backend=BACKEND, requires=frozenset({"fpu"}), types=FLOAT_TYPES)


def _blocks(outputs: int) -> tuple[int, int, int]:
    """Blocks of eight outputs, of four, and of two."""
    eights, rest = divmod(outputs, _EIGHT)
    return eights + (rest > 6), int(2 < rest <= 6), int(rest in (1, 2, 5, 6))


def _padded(outputs: int) -> int:
    """Outputs of all blocks."""
    return sum(n * size for n, size in zip(_blocks(outputs), (_EIGHT, _FOUR, _TWO), strict=True))


def _packed(weights: Array) -> Array:
    """Weights [outputs, inputs], of each block of outputs input by input."""
    padded = np.pad(weights, ((0, _padded(len(weights)) - len(weights)), (0, 0)))
    parts, at = [], 0
    for count, size in zip(_blocks(len(weights)), (_EIGHT, _FOUR, _TWO), strict=True):
        blocks = padded[at : at + count * size].reshape(count, size, weights.shape[1])
        parts.append(blocks.transpose(0, 2, 1).reshape(-1))
        at += count * size
    return np.concatenate(parts).astype(np.float32)


def _fields(sig: Signature) -> dict[str, Field]:
    weights, bias = sig.constant(1), sig.constant(2)
    size = _padded(len(bias)) * (weights.size // len(weights))
    packed = Packed(size, lambda: _packed(weights.reshape(len(weights), -1)))
    return {
        "weights": ConstArray(DType.FLOAT32, packed),
        "bias": ConstArray(DType.FLOAT32, np.pad(bias, (0, -len(bias) % _EIGHT))),
        **float_limits(sig.op.act),
    }


def _sums(values: float, run: int, lines: float, outputs: int) -> dict[str, float]:
    """Inputs taken one block after the other, and one by one behind the last.

    Args:
        values: inputs of all lines.
        run: inputs of a whole line.
        lines: that all windows take.
        outputs: channels.
    """
    work = {}
    widths = zip(("eight", "four", "two"), _blocks(outputs), (8, 4, 8), strict=True)
    for name, count, size in widths:
        ones = lines * (run % size)
        work[f"{name}_block"] = count * max(0, values - ones) / size
        work[f"{name}_one"] = count * ones
    return work


# -- matrices -----------------------------------------------------------------------------


def _dense(sig: Signature) -> tuple[Call, ...]:
    own = {"in_c": sig.inputs[0].channels, "out_c": sig.output.channels}
    return (Call({**_fields(sig), **own, "pixels": pixels_of(sig)[1]}),)


def _dense_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Pixels by blocks of outputs."""
    inputs, outputs = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // outputs
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "block": pixels * sum(_blocks(outputs)),
        "part_of_block": pixels * (_padded(outputs) > outputs),
        "limited": pixels * _padded(outputs) * (sig.op.act != NO_CLAMP),
        **_sums(pixels * inputs, inputs, pixels, outputs),
    }


def _is_matrix(sig: Signature) -> bool:
    """Whether a convolution is a matrix applied to each pixel."""
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.kernel == op.stride == (1, 1) and not any(op.pads) and op.groups == 1
    return plain or is_one_pixel(sig)


# -- convolutions -------------------------------------------------------------------------


def _in_one_run(sig: Signature) -> bool:
    """Whether a row of the kernel is a run of values of a row of the input."""
    op = sig.op
    assert isinstance(op, Conv2D)
    return op.groups == 1 and (op.dilation[1] == 1 or op.kernel[1] == 1)


def _conv(sig: Signature) -> tuple[Call, ...]:
    own = {k: v for k, v in conv_fields(sig).items() if k != "dilation_w"}
    return (Call({**_fields(sig), **own}),)


def _conv_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Windows by blocks of outputs, a run of each row of the kernel that lies inside."""
    inputs, outputs = sig.inputs[0].channels, sig.output.channels
    rows, columns = sig.taps(1), sig.taps(2)
    pixels = rows.windows * columns.windows
    lines = rows.inside * columns.windows
    taken = rows.inside * columns.inside * inputs  # values, by all windows
    blocks = sum(_blocks(outputs))
    run = inputs * columns.kernel  # of a window inside; those at borders are shorter
    return {
        "call": len(runs),
        "row": rows.windows,
        "pixel": pixels,
        "block": pixels * blocks,
        "line": lines * blocks,
        "part_of_block": pixels * (_padded(outputs) > outputs),
        "limited": pixels * _padded(outputs) * (sig.op.act != NO_CLAMP),
        **_sums(taken, run, lines, outputs),
    }


KERNELS = (
    kernel(
        Conv2D,
        "mplan_dense_f32_fpu",
        _dense,
        supports=_is_matrix,
        cost_class="dense",
        work=_dense_work,
    ),
    kernel(
        Conv2D,
        "mplan_conv2d_f32_fpu",
        _conv,
        supports=_in_one_run,
        cost_class="conv2d",
        work=_conv_work,
    ),
    kernel(Dense, "mplan_dense_f32_fpu", _dense, cost_class="dense", work=_dense_work),
)
