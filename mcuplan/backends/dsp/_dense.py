# SPDX-License-Identifier: Apache-2.0
"""Matrices applied to one pixel at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.dsp._shared import (
    channel_array,
    clamped,
    kernel,
    last_fields,
    run_words,
    shares_words,
    shifts,
)
from mcuplan.ir.op import Call, Field, Signature
from mcuplan.ir.types import Array
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import pixels_of

__all__ = ["DENSE", "POINTWISE", "matrix", "matrix_steps"]


def matrix(sig: Signature) -> Array:
    """Weights of one pixel in the order of the widened inputs: int64 [out_c, steps, 2]."""
    weights = sig.constant(1).astype(np.int64)
    return run_words(weights.reshape(len(weights), -1))


def matrix_steps(sig: Signature) -> int:
    """Words of a pixel."""
    return -(-sig.inputs[0].channels // 2)


def _is_matrix(sig: Signature) -> bool:
    """Whether a convolution is a matrix applied to each pixel."""
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.kernel == op.stride == (1, 1) and not any(op.pads) and op.groups == 1
    return (plain or is_one_pixel(sig)) and shares_words(sig)


def _dense(sig: Signature) -> tuple[Call, ...]:
    fields: dict[str, Field] = {
        "packed": channel_array(sig, matrix_steps(sig), matrix),
        "in_c": sig.inputs[0].channels,
        "out_c": sig.output.channels,
        "pixels": pixels_of(sig)[1],
    }
    return (Call(fields | last_fields(sig)),)


def _dense_work(sig: Signature, runs: Sequence[int]) -> Work:
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
        "shifted": fours * shifts(sig),
        **clamped(sig),
    }


POINTWISE = kernel(
    Conv2D,
    function="mplan_dense_s8_dsp",
    lower=_dense,
    work=_dense_work,
    supports=_is_matrix,
    cost_class="dense",
)


DENSE = kernel(
    Dense,
    function="mplan_dense_s8_dsp",
    lower=_dense,
    work=_dense_work,
    supports=shares_words,
    cost_class="dense",
)
