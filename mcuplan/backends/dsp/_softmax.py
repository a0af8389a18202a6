# SPDX-License-Identifier: Apache-2.0
"""Softmax by a table that has an exponential for every distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mcuplan.backends.dsp._shared import FOUR, kernel
from mcuplan.ir.op import Call, ConstArray, Signature
from mcuplan.ir.types import DType
from mcuplan.ir.work import Work
from mcuplan.ops import portable_calls
from mcuplan.ops.softmax import Softmax

__all__ = ["KERNELS"]

_DISTANCES = 256


def _calls(sig: Signature) -> tuple[Call, ...]:
    """As the portable kernel, the table with the zeros behind its end."""
    (call,) = portable_calls(sig)
    fields = {k: v for k, v in call.fields.items() if k != "exponentials_count"}
    table = fields["exponentials"]
    assert isinstance(table, ConstArray)
    whole = np.pad(table.values, (0, _DISTANCES - table.values.size))
    fields["exponentials"] = ConstArray(DType.UINT32, whole, "tables")
    return (replace(call, fields=fields),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four classes at a time, and the rest of each pixel."""
    classes = sig.output.shape[-1]
    pixels = sig.output.elements // classes
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "four": pixels * (classes // FOUR),
        "one": pixels * (classes % FOUR),
        "few": pixels * (classes < FOUR),
    }


KERNELS = (kernel(Softmax, function="mplan_softmax_s8_dsp", lower=_calls, work=_work),)
