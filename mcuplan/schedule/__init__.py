# SPDX-License-Identifier: Apache-2.0
"""Execution order, kernels, live ranges and addresses."""

from __future__ import annotations

from mcuplan.schedule.accesses import wait_cycles
from mcuplan.schedule.arrange import Arranged, arrange
from mcuplan.schedule.check_rows import check_rows
from mcuplan.schedule.choose import Choice, Objective, Placer, Selection, choose
from mcuplan.schedule.dead import dead_bytes
from mcuplan.schedule.levels import Level, copied_joins, levels, plan_graph
from mcuplan.schedule.order import best_order, find_order, peak_bytes
from mcuplan.schedule.plan import make_plan
from mcuplan.schedule.program import (
    Allocation,
    OrderResult,
    Plan,
    Program,
    Sharing,
    Slot,
    Spread,
    Step,
)
from mcuplan.schedule.regions import spread
from mcuplan.schedule.segments import EFFORTS, Effort
from mcuplan.schedule.select import Candidate, candidates_of, program_of, select_kernels

__all__ = [
    "EFFORTS",
    "Allocation",
    "Arranged",
    "Candidate",
    "Choice",
    "Effort",
    "Level",
    "Objective",
    "OrderResult",
    "Placer",
    "Plan",
    "Program",
    "Selection",
    "Sharing",
    "Slot",
    "Spread",
    "Step",
    "arrange",
    "best_order",
    "candidates_of",
    "check_rows",
    "choose",
    "copied_joins",
    "dead_bytes",
    "find_order",
    "levels",
    "make_plan",
    "peak_bytes",
    "plan_graph",
    "program_of",
    "select_kernels",
    "spread",
    "wait_cycles",
]
