# SPDX-License-Identifier: Apache-2.0
"""Execution order, kernels, live ranges and addresses."""

from __future__ import annotations

from mcuplan.schedule.order import best_order, peak_bytes
from mcuplan.schedule.plan import make_plan
from mcuplan.schedule.program import Allocation, Plan, Program, Slot, Step
from mcuplan.schedule.select import select_kernels

__all__ = [
    "Allocation",
    "Plan",
    "Program",
    "Slot",
    "Step",
    "best_order",
    "make_plan",
    "peak_bytes",
    "select_kernels",
]
