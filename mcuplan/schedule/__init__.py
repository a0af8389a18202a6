# SPDX-License-Identifier: Apache-2.0
"""Execution order, kernels, live ranges and addresses."""

from __future__ import annotations

from mcuplan.schedule.arrange import Arranged, arrange
from mcuplan.schedule.check_rows import check_rows
from mcuplan.schedule.dead import dead_bytes
from mcuplan.schedule.levels import Level, Streaming, copied_joins, input_arenas, levels, plan_graph
from mcuplan.schedule.order import best_order, find_order, peak_bytes
from mcuplan.schedule.plan import make_plan
from mcuplan.schedule.program import (
    FEED,
    Allocation,
    OrderResult,
    Plan,
    Program,
    Run,
    Sharing,
    Slot,
    Step,
)
from mcuplan.schedule.segments import EFFORTS, Effort
from mcuplan.schedule.select import select_kernels
from mcuplan.schedule.streamed import plan_rows

__all__ = [
    "EFFORTS",
    "FEED",
    "Allocation",
    "Arranged",
    "Effort",
    "Level",
    "OrderResult",
    "Plan",
    "Program",
    "Run",
    "Sharing",
    "Slot",
    "Step",
    "Streaming",
    "arrange",
    "best_order",
    "check_rows",
    "copied_joins",
    "dead_bytes",
    "find_order",
    "input_arenas",
    "levels",
    "make_plan",
    "peak_bytes",
    "plan_graph",
    "plan_rows",
    "select_kernels",
]
