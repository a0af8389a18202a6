# SPDX-License-Identifier: Apache-2.0
"""What the operators with weights and a bias share."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.op import ConstArray, Field, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.quant.requantize import Requant, act_limits, requantize, weighted_requant

__all__ = ["finish", "prepared", "requant_fields"]


def prepared(sig: Signature) -> Requant:
    """Folded bias and factors of a node with inputs (activation, weights, bias)."""
    return weighted_requant(
        sig.constant(1), sig.constant(2), sig.inputs[0], sig.inputs[1], sig.output
    )


def finish(sig: Signature, accumulator: Array) -> Array:
    """Add the folded bias to exact sums (channels last) and requantize."""
    requant = prepared(sig)
    return requantize(
        accumulator.astype(np.int64) + requant.bias,
        requant.multiplier,
        requant.pre_shift,
        sig.output.q.z,
        act_limits(sig.output.q, sig.op.act),
    )


def requant_fields(sig: Signature) -> dict[str, Field]:
    """Members of the params struct that every weighted kernel has."""
    requant = prepared(sig)
    act_min, act_max = act_limits(sig.output.q, sig.op.act)
    shifts = (
        ConstArray(DType.UINT8, requant.pre_shift, "tables") if requant.pre_shift.any() else None
    )
    return {
        "bias": ConstArray(DType.INT32, requant.bias),
        "multiplier": ConstArray(DType.INT32, requant.multiplier, "tables"),
        "pre_shift": shifts,
        "out_zero_point": sig.output.q.z,
        "act_min": act_min,
        "act_max": act_max,
    }
