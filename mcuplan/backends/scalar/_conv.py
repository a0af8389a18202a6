# SPDX-License-Identifier: Apache-2.0
"""Convolutions of the scalar backend, and matrices applied to many pixels as such."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.scalar._packing import paired_weights, run_begins
from mcuplan.backends.scalar._shared import is_small, kernel, last_fields
from mcuplan.ir.op import Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.packed import Runs
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import has_many_pixels, pixel_fields, prepared, taps_per_output
from mcuplan.units import align_up

__all__ = ["CONV", "PIXELS", "conv_parts", "conv_scratch", "pixels_scratch"]

_HALF = 1 << 15  # what the sum of a run begins with


def _matrix(sig: Signature) -> Array:
    """Weights [out_c, taps] as the patch has the inputs."""
    weights = sig.constant(1)
    return weights.reshape(len(weights), -1)


def _begins(sig: Signature) -> Array:
    """Where runs begin: bool [pairs, taps]."""
    return run_begins(_matrix(sig))


def _paired_fields(sig: Signature) -> dict[str, Field]:
    """Weights in runs; the bias of pixel 0 goes with 65536 times that of pixel 1.

    For each run it is half of the lower half less.
    """
    begins, bias = sig.once(_begins), prepared(sig).bias.astype(np.int64)
    bias = np.pad(bias, (0, len(bias) % 2))
    less = bias + (bias << 16) - _HALF * np.repeat(begins.sum(axis=1), 2)
    both = np.stack([less, bias], axis=1) & 0xFFFFFFFF  # sums are taken modulo 2**32
    size = 2 * begins.size + len(begins) + int(begins.sum())
    packed = Packed(size, lambda: paired_weights(_matrix(sig), begins))
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT8, packed),
        "bias": ConstArray(DType.INT32, both.astype(np.uint32).view(np.int32)),
        "taps": taps_per_output(sig),
    }
    return fields | last_fields(sig)


def _conv_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    return op.groups == 1 and is_small(sig)


def _conv(sig: Signature) -> tuple[Call, ...]:
    return (Call(_paired_fields(sig) | conv_fields(sig)),)


def conv_scratch(sig: Signature) -> int:
    """A patch, the sums of two pixels, and lines that are copied."""
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.kernel == (1, 1) and not any(op.pads)
    lines = 0 if plain else 2 * op.kernel[1] * sig.inputs[0].channels
    return pixels_scratch(sig) + align_up(lines, 4)


def pixels_scratch(sig: Signature) -> int:
    """A patch, and the sums of two pixels."""
    channels = sig.output.channels
    return 4 * taps_per_output(sig) + 8 * (channels + channels % 2)


def _conv_work(sig: Signature, calls: Sequence[int]) -> Work:
    """Two pixels by two channels at a time, and their patches."""
    parts = conv_parts(sig, calls)
    return {
        **parts,
        "run": parts["pair"] * int(sig.once(_begins).sum()),  # of all pairs of channels
        "step": parts["tile"] * taps_per_output(sig),
    }


def conv_parts(sig: Signature, calls: Sequence[int]) -> Work:
    """All but the products; a matrix is a 1x1 kernel."""
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // out_c
    op = sig.op
    height, width = op.kernel if isinstance(op, Conv2D) else (1, 1)
    in_row = pixels // sig.output.rows
    pairs = sum(-(-rows * in_row // 2) for rows in calls)
    taps = height * width * in_c
    beside = 0  # lines that are copied
    if isinstance(op, Conv2D):
        plain = op.dilation[1] == 1 or width == 1
        tall, wide = sig.taps(1), sig.taps(2)
        inside = tall.inside * wide.whole if plain else 0
        beside = pixels * height - inside
    return {
        "call": len(calls),
        "row": sig.output.rows,
        "pair": pairs,
        "line": 2 * pairs * height,
        "copied": beside,
        "copied_tap": beside * width,
        "word": pairs * taps,
        "tile": pairs * -(-out_c // 2),
        "output": 2 * pairs * out_c,
    }


def _many_pixels(sig: Signature) -> bool:
    return has_many_pixels(sig) and is_small(sig)


def _dense_pixels(sig: Signature) -> tuple[Call, ...]:
    """A matrix applied to many pixels is a 1x1 convolution."""
    return (Call(_paired_fields(sig) | pixel_fields(sig)),)


def _runs(sig: Signature) -> Runs | None:
    """How weights of 4 bits are packed: sums of 15 of their products always stay in int16."""
    few = DType.INT4.holds(sig.constant(1))
    return Runs(taps_per_output(sig)) if few else None


CONV = kernel(
    Conv2D,
    function="mplan_conv2d_s8_scalar",
    lower=_conv,
    work=_conv_work,
    supports=_conv_supports,
    scratch_bytes=conv_scratch,
    cost_class="conv2d",
    blocks=_runs,
)


PIXELS = kernel(
    Dense,
    function="mplan_conv2d_s8_scalar",
    lower=_dense_pixels,
    work=_conv_work,
    supports=_many_pixels,
    scratch_bytes=pixels_scratch,
    cost_class="conv2d",
    blocks=_runs,
)
