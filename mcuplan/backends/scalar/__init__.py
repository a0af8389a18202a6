# SPDX-License-Identifier: Apache-2.0
"""Kernels for cores whose fastest multiply gives 32 bits: Cortex-M0, M0+, M3.

Requantization needs no product of 64 bits, and one multiply does two multiply-accumulates
wherever two pixels of 8 bits share their weights.
"""

from __future__ import annotations

from mcuplan.backends.scalar import (
    _conv,
    _dense,
    _depthwise,
    _eltwise,
    _narrow,
    _narrow_dense,
    _wide,
    _winograd,
)
from mcuplan.backends.scalar._shared import BACKEND

__all__ = ["BACKEND", "KERNELS"]


KERNELS = (
    *_eltwise.KERNELS,
    _depthwise.DEPTHWISE,
    _dense.POINTWISE,
    _winograd.WINOGRAD,
    _conv.CONV,
    _conv.PIXELS,
    _dense.DENSE,
    *_narrow_dense.KERNELS,
    *_narrow.KERNELS,
    *_wide.KERNELS,
)
