# SPDX-License-Identifier: Apache-2.0
"""Tiles of 4 by 4 as in `_winograd`, of weights of 4 bits that are transformed call by call."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mcuplan.backends.dsp._shared import FOUR, int32_stream, kernel
from mcuplan.backends.dsp._winograd import (
    LARGE,
    tile_fields,
    tile_scratch,
    tile_supports,
    tile_work,
)
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.fields import NARROW_TYPES, prepared, taps_per_output
from mcuplan.units import align_up

__all__ = ["NARROW"]

_LANES = 4  # tiles at a time
_LEVEL = 8  # that weights are raised by
_MOST_INPUTS = 4096  # whose sums stay in int16
_OF_INPUTS = ("tile", "word", "line", "line_byte")  # parts of work, for each part of the channels
_OF_SUMS = ("two", "round", "step", "output")


def _held(sig: Signature) -> bool:
    """Whether the inputs of all tiles are there for one part of the channels after the other."""
    out_h, out_w = sig.output.shape[1:3]
    return -(-out_h // FOUR) * -(-out_w // FOUR) <= _LANES


def _block(parts: int, sig: Signature) -> int:
    """Output channels of a part: two where inputs are held."""
    return 2 if _held(sig) else sig.output.channels // parts


def _supports(parts: int, sig: Signature) -> bool:
    fits = sig.output.channels % (2 * parts) == 0 and sig.inputs[0].channels < _MOST_INPUTS
    return fits and (parts == 1 or not _held(sig)) and tile_supports(LARGE, sig)


def _channel_words(sig: Signature) -> int:
    return -(-taps_per_output(sig) // 8) + 2


def _words(sig: Signature) -> Array:
    """int32 stream of each channel: four input channels to a half word, bias, multiplier."""
    weights, requant = sig.constant(1).astype(np.int64) + _LEVEL, prepared(sig)
    fours = weights.reshape(len(weights), 9, -1, FOUR).swapaxes(1, 2)
    halves = (fours << 4 * np.arange(FOUR)).sum(axis=-1).reshape(len(weights), -1)
    halves = np.pad(halves, [(0, 0), (0, halves.shape[1] % 2)])
    words = halves[:, 0::2] | halves[:, 1::2] << 16
    last = np.stack([requant.bias, requant.multiplier], axis=-1).astype(np.int64)
    return int32_stream(np.concatenate([words, last], axis=1))


def _lower(parts: int, sig: Signature) -> tuple[Call, ...]:
    channels = sig.output.channels
    content = Packed(channels * _channel_words(sig), lambda: _words(sig))
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, content),
        "block": _block(parts, sig),
        **tile_fields(LARGE, sig),
    }
    return (Call(fields),)


def _scratch_bytes(parts: int, sig: Signature) -> int:
    """As of tiles that are written to their places, with weights of a part of the channels."""
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    two = 4 * (LARGE.positions * (in_c + 2) + 4)
    return tile_scratch(LARGE, in_c) + align_up(out_c, 4) + _block(parts, sig) // 2 * two


def _work(parts: int, sig: Signature, runs: Sequence[int]) -> Work:
    """The same, inputs again for each part where they are more than are held, and weights."""
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    parts = out_c // _block(parts, sig)
    tiles = tile_work(LARGE, sig, runs)
    counted = {name: tiles[f"{name}{LARGE.part}"] for name in (*_OF_INPUTS, *_OF_SUMS)}
    for name in () if _held(sig) else _OF_INPUTS:
        counted[name] *= parts
    own = {"call": len(runs), "part": parts, "channel": out_c, "weight": out_c * in_c // FOUR}
    return {**counted, **own, "clamp": tiles["clamp"]}


def _kernel(parts: int) -> Kernel:
    return kernel(
        Conv2D,
        function="mplan_winograd_w4_dsp",
        lower=partial(_lower, parts),
        work=partial(_work, parts),
        supports=partial(_supports, parts),
        scratch_bytes=partial(_scratch_bytes, parts),
        row_by_row=False,
        cost_class="conv2d",
        types=NARROW_TYPES,
        trades_flash=True,  # its multiple of the weights lies in the scratch
    )


NARROW = tuple(_kernel(parts) for parts in (1, 2, 4, 8))
