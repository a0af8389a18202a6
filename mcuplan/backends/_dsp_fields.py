# SPDX-License-Identifier: Apache-2.0
"""Fields that the weighted dsp kernels share."""

from __future__ import annotations

from mcuplan.backends._dsp_packing import padded_channels
from mcuplan.ir.op import NO_CLAMP, ConstArray, Field, Signature
from mcuplan.ir.types import DType
from mcuplan.quant.requantize import Requant, act_limits, weighted_requant

__all__ = ["prepared", "requant_fields"]


def prepared(sig: Signature) -> Requant:
    """Folded bias and factors of a node with inputs (activation, weights, bias)."""
    return weighted_requant(
        sig.constant(1), sig.constant(2), sig.inputs[0], sig.inputs[1], sig.output
    )


def requant_fields(sig: Signature) -> dict[str, Field]:
    """Zero point, limits and shifts; bias and multipliers are packed with the weights."""
    act: tuple[float, float] = getattr(sig.op, "act", NO_CLAMP)
    act_min, act_max = act_limits(sig.output.q, act)
    shifts = padded_channels(prepared(sig).pre_shift)
    return {
        "pre_shift": ConstArray(DType.UINT8, shifts, "tables") if shifts.any() else None,
        "out_zero_point": sig.output.q.z,
        "act_min": act_min,
        "act_max": act_max,
    }
