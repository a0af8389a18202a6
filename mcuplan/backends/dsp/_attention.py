# SPDX-License-Identifier: Apache-2.0
"""Attention: two queries at a time, widened once; keys and values as they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from mcuplan.backends.dsp._shared import FOUR, kernel
from mcuplan.ir.op import Call, Kernel, Op, Signature
from mcuplan.ir.work import Work
from mcuplan.ops import portable_calls
from mcuplan.ops.attention import Attention
from mcuplan.ops.attention_integers import MOST_NARROW
from mcuplan.ops.rounded_attention import RoundedAttention
from mcuplan.units import align_up

__all__ = ["ATTENTIONS"]


def _supports(sig: Signature) -> bool:
    """A word of a query; sums of 32 bits."""
    return sig.inputs[0].shape[3] >= FOUR and sig.inputs[1].shape[1] <= MOST_NARROW


def _scratch(sig: Signature, by_rows: int) -> int:
    heads, depth = sig.inputs[0].shape[2:]
    query = 4 * align_up(depth, FOUR)
    return 8 * align_up(sig.inputs[1].shape[1], 2) + (query if by_rows else heads * query)


def _work(sig: Signature, runs: Sequence[int], by_rows: int) -> Work:
    """Keys two by two, four products at a time; values four by four, the rest alone."""
    heads, depth = sig.inputs[0].shape[2:]
    keys, width = sig.inputs[1].shape[1], sig.output.shape[3]
    pairs = heads * (sum(runs) if by_rows else sum(-(-rows // 2) for rows in runs))
    return {
        "call": len(runs),
        "pair": pairs,
        "widened": pairs * -(-depth // FOUR),
        "two_keys": pairs * -(-keys // 2),
        "step": pairs * -(-keys // 2) * (depth // FOUR),
        "key_rest": pairs * keys * (depth % FOUR > 0),
        "weight": pairs * keys,
        "masked": pairs * keys * (len(sig.inputs) > 3),
        "four": pairs * (width // FOUR),
        "value_four": pairs * keys * (width // FOUR),
        "rest": pairs * (width % FOUR > 0),
        "value_one": pairs * keys * (width % FOUR),
    }


def _lower(sig: Signature, by_rows: int) -> tuple[Call, ...]:
    (call,) = portable_calls(sig)
    return (replace(call, fields={**call.fields, "by_rows": by_rows}),)


def _kernels(op: type[Op], function: str) -> Iterator[Kernel]:
    for by_rows in (0, 1):
        yield kernel(
            op,
            function=function,
            lower=partial(_lower, by_rows=by_rows),
            work=partial(_work, by_rows=by_rows),
            supports=_supports,
            scratch_bytes=partial(_scratch, by_rows=by_rows),
            cost_class="dense",
        )


ATTENTIONS = (
    *_kernels(Attention, "mplan_attention_s8_dsp"),
    *_kernels(RoundedAttention, "mplan_rounded_attention_s8_dsp"),
)
