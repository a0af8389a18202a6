# SPDX-License-Identifier: Apache-2.0
"""Cycles of the dsp kernels on a Cortex-M4, counted from their instructions.

The loops are exact; what surrounds them in C depends on the compiler and is a mean of -O2.
"""

from __future__ import annotations

from mcuplan.ir.op import Signature
from mcuplan.ops.conv2d import Conv2D

__all__ = [
    "add_cycles",
    "conv_cycles",
    "dense_cycles",
    "depthwise3x3_cycles",
    "depthwise_cycles",
]


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _inside(sig: Signature, axis: int) -> tuple[int, int]:
    """Windows wholly inside the input along an axis, and all taps inside it."""
    op = sig.op
    assert isinstance(op, Conv2D)
    size, whole, taps = sig.inputs[0].shape[1 + axis], 0, 0
    for k in range(sig.output.shape[1 + axis]):
        at = k * op.stride[axis] - op.pads[axis]
        seen = [at + t * op.dilation[axis] for t in range(op.kernel[axis])]
        count = sum(0 <= x < size for x in seen)
        whole += count == op.kernel[axis]
        taps += count
    return whole, taps


def _widen(count: int) -> int:
    """Four bytes in six cycles, and what the rest takes."""
    words, rest = divmod(count, 4)
    return 6 * words + 6 * max(0, _ceil(words, 8) - 1) + (3, 8, 10, 13)[rest]


def _tile(steps: int, outputs: int) -> int:
    """Two pixels by all output channels."""
    fours = _ceil(outputs, 4)
    rest = 90 if outputs % 4 else 0
    return fours * (15 * steps + 6 * _ceil(steps, 16) + 71) + 63 + rest


def conv_cycles(sig: Signature) -> int:
    """Pairs of pixels by four channels, and their patches."""
    op = sig.op
    assert isinstance(op, Conv2D)
    _, out_h, out_w, out_c = sig.output.shape
    pixels, run = out_h * out_w, op.kernel[1] * sig.inputs[0].channels
    pairs = _ceil(pixels, 2)
    if op.kernel == (1, 1) and not any(op.pads):
        steps = _ceil(sig.inputs[0].channels, 2)
        return pairs * _tile(steps, out_c) + pixels * (60 + _widen(run)) + 100
    steps = op.kernel[0] * _ceil(run, 2)
    inside = _inside(sig, 0)[0] * _inside(sig, 1)[0] if op.dilation[1] == 1 else 0
    patch = 108 + op.kernel[0] * (15 + _widen(run))
    border = 88 + op.kernel[0] * (110 + 22 * op.kernel[1] + _widen(run))
    total = inside * patch + (pixels - inside) * border
    return pairs * _tile(steps, out_c) + total + 60 * out_h


def dense_cycles(sig: Signature) -> int:
    """One pixel by four outputs at a time."""
    inputs, outputs = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // outputs
    steps, rest = divmod(inputs, 4)
    four = 20 * steps + 4 * _ceil(max(1, steps), 8) + 54 + 15 * _ceil(rest, 2)
    return pixels * (_ceil(outputs, 4) * four + 210)


def depthwise3x3_cycles(sig: Signature) -> int:
    """One column after the other of each channel."""
    op = sig.op
    assert isinstance(op, Conv2D)
    _, out_h, out_w, channels = sig.output.shape
    in_w = sig.inputs[0].shape[2]
    channel = 50 + 24 * (in_w - 1) if op.stride == (1, 1) else 51 + 31 * out_w
    missing = sum(op.pads[k] for k in (0, 2)) * 14
    return out_h * (channels * channel + 130) + missing * channels


def depthwise_cycles(sig: Signature) -> int:
    """One pixel after the other, four channels at a time, taps inside the input only."""
    _, out_h, out_w, channels = sig.output.shape
    rows, columns = _inside(sig, 0)[1], _inside(sig, 1)[1]
    taps = 11 * rows * columns + 19 * rows * out_w
    pixels = out_h * out_w
    return channels // 4 * (taps + 42 * pixels) + pixels * 130 + rows * out_w * 8


def add_cycles(sig: Signature) -> int:
    """Four elements at a time."""
    return sig.output.elements * 41 // 4 + 60 * sig.output.rows
