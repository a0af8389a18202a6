# SPDX-License-Identifier: Apache-2.0
"""Kernels for cores with a unit for float32: Cortex-M4F, M7, M33, M55."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields, is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import FLOAT_TYPES, float_limits, pixels_of

__all__ = ["BACKEND", "KERNELS"]

BACKEND = "fpu"
_EIGHT, _FOUR = 8, 4  # outputs computed at once

kernel = partial(Kernel, backend=BACKEND, requires=frozenset({"fpu"}), types=FLOAT_TYPES)


def _blocks(outputs: int) -> tuple[int, int]:
    """Blocks of eight outputs, and of a rest of up to four."""
    eights, rest = divmod(outputs, _EIGHT)
    return eights + (rest > _FOUR), int(0 < rest <= _FOUR)


def _packed(weights: Array) -> Array:
    """Weights [outputs, inputs], of each block of outputs input by input."""
    eights, fours = _blocks(len(weights))
    padded = np.pad(weights, ((0, eights * _EIGHT + fours * _FOUR - len(weights)), (0, 0)))
    whole = padded[: eights * _EIGHT].reshape(eights, _EIGHT, weights.shape[1]).transpose(0, 2, 1)
    parts = [whole.reshape(-1), padded[eights * _EIGHT :].T.reshape(-1)]
    return np.concatenate(parts).astype(np.float32)


def _fields(sig: Signature) -> dict[str, Field]:
    weights, bias = sig.constant(1), sig.constant(2)
    eights, fours = _blocks(len(bias))
    size = (eights * _EIGHT + fours * _FOUR) * (weights.size // len(weights))
    packed = Packed(size, lambda: _packed(weights.reshape(len(weights), -1)))
    return {
        "weights": ConstArray(DType.FLOAT32, packed),
        "bias": ConstArray(DType.FLOAT32, np.pad(bias, (0, -len(bias) % _EIGHT))),
        **float_limits(sig.op.act),
    }


def _block_work(inputs: int, times: int, outputs: int) -> dict[str, float]:
    """Runs of so many inputs, summed so many times for all blocks of outputs."""
    eights, fours = (count * times for count in _blocks(outputs))
    return {
        "eight": eights,
        "eight_block": eights * (inputs // 8),
        "eight_one": eights * (inputs % 8),
        "four": fours,
        "four_block": fours * (inputs // 4),
        "four_one": fours * (inputs % 4),
    }


# -- matrices -----------------------------------------------------------------------------


def _dense(sig: Signature) -> tuple[Call, ...]:
    own = {"in_c": sig.inputs[0].channels, "out_c": sig.output.channels}
    return (Call({**_fields(sig), **own, "pixels": pixels_of(sig)[1]}),)


def _dense_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Pixels by blocks of outputs."""
    outputs = sig.output.channels
    pixels = sig.output.elements // outputs
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "output": sig.output.elements,
        **_block_work(sig.inputs[0].channels, pixels, outputs),
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
    eights, fours = _blocks(outputs)
    run = inputs * columns.kernel  # of a window inside; those at borders are shorter
    return {
        "call": len(runs),
        "row": rows.windows,
        "pixel": pixels,
        "block": pixels * (eights + fours),
        "line": pixels * rows.kernel * (eights + fours),
        "eight": lines * eights,
        "eight_block": eights * max(0, taken - lines * (run % 8)) / 8,
        "eight_one": eights * lines * (run % 8),
        "four": lines * fours,
        "four_block": fours * max(0, taken - lines * (run % 4)) / 4,
        "four_one": fours * lines * (run % 4),
        "output": sig.output.elements,
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
