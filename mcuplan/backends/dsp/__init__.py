# SPDX-License-Identifier: Apache-2.0
"""Kernels for cores with dual 16-bit multiply-accumulate: Cortex-M4, M7, M33."""

from __future__ import annotations

from mcuplan.backends.dsp import (
    _attention,
    _columns,
    _conv,
    _conv3d,
    _dense,
    _dense_narrow,
    _depthwise,
    _eltwise,
    _halves,
    _matmul,
    _normalize,
    _planes,
    _pointwise,
    _recurrent,
    _rows,
    _softmax,
    _winograd,
    _winograd_line,
    _winograd_narrow,
)
from mcuplan.backends.dsp._depthwise import depthwise3x3_supports, depthwise_supports
from mcuplan.backends.dsp._shared import BACKEND
from mcuplan.ir.op import Signature
from mcuplan.ops.conv2d import Conv2D

__all__ = ["BACKEND", "KERNELS", "channel_multiple"]


def channel_multiple(sig: Signature) -> int:
    """Words hold two channels; depthwise kernels of any size take four at a time."""
    grouped = isinstance(sig.op, Conv2D) and sig.op.groups == sig.inputs[0].channels > 1
    return 4 if grouped and not depthwise3x3_supports(sig) and depthwise_supports(sig) else 2


KERNELS = (
    *_eltwise.KERNELS,
    *_normalize.KERNELS,
    *_softmax.KERNELS,
    *_depthwise.KERNELS,
    *_planes.KERNELS,
    *_columns.KERNELS,
    _dense.POINTWISE,
    *_pointwise.FEW_CHANNELS,
    *_winograd.TILES,
    *_winograd_line.LINES,
    *_winograd_narrow.NARROW,
    _rows.FOURS,
    *_rows.ROWS,
    *_conv.KERNELS,
    _conv3d.CONV3D,
    _dense.DENSE,
    *_dense_narrow.KERNELS,
    *_matmul.MATMULS,
    *_attention.ATTENTIONS,
    *_recurrent.RECURRENT,
    *_halves.KERNELS,
)
