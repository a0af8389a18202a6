# SPDX-License-Identifier: Apache-2.0
"""What the weighted dsp kernels share: words of two taps, limits, shifts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from mcuplan.ir.op import NO_CLAMP, Blocks, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ops.fields import NARROW_TYPES, clamp_fields, prepared
from mcuplan.quant.requantize import Requant, act_limits

__all__ = [
    "BACKEND",
    "FOUR",
    "FOUR_PIXELS_STEPS",
    "by_four",
    "by_two",
    "channel_array",
    "clamped",
    "for_all_weights",
    "half_words",
    "int32_stream",
    "kernel",
    "last_fields",
    "padded_channels",
    "pair_array",
    "paired_channels",
    "run_words",
    "shares_words",
    "shifts",
    "tells_apart",
]

BACKEND = "dsp"
FOUR = 4  # channels, and bytes of a word
FOUR_PIXELS_STEPS = 16  # words of a patch at most, where four pixels are made at a time
_MOST_WEIGHTS = 4 << 20
_FOUR_LIMITS = (1 << 27, 1 << 27, 1 << 19, 1 << 19)  # 16 and 4096 * sum of each stay in int32
_PAIR_LIMIT = 1 << 23  # 256 * sum of a channel in the high byte stays in int32

kernel = partial(Kernel, backend=BACKEND, requires=frozenset({"dsp"}))


def for_all_weights(made: Kernel) -> tuple[Kernel, ...]:
    """A kernel that :func:`channel_array` packs for, and the same for weights of 4 bits."""
    narrow = made.function.replace("_s8_", "_w4_")
    return made, replace(made, function=narrow, types=NARROW_TYPES, blocks=None)


def by_two(steps_of: Callable[[Signature], int], sig: Signature) -> Blocks | None:
    """Of :func:`pair_array`, where both bytes of a half have 4 bits: none of -8 beside less."""
    return Blocks(2, steps_of(sig), 2) if sig.once(_has_few_bits) else None


def by_four(steps_of: Callable[[Signature], int], sig: Signature) -> Blocks | None:
    """The same of :func:`channel_array`."""
    return Blocks(2, 2 * steps_of(sig), 2 + FOUR) if sig.once(_has_few_bits) else None


def _has_few_bits(sig: Signature) -> bool:
    return bool(np.abs(sig.constant(1).astype(np.int16)).max(initial=0) < 1 << 3)


def padded_channels(values: Array, again: bool = False) -> Array:
    """int64, axis 0 up to a multiple of four: by zeros, or ``again`` all of the last four."""
    values, rest = values.astype(np.int64), len(values) % FOUR
    if again and rest:
        whole: Array = np.concatenate([values[:-rest], values[-FOUR:]])
        return whole
    padded: Array = np.pad(values, [(0, -rest % FOUR)] + [(0, 0)] * (values.ndim - 1))
    return padded


def run_words(runs: Array) -> Array:
    """Bytes on the last axis as the kernels widen a run: [..., words, 2].

    Four at a time as {0, 2}, {1, 3}; of a rest of one to three {0}, {0, 1} or {0, 1}, {2}.
    """
    count = runs.shape[-1]
    whole = count - count % FOUR
    fours = runs[..., :whole].reshape(*runs.shape[:-1], -1, 2, 2)
    head = np.swapaxes(fours, -1, -2).reshape(*runs.shape[:-1], whole // 2, 2)
    rest = runs[..., whole:]
    rest = np.pad(rest, [(0, 0)] * (runs.ndim - 1) + [(0, -rest.shape[-1] % 2)])
    tail = rest.reshape(*runs.shape[:-1], rest.shape[-1] // 2, 2)
    words: Array = np.concatenate([head, tail], axis=-2)
    return words


def shares_words(sig: Signature, again: bool = False) -> bool:
    """Whether two channels may share int16 words ``256 * odd + even``; of 4 bits four channels.

    The words must exist, and the odd channel's sum without bias, times 256, must stay in int32.
    """
    return sig.once(_shares_words_again if again else _shares_words)


def _shares_words_again(sig: Signature) -> bool:
    return _shares_words(sig, again=True)


def _shares_words(sig: Signature, again: bool = False) -> bool:
    if sig.constant(1).size > _MOST_WEIGHTS:  # beyond any flash
        return False
    weights = sig.constant(1).astype(np.int64)
    both = padded_channels(weights.reshape(len(weights), -1), again)
    if sig.inputs[1].dtype is DType.INT4:
        return _four_share(both) and prepared(sig).fits_one_shift
    words = 256 * both[1::2] + both[0::2]
    small = DType.INT8.reach * np.abs(both[1::2]).sum(axis=1) < _PAIR_LIMIT
    return bool((words >= -(1 << 15)).all() and small.all()) and prepared(sig).fits_one_shift


def tells_apart(sig: Signature) -> bool:
    """Whether 256 times the accumulators of odd channels, none shifted, stay in int32."""
    return sig.once(_tells_apart)


def _tells_apart(sig: Signature) -> bool:
    requant = prepared(sig)
    small = requant.accumulator_max[1::2] < _PAIR_LIMIT
    return shares_words(sig) and not requant.pre_shift.any() and bool(small.all())


def pair_array(sig: Signature, steps: int, taps: Callable[[Signature], Array]) -> ConstArray:
    """As :func:`channel_array`, two output channels at a time, for four pixels at a time."""
    size = sig.output.channels // 2 * (4 + steps)
    return ConstArray(DType.INT32, Packed(size, lambda: _pair_words(taps(sig), prepared(sig))))


def _pair_words(taps: Array, requant: Requant) -> Array:
    """int32 stream of bias, weights and multipliers, two output channels at a time."""
    words = np.roll(paired_channels(taps), 1, axis=1)  # the last word comes first
    even, odd = requant.bias.astype(np.int64).reshape(-1, 2).T
    factors = requant.multiplier.astype(np.int64).reshape(-1, 2)
    biases = np.stack([even, 256 * odd + even], axis=1)
    return int32_stream(np.concatenate([biases, words, factors], axis=1))


def _four_share(taps: Array) -> bool:
    """Whether four channels may share int16 words, and each of their parts is one of its bits.

    Sums of the first two, times 16, and of the last two, times 4096, must stay in int32.
    """
    parts = [_joined(taps, count) for count in (2, 3, 4)]
    exist = all((part >= -(1 << 4 * n - 1)).all() for n, part in enumerate(parts, 2))
    sums = np.abs(taps.reshape(-1, FOUR, taps.shape[1])).sum(axis=2)
    return exist and bool((DType.INT8.reach * sums < _FOUR_LIMITS).all())


def _joined(taps: Array, count: int) -> Array:
    """The first channels of each four in one number, 4 bits apart: int64."""
    fours = taps.reshape(-1, FOUR, *taps.shape[1:])[:, :count]
    places = (16 ** np.arange(count)).reshape(1, count, *[1] * (taps.ndim - 1))
    made: Array = (fours * places).sum(axis=1)
    return made


def channel_array(
    sig: Signature, steps: int, taps: Callable[[Signature], Array], again: bool = False
) -> ConstArray:
    """Bias, weights and multipliers as a stream, packed when it is emitted.

    Args:
        sig: of a node with weights and bias.
        steps: words of a patch.
        taps: weights [channels, steps, 2] as the patch has them.
        again: the last four channels fill a four, though some of them come twice then.
    """
    narrow = sig.inputs[1].dtype is DType.INT4
    size = -(-sig.output.channels // FOUR) * (2 * FOUR + (1 if narrow else 2) * steps)
    make = _narrow_words if narrow else _channel_words
    packed = Packed(size, lambda: make(taps(sig), prepared(sig), again))
    return ConstArray(DType.INT32, packed)


def _channel_words(weights: Array, requant: Requant, again: bool) -> Array:
    """int32 stream of bias, weights and multipliers, four output channels at a time.

    Args:
        weights: [channels, steps, 2], taps as the patch has them.
        requant: folded bias and factors.
        again: as :func:`channel_array` has it.
    """
    taps = padded_channels(weights, again)
    bias = padded_channels(requant.bias, again)
    multiplier = padded_channels(requant.multiplier, again)
    fours = len(taps) // FOUR
    words = paired_channels(taps).reshape(fours, 2, -1).transpose(0, 2, 1)
    low, high = bias[0::2].reshape(fours, 2), bias[1::2].reshape(fours, 2)
    blocks = [low, words.reshape(fours, -1), high, multiplier.reshape(fours, FOUR)]
    return int32_stream(np.concatenate(blocks, axis=1))


def _narrow_words(weights: Array, requant: Requant, again: bool) -> Array:
    """int32 stream of weights of 4 bits, bias and multipliers, four output channels at a time."""
    halves = _joined(padded_channels(weights, again), FOUR)
    words = half_words(halves[..., 0], halves[..., 1])
    last = [
        padded_channels(each, again).reshape(-1, FOUR)
        for each in (requant.bias, requant.multiplier)
    ]
    return int32_stream(np.concatenate([words, *last], axis=1))


def paired_channels(taps: Array) -> Array:
    """Two taps of two channels to a word, halves ``256 * odd + even``: int64 [channels / 2, steps].

    Args:
        taps: [channels, steps, 2], of an even number of channels.
    """
    halves = 256 * taps[1::2] + taps[0::2]
    return half_words(halves[..., 0], halves[..., 1])


def half_words(low: Array, high: Array) -> Array:
    """Two int16 to a word: int64, of the shape of both."""
    words: Array = (low & 0xFFFF) | (high & 0xFFFF) << 16
    return words


def int32_stream(words: Array) -> Array:
    """The low 32 bits of int64 words, as int32."""
    stream: Array = (words & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return stream


def last_fields(sig: Signature, again: bool = False) -> dict[str, Field]:
    """Zero point, limits and shifts; bias and multipliers are packed with the weights."""
    moved = padded_channels(prepared(sig).pre_shift, again)
    pre_shift = ConstArray(DType.UINT8, moved, "tables") if moved.any() else None
    return {"pre_shift": pre_shift, **clamp_fields(sig)}


def clamped(sig: Signature) -> dict[str, float]:
    """Outputs that a last pass over rows limits; none where int8 itself is the limit."""
    limits = act_limits(sig.output.q, getattr(sig.op, "act", NO_CLAMP))
    output = sig.output
    some = limits != (output.dtype.low, output.dtype.high)
    return {
        "clamp": output.elements * some,
        "clamp_row": output.rows * some,
        "clamp_pixel": output.elements // output.channels * some,
    }


def shifts(sig: Signature) -> bool:
    """Whether sums of some channel are shifted left before they are requantized."""
    real = sig.inputs[0].q.s * max(sig.inputs[1].q.scale) / sig.output.q.s
    return math.floor(real * 2**32 + 0.5) >= 2**31
