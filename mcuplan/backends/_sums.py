# SPDX-License-Identifier: Apache-2.0
"""Sums and differences of two tensors of one shape, which every set has a kernel for."""

from __future__ import annotations

from mcuplan.ir.op import Call, Field, Signature
from mcuplan.ops import portable_calls

__all__ = ["row_sums"]

_FACTORS = ("multiplier", "multiplier2", "offset", "shift")
_ENDS = ("out_zero_point", "act_min", "act_max")


def row_sums(sig: Signature) -> tuple[Call, ...]:
    """The portable kernel's factors, without its loops."""
    (call,) = portable_calls(sig)
    fields: dict[str, Field] = {name: call.fields[name] for name in _FACTORS + _ENDS}
    return (Call(fields | {"row_bytes": sig.output.row_bytes}, inputs=(0, 1)),)
