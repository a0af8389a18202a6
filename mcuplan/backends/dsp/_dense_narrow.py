# SPDX-License-Identifier: Apache-2.0
"""Matrices of weights of 4 bits applied to one pixel at a time, on scales of channels or blocks.

Half of the products of sums that bytes take part in come by Winograd's inner product.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.dsp._shared import (
    FOUR,
    clamped,
    half_words,
    int32_stream,
    kernel,
    last_fields,
    padded_channels,
    run_words,
    shifts,
)
from mcuplan.ir.op import Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.packed import LEVEL
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import (
    BLOCK_TYPES,
    NARROW_TYPES,
    block_of,
    narrow_parts,
    pixels_of,
    prepared,
    taps_per_output,
)

__all__ = ["KERNELS"]

_LONGEST = 504  # inputs of a block: 4096 times a sum of theirs stays in int32
_UNROLL = 8  # steps of the loop
_BLOCK_BYTES = 24  # of scratch
_PLACES = np.array([1 << 0, 1 << 4, 1 << 24, 1 << 20], np.int64)  # of factors in their word


def _block(sig: Signature) -> int:
    """Inputs that are summed before factors: a block of the weights, or an equal part of one."""
    inputs = taps_per_output(sig)
    block = min(block_of(sig) or inputs, inputs)
    while block > _LONGEST:
        block = -(-block // (2 * FOUR)) * FOUR
    return block


def _supports(sig: Signature) -> bool:
    """Whether a matrix is applied to whole words of inputs, and blocks begin with one."""
    if isinstance(sig.op, Conv2D) and not is_one_pixel(sig):
        return False
    inputs, block = taps_per_output(sig), block_of(sig)
    whole = inputs % FOUR == 0 and (block is None or block >= inputs or block % _block(sig) == 0)
    return whole and _block(sig) % FOUR == 0 and prepared(sig).fits_one_shift


def _packed(sig: Signature) -> Array:
    """int32 stream of biases, weights by blocks with their factors, and multipliers."""
    inputs, block = taps_per_output(sig), _block(sig)
    narrow, factors = narrow_parts(sig)
    firsts = range(0, inputs, block)
    each = (block_of(sig) or inputs) // block  # parts of a block of the weights
    if factors is None:
        factors = np.ones((len(narrow), len(firsts)), np.uint8)
    taps, times = _in_fours(narrow), _in_fours(factors.repeat(each, axis=1)[:, : len(firsts)])
    bias, multiplier = (
        padded_channels(part).reshape(-1, FOUR)
        for part in (prepared(sig).bias, prepared(sig).multiplier)
    )
    raised = taps + np.array([LEVEL, LEVEL, LEVEL, 0])[:, None]
    halves = run_words((raised * (16 ** np.arange(FOUR))[:, None]).sum(axis=1))
    words = half_words(halves[..., 0], halves[..., 1])
    streams = []
    for number, first in enumerate(firsts):
        some, factor = raised[..., first : first + block], times[..., number]
        bias = bias - _raised_sums(some, factor)
        streams += [words[:, first // 2 : (first + block) // 2], factor @ _PLACES[:, None]]
    return int32_stream(np.concatenate([bias, *streams, multiplier], axis=1))


def _in_fours(values: Array) -> Array:
    """[out_c, n] as int64 [fours, 4, n]."""
    fours: Array = padded_channels(values).reshape(-1, FOUR, values.shape[1])
    return fours


def _raised_sums(raised: Array, factor: Array) -> Array:
    """What products of weights with one another add to sums of four outputs: [fours, 4]."""
    one, two = (_crossed(part) for part in (raised[:, 0], raised[:, 0] + 16 * raised[:, 1]))
    a, b, c, d = factor.T
    parts = [a * one, b * (two - one >> 4), -one * c >> 8, d * (one - two) >> 12]
    return np.stack(parts, axis=1)


def _crossed(values: Array) -> Array:
    """Sums of w0 * w1 + w2 * w3 of each four taps: [fours]."""
    pairs = values.reshape(len(values), -1, 2)
    sums: Array = (pairs[..., 0] * pairs[..., 1]).sum(axis=1)
    return sums


def _dense(sig: Signature) -> tuple[Call, ...]:
    fours, inputs = -(-sig.output.channels // FOUR), taps_per_output(sig)
    size = fours * (2 * FOUR + inputs // 2 + _blocks(sig))
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, Packed(size, lambda: _packed(sig))),
        "in_c": inputs,
        "out_c": sig.output.channels,
        "block": _block(sig),
        "pixels": pixels_of(sig)[1],
    }
    return (Call(fields | last_fields(sig)),)


def _blocks(sig: Signature) -> int:
    """How many there are of one output."""
    return -(-taps_per_output(sig) // _block(sig))


def _scratch_bytes(sig: Signature) -> int:
    return _BLOCK_BYTES * _blocks(sig)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """One pixel by four outputs at a time, block by block."""
    inputs, outputs, block = taps_per_output(sig), sig.output.channels, _block(sig)
    pixels = sig.output.elements // outputs
    fours = pixels * -(-outputs // FOUR)
    sizes = [min(block, inputs - first) for first in range(0, inputs, block)]
    rounds = sum(-(-size // (FOUR * _UNROLL)) for size in sizes)
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "input": pixels * inputs // FOUR,
        "begun": pixels * len(sizes),
        "four": fours,
        "block": fours * len(sizes),
        "round": fours * rounds,
        "step": fours * inputs // FOUR,
        "rest": pixels * (outputs % FOUR > 0),
        "rest_byte": pixels * (outputs % FOUR),
        "shifted": fours * shifts(sig),
        **clamped(sig),
    }


KERNELS = tuple(
    kernel(
        op,
        function="mplan_dense_w4_dsp",
        lower=_dense,
        work=_work,
        supports=_supports,
        scratch_bytes=_scratch_bytes,
        cost_class="dense",
        types=types,
    )
    for op in (Dense, Conv2D)
    for types in (NARROW_TYPES, BLOCK_TYPES)
)
