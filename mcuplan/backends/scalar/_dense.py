# SPDX-License-Identifier: Apache-2.0
"""Matrices applied to one pixel at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.scalar._packing import weights_in_fours
from mcuplan.backends.scalar._shared import is_small, kernel, last_fields
from mcuplan.ir.op import Blocks, Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import pixels_of, prepared, taps_per_output

__all__ = ["DENSE", "POINTWISE"]


def _is_matrix(sig: Signature) -> bool:
    return is_one_pixel(sig) and is_small(sig)


def _fours(sig: Signature) -> Array:
    weights = sig.constant(1)
    return weights_in_fours(weights.reshape(len(weights), -1))


def _dense(sig: Signature) -> tuple[Call, ...]:
    bias = prepared(sig).bias
    size = (len(bias) + -len(bias) % 4) * taps_per_output(sig)
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT8, Packed(size, lambda: _fours(sig))),
        "bias": ConstArray(DType.INT32, np.pad(bias, (0, -len(bias) % 4))),
        "in_c": sig.inputs[0].channels,
        "out_c": sig.output.channels,
        "pixels": pixels_of(sig)[1],
    }
    return (Call(fields | last_fields(sig)),)


def _dense_work(sig: Signature, calls: Sequence[int]) -> Work:
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


def _blocks(sig: Signature) -> Blocks:
    """Bytes of fours of outputs, and nothing else."""
    return Blocks(0, -(-sig.output.channels // 4) * taps_per_output(sig))


POINTWISE = kernel(
    Conv2D,
    function="mplan_dense_s8_scalar",
    lower=_dense,
    work=_dense_work,
    supports=_is_matrix,
    cost_class="dense",
    blocks=_blocks,
)


DENSE = kernel(
    Dense,
    function="mplan_dense_s8_scalar",
    lower=_dense,
    work=_dense_work,
    supports=is_small,
    cost_class="dense",
    blocks=_blocks,
)
