# SPDX-License-Identifier: Apache-2.0
"""Kernels of int16 activations: one product a multiply, sums in 32 bits, as the generator proves.

Of weights of 8 bits or of 16, four outputs at a time; a convolution does two pixels with them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.scalar._conv import conv_parts
from mcuplan.backends.scalar._depthwise import depthwise_call, depthwise_work, is_3x3, line_scratch
from mcuplan.backends.scalar._packing import weights_in_fours
from mcuplan.backends.scalar._shared import kernel, last_fields
from mcuplan.ir.op import Blocks, Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields, is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import (
    FINE_TYPES,
    INT16_TYPES,
    has_many_pixels,
    pixel_fields,
    pixels_of,
    prepared,
    taps_per_output,
)
from mcuplan.units import align_up

__all__ = ["KERNELS"]

_FOUR = 4  # outputs together, and taps of a round
_ROOM = (1 << 31) - (1 << 18)  # for a sum and its factor together, in mplan_scale_30
_TYPES = {"": INT16_TYPES, "_w16": FINE_TYPES}


def _fits(sig: Signature) -> bool:
    """Whether 32 bits hold every sum and those of its requantization by halves, without a shift."""
    requant = prepared(sig)
    reach = requant.accumulator_max + requant.multiplier
    return bool((reach < _ROOM).all()) and not requant.pre_shift.any()


def _packed_fields(sig: Signature, taps: int) -> dict[str, Field]:
    """Weights of four outputs in turn, up to ``taps`` of each; factors and limits."""
    words = align_up(sig.output.channels, _FOUR) * taps * sig.inputs[1].dtype.bits // 32

    def make() -> Array:
        weights = sig.constant(1).reshape(sig.output.channels, -1)
        padded = np.pad(weights, [(0, 0), (0, taps - weights.shape[1])])
        return weights_in_fours(padded).reshape(-1).view("<i4")

    fields: dict[str, Field] = {"packed": ConstArray(DType.INT32, Packed(words, make))}
    return fields | last_fields(sig)


def _bias(sig: Signature) -> Array:
    """As many as there are outputs, up to a multiple of four."""
    bias = prepared(sig).bias
    return np.pad(bias, (0, -len(bias) % _FOUR))


def _dense(sig: Signature) -> tuple[Call, ...]:
    fields: dict[str, Field] = {
        "bias": ConstArray(DType.INT32, _bias(sig)),
        "in_c": sig.inputs[0].channels,
        "out_c": sig.output.channels,
        "pixels": pixels_of(sig)[1],
    }
    return (Call(_packed_fields(sig, taps_per_output(sig)) | fields),)


def _dense_work(sig: Signature, calls: Sequence[int]) -> Work:
    """One pixel by four outputs at a time."""
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // out_c
    fours = pixels * -(-out_c // _FOUR)
    return {
        "call": len(calls),
        "row": sig.output.rows,
        "pixel": pixels,
        "four": fours,
        "step": fours * in_c,
        "output": sig.output.elements,
    }


def _is_matrix(sig: Signature) -> bool:
    return is_one_pixel(sig) and _fits(sig)


def _dense_blocks(sig: Signature) -> Blocks:
    """Bytes of fours of outputs, and nothing else."""
    return Blocks(0, -(-sig.output.channels // _FOUR) * taps_per_output(sig))


def _taps(sig: Signature) -> int:
    """Of a patch, up to a round."""
    return align_up(taps_per_output(sig), _FOUR)


def _conv(sig: Signature) -> tuple[Call, ...]:
    taps = _taps(sig)
    fields: dict[str, Field] = {
        "bias": ConstArray(DType.INT32, np.repeat(_bias(sig), 2)),
        "taps": taps,
        "added": taps - taps_per_output(sig),
    }
    shape = conv_fields(sig) if isinstance(sig.op, Conv2D) else pixel_fields(sig)
    return (Call(_packed_fields(sig, taps) | fields | shape),)


def _conv_work(sig: Signature, calls: Sequence[int]) -> Work:
    """Two pixels by four channels at a time, and their patches."""
    parts = dict(conv_parts(sig, calls))
    del parts["tile"]
    fours = parts["pair"] * -(-sig.output.channels // _FOUR)
    return parts | {"four": fours, "step": fours * _taps(sig)}


def _scratch(sig: Signature) -> int:
    """A patch of two pixels, their sums, and lines that are copied."""
    op, words = sig.op, _taps(sig) + 2 * align_up(sig.output.channels, _FOUR)
    if isinstance(op, Conv2D) and (op.kernel != (1, 1) or any(op.pads)):
        words += op.kernel[1] * sig.inputs[0].channels
    return 4 * words


def _conv_supports(sig: Signature) -> bool:
    assert isinstance(sig.op, Conv2D)
    return sig.op.groups == 1 and _fits(sig)


def _many_pixels(sig: Signature) -> bool:
    return has_many_pixels(sig) and _fits(sig)


def _conv_blocks(sig: Signature) -> Blocks:
    return Blocks(0, -(-sig.output.channels // _FOUR) * _taps(sig))


def _depthwise_supports(sig: Signature) -> bool:
    return is_3x3(sig) and _fits(sig)


KERNELS = (
    *(
        kernel(
            Conv2D,
            function="mplan_depthwise3x3_s16_scalar",
            lower=depthwise_call,
            work=depthwise_work,
            supports=_depthwise_supports,
            scratch_bytes=line_scratch,
            types=types,
            cost_class="depthwise",
        )
        for types in _TYPES.values()
    ),
    *(
        kernel(
            op,
            function=f"mplan_dense_s16{suffix}_scalar",
            lower=_dense,
            work=_dense_work,
            supports=supports,
            types=types,
            cost_class="dense",
            blocks=_dense_blocks if types is INT16_TYPES else None,
        )
        for suffix, types in _TYPES.items()
        for op, supports in ((Conv2D, _is_matrix), (Dense, _fits))
    ),
    *(
        kernel(
            op,
            function=f"mplan_conv2d_s16{suffix}_scalar",
            lower=_conv,
            work=_conv_work,
            supports=supports,
            scratch_bytes=_scratch,
            types=types,
            cost_class="conv2d",
            blocks=_conv_blocks if types is INT16_TYPES else None,
        )
        for suffix, types in _TYPES.items()
        for op, supports in ((Conv2D, _conv_supports), (Dense, _many_pixels))
    ),
)
