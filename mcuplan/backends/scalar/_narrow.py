# SPDX-License-Identifier: Apache-2.0
"""Weights of 4 bits of the scalar backend, read as they are, on scales of channels or of blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.scalar._conv import conv_parts, conv_scratch, pixels_scratch
from mcuplan.backends.scalar._shared import is_small, kernel, last_fields
from mcuplan.ir.op import Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import (
    BLOCK_TYPES,
    NARROW_TYPES,
    block_of,
    has_many_pixels,
    narrow_parts,
    pixel_fields,
    prepared,
    taps_per_output,
)

__all__ = ["KERNELS"]

_FOUR = 4  # taps of a word of weights of two channels
_LONGEST = 8  # fours of a run
_HALF = 1 << 15  # what the sum of a run begins with


def _runs(sig: Signature) -> Array:
    """Fours of taps of each run of a patch, and the block of each: int64 [2, runs]."""
    return sig.once(_runs_of)


def _runs_of(sig: Signature) -> Array:
    """As long as sums of products stay in int16 whatever the inputs are."""
    narrow, factors = narrow_parts(sig)
    longest = _LONGEST - bool(narrow.min(initial=0) == DType.INT4.low)
    inputs, block = sig.inputs[1].shape[-1], block_of(sig)
    if factors is None or block is None:
        sizes = [taps_per_output(sig)]
    else:
        tap = [min(block, inputs - first) for first in range(0, inputs, block)]
        sizes = tap * (taps_per_output(sig) // inputs)
    found = []
    for number, size in enumerate(sizes):
        fours = -(-size // _FOUR)
        found += [(min(longest, fours - at), number) for at in range(0, fours, longest)]
    return np.array(found, np.int64).T


def _fields(sig: Signature) -> dict[str, Field]:
    """Weights of two channels to a byte, their runs and factors.

    The bias of pixel 0 goes with 65536 times that of pixel 1, less half of the lower half for
    each run, times its factor.
    """
    lengths, blocks = _runs(sig)
    channels = sig.output.channels + sig.output.channels % 2
    times = np.full((channels, len(blocks)), 1, np.int64)
    _, factors = narrow_parts(sig)
    if factors is not None:
        times[: len(factors)] = factors[:, blocks]
    bias = prepared(sig).bias.astype(np.int64)
    bias = np.pad(bias, (0, channels - len(bias)))
    both = np.stack([bias + (bias << 16) - _HALF * times.sum(axis=1), bias], axis=1)
    joined = ConstArray(DType.UINT8, (times[0::2] | times[1::2] << 4).astype(np.uint8))
    taps = _FOUR * int(lengths.sum())
    packed = Packed(channels // 2 * taps // _FOUR, lambda: _paired(narrow_parts(sig)[0], taps))
    heads = np.append(1 + 34 * (_LONGEST - lengths), 0).astype(np.uint8)
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, packed),
        "runs": ConstArray(DType.UINT8, heads, "tables"),
        "factors": None if factors is None else joined,
        "bias": ConstArray(DType.INT32, (both & 0xFFFFFFFF).astype(np.uint32).view(np.int32)),
        "taps": taps,
        "added": taps - taps_per_output(sig),
    }
    return fields | last_fields(sig)


def _paired(narrow: Array, taps: int) -> Array:
    """Weights [out_c, taps] of two channels to a byte, four taps to a word: int32."""
    padded = np.pad(narrow, [(0, len(narrow) % 2), (0, taps - narrow.shape[1])]).astype(np.uint8)
    both = (padded[0::2] & 15) | (padded[1::2] & 15) << 4
    words: Array = np.ascontiguousarray(both).reshape(-1).view(np.int32)
    return words


def _supports(sig: Signature) -> bool:
    op, block = sig.op, block_of(sig)
    whole = block is None or (block % _FOUR == 0 and sig.inputs[1].shape[-1] % _FOUR == 0)
    return whole and (not isinstance(op, Conv2D) or op.groups == 1) and is_small(sig)


def _pixels_support(sig: Signature) -> bool:
    return has_many_pixels(sig) and _supports(sig)


def _conv(sig: Signature) -> tuple[Call, ...]:
    return (Call(_fields(sig) | conv_fields(sig)),)


def _pixels(sig: Signature) -> tuple[Call, ...]:
    return (Call(_fields(sig) | pixel_fields(sig)),)


def _conv_scratch(sig: Signature) -> int:
    return conv_scratch(sig) + _added(sig)


def _pixels_scratch(sig: Signature) -> int:
    return pixels_scratch(sig) + _added(sig)


def _added(sig: Signature) -> int:
    """Bytes of the taps that fill up the last four."""
    return 4 * (-taps_per_output(sig) % _FOUR)


def _work(sig: Signature, calls: Sequence[int]) -> Work:
    """As with weights of 8 bits, four taps at a time."""
    parts = conv_parts(sig, calls)
    lengths, _ = _runs(sig)
    runs = parts["tile"] * lengths.shape[0]
    return {
        **parts,
        "run": runs,
        "factor": runs * (block_of(sig) is not None),
        "four": parts["tile"] * int(lengths.sum()),
    }


KERNELS = (
    *(
        kernel(
            Conv2D,
            function="mplan_conv2d_w4_scalar",
            lower=_conv,
            work=_work,
            supports=_supports,
            scratch_bytes=_conv_scratch,
            cost_class="conv2d",
            types=types,
        )
        for types in (NARROW_TYPES, BLOCK_TYPES)
    ),
    *(
        kernel(
            Dense,
            function="mplan_conv2d_w4_scalar",
            lower=_pixels,
            work=_work,
            supports=_pixels_support,
            scratch_bytes=_pixels_scratch,
            cost_class="conv2d",
            types=types,
        )
        for types in (NARROW_TYPES, BLOCK_TYPES)
    ),
)
