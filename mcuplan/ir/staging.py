# SPDX-License-Identifier: Apache-2.0
"""Weights in RAM while a kernel reads them again and again: a copy behind its scratch.

Of weights of 4 bits the copy has 8, so that a kernel for those reads it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from mcuplan.ir.factored import factored, stream_of, weights_of
from mcuplan.ir.op import Blocks, Call, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.packed import LEVEL, RUN, Runs, paired
from mcuplan.ir.types import Array, DType
from mcuplan.units import align_up

__all__ = [
    "own_scratch_bytes",
    "staged",
    "staged_array",
    "staged_bytes",
    "staging_header",
    "widened",
]

_NONE = ConstArray(DType.INT8, np.zeros(0, np.int8))


def staged_array(call: Call) -> tuple[str, ConstArray]:
    """The member that points to most of the weights, and these; without a name for none.

    What is widened comes first.
    """
    arrays = {k: v for k, v in call.fields.items() if isinstance(v, ConstArray)}
    weights = [(k, v) for k, v in arrays.items() if v.kind == "weights"]
    last = ("", _NONE)
    return max(weights, key=lambda kv: (kv[1].blocks is not None, kv[1].copied_bytes), default=last)


def staging_header(step: Kernel, sig: Signature) -> str:
    """The header of the function that makes the copy of a kernel that has one."""
    _, packed = staged_array(step.calls(sig)[0])
    if packed.blocks is None:
        return "mplan_stage.h"
    if isinstance(packed.blocks, Runs):
        return "mplan_widen_runs.h"
    return "mplan_widen_blocks.h" if packed.blocks.factors else "mplan_widen.h"


def staged_bytes(kernel: Kernel, sig: Signature) -> int:
    """Bytes of the copy, rounded up to words; none of a step of several calls."""
    calls = kernel.calls(sig)
    return align_up(staged_array(calls[0])[1].copied_bytes, 4) if len(calls) == 1 else 0


def own_scratch_bytes(kernel: Kernel, sig: Signature) -> int:
    """Bytes of scratch that the function itself takes."""
    copied = staged_bytes(kernel, sig) if kernel.staged else 0
    return kernel.scratch_bytes(sig) - copied


@cache
def staged(kernel: Kernel) -> Kernel:
    """A kernel whose weights are copied behind its own scratch, and read from there."""

    def scratch_bytes(sig: Signature) -> int:
        return align_up(kernel.scratch_bytes(sig), 4) + staged_bytes(kernel, sig)

    return replace(kernel, scratch_bytes=scratch_bytes, staged=True)


@cache
def widened(kernel: Kernel, dtype: DType = DType.INT4) -> Kernel:
    """A kernel of weights of 8 bits for those of 4, which become its own in a copy.

    It runs what it runs with weights of 8 bits, where its ``blocks`` say that each byte of its
    packed weights has 4 bits, or is one of 4 bits times a factor of a block (``int4_blocks``).
    """
    assert kernel.blocks is not None, "it says how its weights are packed"
    blocks_of, work_of = kernel.blocks, kernel.work

    def narrow(sig: Signature) -> ConstArray | None:
        wide = sig.once(_of_bytes)
        if not kernel.runs(wide):
            return None
        if dtype is DType.INT4_BLOCKS:
            return factored(kernel, wide, sig.inputs[1].q.factored or 1)
        blocks = blocks_of(wide)
        if blocks is None:
            return None
        return _narrow(weights_of(kernel.calls(wide)[0])[1], blocks)

    def lower(sig: Signature) -> tuple[Call, ...]:
        (call,) = kernel.calls(sig.once(_of_bytes))
        fields: dict[str, Field] = {**call.fields, weights_of(call)[0]: sig.once(narrow)}
        return (replace(call, fields=fields),)

    def scratch_bytes(sig: Signature) -> int:
        return align_up(kernel.scratch_bytes(sig.once(_of_bytes)), 4) + staged_bytes(made, sig)

    made = replace(
        kernel,
        lower=lower,
        supports=lambda sig: sig.once(narrow) is not None,
        scratch_bytes=scratch_bytes,
        work=work_of and (lambda sig, runs: work_of(sig.once(_of_bytes), runs)),
        inplace_inputs=lambda sig: kernel.inplace_inputs(sig.once(_of_bytes)),
        types=replace(kernel.types, weights=(dtype, *kernel.types.weights[1:])),
        staged=True,
        blocks=None,
    )
    return made


def _of_bytes(sig: Signature) -> Signature:
    """The same node with its weights of 4 bits in 8."""
    index = sig.op.weight_inputs[0]
    kind = sig.inputs[index]
    quant = replace(kind.q, dtype=DType.INT8, factored=None)
    wide = replace(kind, dtype=DType.INT8, quant=quant)
    return replace(sig, inputs=(*sig.inputs[:index], wide, *sig.inputs[index + 1 :]))


def _narrow(packed: ConstArray, blocks: Blocks | Runs) -> ConstArray:
    """A stream with two taps to a byte."""
    if isinstance(blocks, Runs):
        pairs, taps = packed.nbytes // blocks.copied_bytes, blocks.taps
        made = Packed(pairs * taps, lambda: _without_lengths(packed, taps))
        return ConstArray(DType.UINT8, made, packed.kind, blocks)
    count = align_up(packed.nbytes, 4) // 4 // blocks.words
    content = Packed(count * blocks.narrow_words, lambda: _narrow_words(stream_of(packed), blocks))
    return ConstArray(DType.INT32, content, packed.kind, blocks)


def _without_lengths(packed: ConstArray, taps: int) -> Array:
    """Taps of two channels to a byte, raised by 8: uint8 [pairs, taps]."""
    stream = packed.values.reshape(-1, Runs(taps).copied_bytes).astype(np.int16) + LEVEL
    at = 2 * np.arange(taps) + np.arange(taps) // RUN + 1
    both: Array = (stream[:, at] | stream[:, at + 1] << 4).astype(np.uint8)
    return both


def _narrow_words(stream: Array, blocks: Blocks) -> Array:
    """int32 stream: heads, words of taps in pairs, and what stands behind."""
    words = stream.reshape(-1, blocks.words)
    count, end = len(words), blocks.times * (blocks.head + blocks.taps)
    parts = words[:, :end].reshape(count, blocks.times, -1)
    taps = np.ascontiguousarray(parts[..., blocks.head :]).view(np.int8)
    raised = taps.reshape(count, blocks.times, blocks.taps, 4).astype(np.int16) + LEVEL
    assert raised.size == 0 or (raised.min() >= 0 and raised.max() < 16), "taps have 4 bits"
    both = np.concatenate([parts[..., : blocks.head], paired(raised)], axis=2).reshape(count, -1)
    made: Array = np.concatenate([both, words[:, end:]], axis=1).reshape(-1)
    return made
