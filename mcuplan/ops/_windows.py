# SPDX-License-Identifier: Apache-2.0
"""Windows over two or three axes of pixels, shared by convolutions and pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.ir.builder import OnnxNode, rows_layout
from mcuplan.ir.geometry import ALL, SAME, AxisMap, Gathered, Window
from mcuplan.ir.graph import Layout
from mcuplan.ir.types import Array

__all__ = [
    "NO_PADS",
    "Pads",
    "WindowsRead",
    "channels_first",
    "group_channels",
    "output_size",
    "padded",
    "patches",
    "read_windows",
    "spatial",
    "tap_axes",
    "taps_held",
    "three_axes",
    "windows",
]

Pads = tuple[int, ...]
"""Padding elements before each axis (top, left), then behind each of them (bottom, right)."""

NO_PADS: Pads = (0, 0, 0, 0)


def spatial(values: Sequence[int], other: int = 1) -> tuple[int, ...]:
    """Values by axis; a 1-D signal has its length on H and a W of 1."""
    return (values[0], other) if len(values) == 1 else tuple(values)


def three_axes(values: Sequence[int], other: int) -> tuple[int, ...]:
    """Values by axis for kernels over D (rows), H and W: what has two axes is as high as one."""
    return (values[0], other, values[1]) if len(values) == 2 else tuple(values)


def group_channels(groups: int, inputs: int, outputs: int) -> AxisMap:
    """The channels that each filter of a convolution reads: those of its group."""
    if groups == 1:
        return ALL
    if groups == inputs == outputs:
        return SAME
    size, filters = inputs // groups, outputs // groups
    starts = (o // filters * size for o in range(outputs))
    return Gathered(tuple(tuple(range(start, start + size)) for start in starts))


def output_size(size: int, kernel: int, stride: int, dilation: int, pads: int) -> int:
    """Output elements along one axis."""
    return (size + pads - ((kernel - 1) * dilation + 1)) // stride + 1


def channels_first(kernel: Sequence[int]) -> tuple[int, ...]:
    """Order of the axes of pixels in ONNX, channels behind the samples."""
    last = len(kernel) + 1
    return (0, last, *range(1, last))


def windows(
    kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], pads: Pads
) -> tuple[Window, ...]:
    """The map of each axis."""
    return tuple(map(Window, kernel, stride, dilation, pads))


@dataclass(frozen=True, slots=True)
class WindowsRead:
    """Windows of a node by axis, and the layout in which it has these axes."""

    layout: Layout
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pads

    @property
    def window(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], Pads]:
        """Kernel, stride, dilation and pads, as operators take them."""
        return self.kernel, self.stride, self.dilation, self.pads


def read_windows(node: OnnxNode, shape: Sequence[int], kernel: Sequence[int]) -> WindowsRead:
    """Windows over the spatial axes of a channels-first tensor.

    Several samples are one more axis in front, of which a window takes one.

    Raises:
        UnsupportedOp, DamagedModel: a rank or attributes that no operator has.
    """
    rank, found = len(shape), len(kernel)
    samples = shape[0] > 1
    if rank not in (3, 4, 5) or (samples and rank == 5):
        raise UnsupportedOp(
            f"{node.op_type} of shape {list(shape)}", hint="1-D, 2-D and 3-D are supported"
        )
    stride = node.get_ints("strides", (1,) * found)
    dilation = node.get_ints("dilations", (1,) * found)
    if not rank - 2 == found == len(stride) == len(dilation):
        raise UnsupportedOp(f"kernel of {found} axes, strides={list(stride)} for rank {rank}")
    if min(*kernel, *stride, *dilation) < 1:
        raise DamagedModel(
            f"kernel={list(kernel)} strides={list(stride)} dilations={list(dilation)}"
        )
    pads = read_pads(node, shape[2:], kernel, stride, dilation)
    front = (1,) if samples else ()
    layout = rows_layout(rank)
    before, after = spatial(pads[:found], 0), spatial(pads[found:], 0)
    return WindowsRead(
        (None, *layout) if samples else layout,
        (*shape[: len(front)], *spatial(shape[2:])),
        (*front, *spatial(kernel)),
        (*front, *spatial(stride)),
        (*front, *spatial(dilation)),
        (*(0 for _ in front), *before, *(0 for _ in front), *after),
    )


def read_pads(
    node: OnnxNode,
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Pads:
    """Explicit padding from ``pads`` or ``auto_pad``, in the model's axes.

    Raises:
        UnsupportedOp: negative padding, or an unknown ``auto_pad``.
    """
    mode = node.get_str("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        pads = node.get_ints("pads", (0,) * (2 * len(size)))
        if len(pads) != 2 * len(size) or min(pads) < 0:
            raise UnsupportedOp(f"pads={list(pads)}", hint="give non-negative padding")
        return pads
    if mode == "VALID":
        return (0,) * (2 * len(size))
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedOp(f"auto_pad={mode}", hint="export with explicit pads")
    before, after = [], []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        small = total // 2
        before.append(small if mode == "SAME_UPPER" else total - small)
        after.append(total - before[-1])
    return (*before, *after)


def padded(x: Array, pads: Pads, value: float) -> Array:
    """Pixels of channels with a border of ``value``."""
    if not any(pads):
        return x
    half = len(pads) // 2
    sides = zip(pads[:half], pads[half:], strict=True)
    return np.pad(x, ((0, 0), *sides, (0, 0)), constant_values=value)


def patches(
    x: Array, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Array:
    """View of every window of padded pixels: [N, H', W', kernel_h, kernel_w, C], or of 3 axes."""
    sizes = x.shape[1:-1]
    out = tuple(map(output_size, sizes, kernel, stride, dilation, (0,) * len(sizes)))
    first, *steps, last = x.strides
    far = (step * s for step, s in zip(steps, stride, strict=True))
    near = (step * d for step, d in zip(steps, dilation, strict=True))
    return np.lib.stride_tricks.as_strided(
        x,
        (len(x), *out, *kernel, x.shape[-1]),
        (first, *far, *near, last),
        writeable=False,
    )


def tap_axes(kernel: Sequence[int]) -> tuple[int, ...]:
    """Axes of patches along which their taps lie."""
    return tuple(range(1 + len(kernel), 1 + 2 * len(kernel)))


def taps_held(shape: Sequence[int], window: Sequence[Sequence[int]], pads: Pads) -> Array:
    """Which taps of each window lie in pixels of that shape: [1, H', W', kernel_h, kernel_w]."""
    inside = padded(np.ones((1, *shape[1:-1], 1), bool), pads, False)
    held: Array = patches(inside, *window)[..., 0]
    return held
