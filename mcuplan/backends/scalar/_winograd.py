# SPDX-License-Identifier: Apache-2.0
"""Convolutions of 3x3 and stride 1 by the minimal filtering of tiles, in exact integers.

Source: Winograd 1980, Arithmetic Complexity of Computations; Lavin and Gray 2016, section 4.3,
F(4x4, 3x3), with the factors 1/24 of the weights' transform moved to the end, where the sums are
divided exactly, modulo 2**32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.scalar._shared import is_small, kernel, last_fields
from mcuplan.ir.op import Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.ops.fields import prepared
from mcuplan.units import align_up

__all__ = ["WINOGRAD"]

_TILE, _POSITIONS = 4, 36
_PART = 16  # input channels, at most, whose weights are transformed at a time
_LARGEST = 1 << 25  # no sum reaches it: 64 times as much is divided
_UNFIT = ("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w")


def _supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    windows = op.kernel == (3, 3) and op.stride == op.dilation == (1, 1) and op.groups == 1
    return windows and sig.output.channels % 2 == 0 and is_small(sig) and _fits(sig)


def _fits(sig: Signature) -> bool:
    """Whether accumulators stay below what the division allows."""
    return int(prepared(sig).accumulator_max.max(initial=0)) < _LARGEST


def _in_fours(sig: Signature) -> Array:
    """128 + weights, int8 [out_c / 2, channels / 2, columns, rows, 2, 2]: the inputs come last.

    In words, as they are read: an array of bytes begins at any byte where a compiler saves space.
    """
    weights, (parts, part) = sig.constant(1), _parts(sig)
    more = parts * part - weights.shape[-1]
    padded = np.pad(weights, [(0, 0)] * 3 + [(0, more)])
    fours = padded.reshape(len(weights) // 2, 2, 3, 3, -1, 2).transpose(0, 4, 3, 2, 1, 5)
    shifted: Array = np.ascontiguousarray(fours).view(np.uint8) ^ np.uint8(128)
    return shifted.reshape(-1).view("<i4")


def _parts(sig: Signature) -> tuple[int, int]:
    """Into how many parts of how many input channels they are cut, with some that are 0."""
    in_c = sig.inputs[0].channels
    parts = -(-in_c // _PART)
    return parts, max(4, align_up(-(-in_c // parts), 2))


def _pairs(sig: Signature) -> int:
    """Pairs of tiles across."""
    return -(-sig.output.shape[2] // (2 * _TILE))


def _lower(sig: Signature) -> tuple[Call, ...]:
    parts, part = _parts(sig)
    packed = Packed(9 * sig.output.channels * parts * part // 4, lambda: _in_fours(sig))
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, packed),
        "bias": ConstArray(DType.INT32, prepared(sig).bias),
        "channels": parts * part,
        "part": part,
    }
    shape = {name: value for name, value in conv_fields(sig).items() if name not in _UNFIT}
    return (Call(fields | shape | last_fields(sig)),)


def _scratch_bytes(sig: Signature) -> int:
    """Transformed inputs of a row of tiles and weights of a part, sums, a pixel of padding."""
    (parts, part), pairs = _parts(sig), _pairs(sig)
    words = _POSITIONS * (pairs * parts * part + 4 * (1 if parts == 1 else pairs) + part)
    return 4 * words + align_up(sig.inputs[0].channels, 4)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Rows of tiles, two tiles by two output channels at a time; what is cut off takes as long."""
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    rows = sum(-(-count // _TILE) for count in runs)
    pairs, (parts, part) = rows * _pairs(sig), _parts(sig)
    twos = pairs * out_c // 2
    return {
        "call": len(runs),
        "row": rows,
        "pair": pairs,
        "input": pairs * in_c,
        "two": rows * out_c // 2,
        "weight": rows * out_c // 2 * parts * part,
        "position": twos * parts * _POSITIONS,
        "step": twos * parts * part * _POSITIONS,
        "tile": rows * out_c * -(-sig.output.shape[2] // _TILE),
        "output": sig.output.elements,
    }


WINOGRAD = kernel(
    Conv2D,
    function="mplan_winograd_s8_scalar",
    lower=_lower,
    work=_work,
    supports=_supports,
    scratch_bytes=_scratch_bytes,
    cost_class="conv2d",
    tall=_TILE,
)
