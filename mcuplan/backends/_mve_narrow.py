# SPDX-License-Identifier: Apache-2.0
"""Matrices of weights of 4 bits by integer vectors, on scales of channels or of blocks."""

from __future__ import annotations

import numpy as np

from mcuplan.backends._mve_packing import QUAD
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import (
    BLOCK_TYPES,
    NARROW_TYPES,
    block_of,
    clamp_fields,
    narrow_parts,
    pixels_of,
    prepared,
    taps_per_output,
)

__all__ = ["narrow_matrices"]

_STEP = 32  # inputs whose weights share a vector
_LONGEST = (1 << 17) - _STEP  # inputs of a block: 16 times a sum of theirs stays in int32


def _supports(sig: Signature) -> bool:
    """Whether blocks begin with a whole step, and inputs are no less than a quarter of one."""
    if isinstance(sig.op, Conv2D) and not is_one_pixel(sig):
        return False
    inputs = taps_per_output(sig)
    block = block_of(sig) or inputs
    whole = (block % _STEP == 0 or block >= inputs) and inputs >= _STEP // 4
    return whole and min(block, inputs) <= _LONGEST and prepared(sig).fits_one_shift


def _packed(sig: Signature) -> Array:
    """int32 stream, four outputs at a time: biases, blocks and their factors, multipliers."""
    narrow, factors = narrow_parts(sig)
    inputs, block = taps_per_output(sig), block_of(sig) or taps_per_output(sig)
    if factors is None:
        factors = np.ones((len(narrow), 1), np.uint8)
    narrow = np.pad(narrow, [(0, 0), (0, -inputs % _STEP)])
    taps, times = _in_quads(narrow.astype(np.uint8) & 15), _in_quads(factors)
    taps = taps.reshape(len(taps), QUAD, -1, 2, _STEP // 2)
    steps = (taps[..., 0, :] | taps[..., 1, :] << 4).transpose(0, 2, 1, 3)
    parts = [_in_words(prepared(sig).bias)]
    for number, first in enumerate(range(0, inputs, block)):
        some = steps[:, first // _STEP : -(-(first + block) // _STEP)]
        parts += [each.reshape(len(steps), -1) for each in (some, times[..., number])]
    stream = np.concatenate([*parts, _in_words(prepared(sig).multiplier)], axis=1)
    words: Array = np.ascontiguousarray(stream).reshape(-1).view(np.int32)
    return words


def _in_quads(values: Array) -> Array:
    """uint8 [out_c, n] as [quads, 4, n]; what fills up the last is 0."""
    more = [(0, -len(values) % QUAD), (0, 0)]
    quads: Array = np.pad(values, more).reshape(-1, QUAD, values.shape[1])
    return quads


def _in_words(values: Array) -> Array:
    """A word for each output: uint8 [quads, 16]."""
    padded = np.pad(values.astype(np.int32), (0, -len(values) % QUAD))
    return padded.view(np.uint8).reshape(-1, 4 * QUAD)


def _matrix(sig: Signature) -> tuple[Call, ...]:
    inputs, outputs = taps_per_output(sig), sig.output.channels
    block = block_of(sig) or inputs
    words = 2 * QUAD + -(-inputs // _STEP) * _STEP // 2 + -(-inputs // block)
    content = Packed(-(-outputs // QUAD) * words, lambda: _packed(sig))
    shifts = np.pad(prepared(sig).pre_shift, (0, -outputs % QUAD))
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, content),
        "pre_shift": ConstArray(DType.UINT8, shifts, "tables") if shifts.any() else None,
        "in_c": inputs,
        "out_c": outputs,
        "block": block,
        "pixels": pixels_of(sig)[1],
        **clamp_fields(sig),
    }
    return (Call(fields),)


def narrow_matrices(backend: str, requires: frozenset[str]) -> tuple[Kernel, ...]:
    """The kernels of a set, for what it asks of a core."""
    return tuple(
        Kernel(
            op,
            "mplan_dense_w4_mve",
            _matrix,
            supports=_supports,
            cost_class="dense",
            types=types,
            backend=backend,
            requires=requires,
        )
        for op in (Conv2D, Dense)
        for types in (NARROW_TYPES, BLOCK_TYPES)
    )
