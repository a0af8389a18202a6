# SPDX-License-Identifier: Apache-2.0
"""Execution order, kernels, live ranges and addresses."""

from __future__ import annotations

from mcuplan.schedule.accesses import wait_cycles
from mcuplan.schedule.arrange import Arranged, arrange
from mcuplan.schedule.check_rows import check_rows
from mcuplan.schedule.choose import Choice, Placer, choose
from mcuplan.schedule.dead import dead_bytes
from mcuplan.schedule.frontier import Price, frontier
from mcuplan.schedule.levels import Level, Streaming, copied_joins, input_arenas, levels, plan_graph
from mcuplan.schedule.objective import Objective, Selection, plan_cycles
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
    Spread,
    Step,
)
from mcuplan.schedule.regions import spread
from mcuplan.schedule.segments import EFFORTS, Effort
from mcuplan.schedule.select import Candidate, candidates_of, program_of, select_kernels
from mcuplan.schedule.streamed import plan_rows

__all__ = [
    "EFFORTS",
    "FEED",
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
    "Price",
    "Program",
    "Run",
    "Selection",
    "Sharing",
    "Slot",
    "Spread",
    "Step",
    "Streaming",
    "arrange",
    "best_order",
    "candidates_of",
    "check_rows",
    "choose",
    "copied_joins",
    "dead_bytes",
    "find_order",
    "frontier",
    "input_arenas",
    "levels",
    "make_plan",
    "peak_bytes",
    "plan_cycles",
    "plan_graph",
    "plan_rows",
    "program_of",
    "select_kernels",
    "spread",
    "wait_cycles",
]
