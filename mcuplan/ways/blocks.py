# SPDX-License-Identifier: Apache-2.0
"""Weights that a model file has in 4 bits by blocks, in 4 bits on the device: a plan of that."""

from __future__ import annotations

from mcuplan.facts import FreeBlocks
from mcuplan.ir.types import DType
from mcuplan.record import Limits, Planned, Way
from mcuplan.ways.advice import Judge
from mcuplan.ways.candidates import narrowed

__all__ = ["in_blocks"]


def in_blocks(planned: Planned, limits: Limits) -> Way | None:
    """The plan with weights of 4 bits; None where the file has none such, or they are asked for.

    Nor is there one with little effort, or where repair would look at samples again.
    """
    request = planned.request
    there = any(isinstance(fact, FreeBlocks) for fact in planned.notes)
    asked = request.weight_dtypes or request.max_loss is not None
    slow = request.effort == "fast" or request.quantize_effort != "fast"
    if not there or asked or slow or request.dtype is not DType.INT8:
        return None
    return Judge(planned, limits).way(narrowed(planned))
