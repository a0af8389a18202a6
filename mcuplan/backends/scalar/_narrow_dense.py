# SPDX-License-Identifier: Apache-2.0
"""Matrices of weights of 4 bits applied to one pixel at a time, two outputs in a product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.scalar._shared import is_small, kernel
from mcuplan.ir.op import Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.packed import LEVEL
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import (
    BLOCK_TYPES,
    NARROW_TYPES,
    block_of,
    narrow_parts,
    pixels_of,
    prepared,
    requant_fields,
    taps_per_output,
)

__all__ = ["KERNELS"]

_EIGHT = 8  # outputs of a word
_LONGEST = 16  # inputs of a run


def _words(sig: Signature) -> Array:
    """For each eight outputs and each input a word: int32."""
    narrow, _ = narrow_parts(sig)
    raised = _in_eights(narrow.astype(np.int64) + LEVEL, LEVEL)
    places = 16 ** np.arange(_EIGHT)
    words: Array = (raised * places).sum(axis=2).astype(np.uint32).view(np.int32)
    return words


def _in_eights(values: Array, fill: int) -> Array:
    """[out_c, inputs] as [eights, inputs, 8]."""
    more = [(0, -len(values) % _EIGHT), (0, 0)]
    padded = np.pad(values, more, constant_values=fill)
    eights: Array = padded.reshape(-1, _EIGHT, values.shape[1]).transpose(0, 2, 1)
    return eights


def _dense(sig: Signature) -> tuple[Call, ...]:
    inputs, outputs = taps_per_output(sig), sig.output.channels
    eights = -(-outputs // _EIGHT)
    _, factors = narrow_parts(sig)
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, Packed(eights * inputs, lambda: _words(sig))),
        "factors": factors if factors is None else ConstArray(DType.UINT8, _in_eights(factors, 1)),
        "in_c": inputs,
        "out_c": outputs,
        "block": block_of(sig) or inputs,
        "pixels": pixels_of(sig)[1],
    }
    bias = ConstArray(DType.INT32, np.pad(prepared(sig).bias, (0, -outputs % _EIGHT)))
    return (Call(fields | requant_fields(sig) | {"bias": bias, "small": int(is_small(sig))}),)


def _work(sig: Signature, calls: Sequence[int]) -> Work:
    """One pixel by eight outputs at a time, inputs in runs."""
    inputs, outputs = taps_per_output(sig), sig.output.channels
    pixels = sig.output.elements // outputs
    eights, block = pixels * -(-outputs // _EIGHT), block_of(sig) or inputs
    sizes = [min(block, inputs - first) for first in range(0, inputs, block)]
    runs = eights * sum(-(-size // _LONGEST) for size in sizes)
    return {
        "call": len(calls),
        "row": sig.output.rows,
        "pixel": pixels,
        "eight": eights,
        "block": eights * len(sizes),
        "run": runs,
        "factor": runs * (block_of(sig) is not None),
        "step": eights * inputs,
        "output": sig.output.elements,
        "wide": sig.output.elements * (not is_small(sig)),
    }


def _supports(sig: Signature) -> bool:
    return not isinstance(sig.op, Conv2D) or is_one_pixel(sig)


KERNELS = tuple(
    kernel(
        op,
        function="mplan_dense_w4_scalar",
        lower=_dense,
        work=_work,
        supports=_supports,
        cost_class="dense",
        types=types,
    )
    for op in (Conv2D, Dense)
    for types in (NARROW_TYPES, BLOCK_TYPES)
)
