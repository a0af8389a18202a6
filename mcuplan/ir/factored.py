# SPDX-License-Identifier: Apache-2.0
"""Streams of weights on scales of blocks: where a kernel's own packing has them, and their factors.

A kernel packs whatever weights it is given. So it is given their factors, and the parts of 4 bits:
what it makes of both says which factor goes with which byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import McuplanError
from mcuplan.ir.block_factors import factors_of_all
from mcuplan.ir.op import Blocks, Call, ConstArray, Kernel, Signature
from mcuplan.ir.packed import LEVEL, Factors, paired
from mcuplan.ir.types import Array, DType

__all__ = ["factored", "stream_of", "weights_of"]

_LEAST_RUN = 4  # words that share factors; of fewer these would take as much as is saved


@dataclass(frozen=True, slots=True)
class _Stream:
    """Of a kernel: its words, and bytes [blocks * times, taps, 4] of raised parts and of factors.

    Factors of bytes that are none of the weights are 0.
    """

    words: Array
    raised: Array
    factors: Array
    blocks: Blocks


def weights_of(call: Call) -> tuple[str, ConstArray]:
    """The member that points to the weights of a kernel, and these."""
    member = "packed" if "packed" in call.fields else "weights"
    packed = call.fields[member]
    assert isinstance(packed, ConstArray), "weights of a kernel"
    return member, packed


def stream_of(packed: ConstArray) -> Array:
    """An array as int32, filled up by zeros."""
    flat = np.ascontiguousarray(packed.values).reshape(-1).view(np.int8)
    words: Array = np.pad(flat, (0, -flat.size % 4)).view(np.int32)
    return words


def factored(kernel: Kernel, wide: Signature, block: int) -> ConstArray | None:
    """What a kernel of weights of 8 bits reads, in 4 bits and factors; None where it cannot be.

    Args:
        kernel: says in ``blocks`` how its weights are packed, and runs the signature.
        wide: of a layer whose weights of 8 bits have a factor for each block.
        block: how many on their last axis.
    """
    try:
        stream = _stream(kernel, wide, block)
    except McuplanError:  # sums of factors, which nothing bounds
        return None
    found = [one for one in _forms(stream) if one is not None] if stream is not None else []
    if not found:
        return None
    blocks, made = min(found, key=lambda one: one[0].narrow_words)
    kind = weights_of(kernel.calls(wide)[0])[1].kind
    return ConstArray(DType.INT32, made, kind, blocks)


def _stream(kernel: Kernel, wide: Signature, block: int) -> _Stream | None:
    values = wide.constant(1)
    factors = factors_of_all(values, block)
    if factors is None or kernel.blocks is None:
        return None
    narrow = values // factors.astype(np.int8)
    blocks = kernel.blocks(_with(wide, np.maximum(narrow, -DType.INT4.high)))
    if not isinstance(blocks, Blocks):
        return None
    words, raised, times = (
        stream_of(weights_of(kernel.lower(sig)[0])[1])
        for sig in (wide, _with(wide, narrow + LEVEL), _with(wide, factors.astype(np.int8)))
    )
    if not len(words) == len(raised) == len(times) or len(words) % blocks.words:
        return None
    parts = [_taps(each, blocks).view(np.uint8) for each in (raised, times)]
    shape = (*parts[0].shape[:-1], blocks.taps, 4)
    raised, times = (each.reshape(-1, *shape[-2:]) for each in parts)
    return _Stream(words, np.where(times == 0, LEVEL, raised), times, blocks)


def _with(sig: Signature, weights: Array) -> Signature:
    """The same node with other weights and no bias."""
    bias = np.zeros_like(sig.constant(2))
    return replace(sig, constants=(sig.constants[0], weights, bias))


def _taps(words: Array, blocks: Blocks) -> Array:
    """Words of taps: [blocks, times, taps]."""
    each = words.reshape(-1, blocks.words)[:, : blocks.times * (blocks.head + blocks.taps)]
    taps = each.reshape(len(each), blocks.times, -1)[..., blocks.head :]
    return np.ascontiguousarray(taps)


def _forms(stream: _Stream) -> Iterator[tuple[Blocks, Array] | None]:
    """Ways to say which factor goes with which word, and the narrow stream of each.

    The first word of taps, which some kernels take from the end, may stay as it is.
    """
    halves = _joins_halves(stream)
    if halves is None:
        return
    for first in (0, 1) if stream.blocks.taps > _LEAST_RUN else (0,):
        blocks = replace(
            stream.blocks, head=stream.blocks.head + first, taps=stream.blocks.taps - first
        )
        for period in (1, 2):
            yield _form(stream, first, blocks, period, halves=halves)


def _joins_halves(stream: _Stream) -> bool | None:
    """Whether bytes are those of sums in 16 bits; None where products are not what is read."""
    wanted = _taps(stream.words, stream.blocks).reshape(-1)
    products = (stream.raised.astype(np.int16) - LEVEL) * stream.factors
    if np.array_equal(products.astype(np.int8).reshape(-1).view(np.int32), wanted):
        return False
    joined = (256 * products[..., 1::2].astype(np.int32) + products[..., 0::2]).astype(np.int16)
    return True if np.array_equal(joined.reshape(-1).view(np.int32), wanted) else None


def _form(
    stream: _Stream, first: int, blocks: Blocks, period: int, *, halves: bool
) -> tuple[Blocks, Array] | None:
    lanes = stream.factors[:, first:]
    pairs = np.maximum(lanes[..., :2], lanes[..., 2:])
    if not ((lanes == 0) | (lanes == np.tile(pairs, 2))).all():
        return None  # four factors of a word
    pairs = _filled(pairs, period)
    run = _run(pairs, period)
    if run < _LEAST_RUN:
        return None
    made = replace(blocks, factors=Factors(run, period, halves))
    starts = (np.arange(0, blocks.taps, run)[:, None] + np.arange(period)).reshape(-1)
    each = pairs[:, np.minimum(starts, blocks.taps - 1)]
    each = np.pad(each, [(0, 0), (0, each.shape[1] % 2), (0, 0)])
    factors = np.ascontiguousarray(each).reshape(len(each), -1).view(np.int32)
    narrow = paired(stream.raised[:, first:])
    words = stream.words.reshape(-1, blocks.words)
    end = blocks.times * (blocks.head + blocks.taps)
    heads = words[:, :end].reshape(len(factors), -1)[:, : blocks.head]
    whole = np.concatenate([heads, factors, narrow], axis=1).reshape(len(words), -1)
    return made, np.concatenate([whole, words[:, end:]], axis=1).reshape(-1)


def _filled(pairs: Array, period: int) -> Array:
    """Factors [blocks, words, 2], those of bytes without weights as words of the same kind have."""
    made = pairs.copy()
    order = range(period, made.shape[1])
    for steps, back in ((order, -period), (reversed(order), period)):
        for k in steps:
            at, other = (k, k + back) if back < 0 else (k - period, k)
            empty = made[:, at] == 0
            if empty.any():
                made[:, at] = np.where(empty, made[:, other], made[:, at])
    return made


def _run(pairs: Array, period: int) -> int:
    """The most words in a row of the same factors: an even number."""
    taps = pairs.shape[1]
    changed = period + np.flatnonzero((pairs[:, period:] != pairs[:, :-period]).any(axis=(0, 2)))
    even = range(taps + taps % 2, 1, -2)
    return next((run for run in even if (changed % run < period).all()), 0)
