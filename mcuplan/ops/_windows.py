# SPDX-License-Identifier: Apache-2.0
"""Windows over rows and columns, shared by convolutions and pools."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import OnnxNode
from mcuplan.ir.geometry import Window
from mcuplan.ir.types import Array

__all__ = ["Pads", "output_size", "padded", "patches", "read_pads", "two", "windows"]

Pads = tuple[int, int, int, int]
"""Padding elements: top, left, bottom, right."""


def two(values: Sequence[int]) -> tuple[int, int]:
    """(H, W) of a 1-D or 2-D attribute; a 1-D signal has its length on H and a W of 1."""
    if len(values) == 1:
        return (values[0], 1)
    if len(values) == 2:
        return (values[0], values[1])
    raise UnsupportedOp(f"{len(values)}-D windows", hint="1-D and 2-D are supported")


def output_size(size: int, kernel: int, stride: int, dilation: int, pads: int) -> int:
    """Output elements along one axis."""
    return (size + pads - ((kernel - 1) * dilation + 1)) // stride + 1


def windows(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], pads: Pads
) -> tuple[Window, Window]:
    """The maps of height and width."""
    rows, columns = map(Window, kernel, stride, dilation, pads)
    return rows, columns


def read_pads(
    node: OnnxNode,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> Pads:
    """Explicit padding from ``pads`` or ``auto_pad``.

    Raises:
        UnsupportedOp: negative padding, or an unknown ``auto_pad``.
    """
    mode = node.get_str("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        pads = node.get_ints("pads", (0,) * 4)
        if len(pads) == 2:
            pads = (pads[0], 0, pads[1], 0)
        if len(pads) != 4 or min(pads) < 0:
            raise UnsupportedOp(f"pads={list(pads)}", hint="give non-negative padding")
        return (pads[0], pads[1], pads[2], pads[3])
    if mode == "VALID":
        return (0, 0, 0, 0)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedOp(f"auto_pad={mode}", hint="export with explicit pads")
    before, after = [], []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        small = total // 2
        before.append(small if mode == "SAME_UPPER" else total - small)
        after.append(total - before[-1])
    return (before[0], before[1], after[0], after[1])


def padded(x: Array, pads: Pads, value: float) -> Array:
    """NHWC array with a border of ``value``."""
    top, left, bottom, right = pads
    if not any(pads):
        return x
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def patches(
    x: Array, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> Array:
    """View of every window of a padded NHWC array: [N, out_h, out_w, kernel_h, kernel_w, C]."""
    n, h, w, c = x.shape
    out_h = output_size(h, kernel[0], stride[0], dilation[0], 0)
    out_w = output_size(w, kernel[1], stride[1], dilation[1], 0)
    sn, sh, sw, sc = x.strides
    return np.lib.stride_tricks.as_strided(
        x,
        (n, out_h, out_w, kernel[0], kernel[1], c),
        (sn, sh * stride[0], sw * stride[1], sh * dilation[0], sw * dilation[1], sc),
        writeable=False,
    )
