# SPDX-License-Identifier: Apache-2.0
"""Bytes that functions of CMSIS-NN want of their buffer, by what a core has.

The most that any of the releases from 4.0 on wants, compiled by any compiler: of a 1x1 convolution
some want a buffer where it has strides, and on cores with ``dsp`` where armclang compiles it.

Source: ``arm_*_get_buffer_size*()``.
"""

from __future__ import annotations

from enum import Enum

from mcuplan.ops.conv2d import Conv2D
from mcuplan.units import align_up

__all__ = ["Extension", "conv_buffer", "depthwise_buffer"]

_INT16 = 2
_COLUMNS, _COLUMNS_MVE = 2, 4  # patches that a convolution puts in order at once
_PADDED, _PADDED_MVE = 4, 16  # elements that a column is filled up to a multiple of
_BLOCK_MVE = 124  # channels of a depthwise convolution at once
_PIXELS_MVE = 4


class Extension(Enum):
    """What the library is compiled for: it decides by what the compiler says of the core."""

    NONE = frozenset[str]()
    DSP = frozenset({"dsp"})
    MVE = frozenset({"dsp", "mve"})

    @classmethod
    def of(cls, features: frozenset[str]) -> Extension:
        """The most that a core has."""
        return next(one for one in reversed(cls) if one.value <= features)


def conv_buffer(op: Conv2D, in_c: int, extension: Extension) -> int:
    """Of ``arm_convolve_wrapper_s8``, for rows at once or one by one."""
    taps = op.kernel[0] * op.kernel[1] * in_c
    if op.kernel == op.stride == op.dilation == (1, 1):
        return _COLUMNS * taps * _INT16 if extension is Extension.DSP else 0
    if extension is Extension.MVE:
        return _COLUMNS_MVE * align_up(taps, _PADDED_MVE)
    return _COLUMNS * align_up(taps, _PADDED) * _INT16


def depthwise_buffer(op: Conv2D, in_c: int, out_c: int, extension: Extension) -> int:
    """Of ``arm_depthwise_conv_wrapper_s8``; rows of scattered windows are not dilated."""
    taps = op.kernel[0] * op.kernel[1]
    if in_c != out_c or op.dilation[1] != 1 or extension is Extension.NONE:
        return 0
    if extension is Extension.MVE:
        return _PIXELS_MVE * _BLOCK_MVE * taps
    direct = op.kernel == (3, 3) and max(op.pads[:2]) <= 1
    return 0 if direct else taps * in_c * _INT16
