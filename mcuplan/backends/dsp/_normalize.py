# SPDX-License-Identifier: Apache-2.0
"""Normalizations by norms of squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mcuplan.backends.dsp._shared import kernel
from mcuplan.ir.op import Call, Signature
from mcuplan.ir.work import Work
from mcuplan.ops import portable_calls
from mcuplan.ops.normalize import Epsilon, Normalize

__all__ = ["KERNELS"]

_FEW = 8


def _supports(sig: Signature) -> bool:
    """Squares, and nothing added to a norm."""
    op = sig.op
    return isinstance(op, Normalize) and op.power == 2 and op.rule is not Epsilon.ADDED


def _calls(sig: Signature) -> tuple[Call, ...]:
    """As the portable kernel, without what only other norms need."""
    (call,) = portable_calls(sig)
    fields = {k: v for k, v in call.fields.items() if k not in ("norm", "norm_epsilon")}
    return (replace(call, fields=fields),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Runs of channels, 16 to be summed and 8 to be written at a time; few of them, by pixels."""
    op, elements = sig.op, sig.output.elements
    assert isinstance(op, Normalize)
    pixels, channels = sig.output.shape[-2] if op.whole else 1, sig.output.shape[-1] // op.groups
    groups = elements // (pixels * channels)
    columns = pixels > 1 and channels < _FEW
    lines = 0 if columns else elements // channels
    return {
        "call": len(runs),
        "group": groups,
        "group_of_pixels": groups * (pixels > 1),
        "line": lines * (pixels > 1),
        "summed": lines * (channels // 16),
        "summed_byte": lines * (channels % 16),
        "written": lines * (channels // 8),
        "written_byte": lines * (channels % 8),
        "column": groups * channels * columns,
        "in_column": elements * columns,
    }


KERNELS = (
    kernel(
        Normalize,
        function="mplan_normalize_s8_dsp",
        lower=_calls,
        supports=_supports,
        work=_work,
    ),
)
