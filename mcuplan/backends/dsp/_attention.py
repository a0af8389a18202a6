# SPDX-License-Identifier: Apache-2.0
"""Attention: queries are widened once, keys and values as they are read."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.backends.dsp._shared import FOUR, kernel
from mcuplan.ir.op import Signature
from mcuplan.ir.work import Work
from mcuplan.ops import portable_calls
from mcuplan.ops.attention import Attention, attention_work
from mcuplan.units import align_up

__all__ = ["ATTENTION"]


def _scratch(sig: Signature) -> int:
    return 4 * sig.inputs[1].shape[1] + 2 * align_up(sig.inputs[0].shape[3], FOUR)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Keys two by two, four products at a time; values four by four, the rest alone."""
    parts = attention_work(sig, runs)
    depth, width = sig.inputs[0].shape[3], sig.output.shape[3]
    fours = -(-depth // FOUR)
    return {
        "call": len(runs),
        "head": parts["head"],
        "widened": parts["head"] * fours,
        "key": parts["key"],
        "key_step": parts["key"] * (depth // FOUR),
        "key_rest": parts["key"] * (depth % FOUR > 0),
        "four": parts["head"] * (width // FOUR),
        "value_four": parts["key"] * (width // FOUR),
        "one": parts["head"] * (width % FOUR),
        "value_one": parts["key"] * (width % FOUR),
    }


ATTENTION = kernel(
    Attention,
    function="mplan_attention_s8_dsp",
    lower=portable_calls,
    work=_work,
    scratch_bytes=_scratch,
    cost_class="dense",
)
