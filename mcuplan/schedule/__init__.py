# SPDX-License-Identifier: Apache-2.0
"""Execution order, kernels, live ranges and addresses."""

from __future__ import annotations

from mcuplan.schedule.accesses import wait_cycles
from mcuplan.schedule.assembly.arrange import Arranged, arrange
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.dead import dead_bytes
from mcuplan.schedule.assembly.order import best_order, find_order, peak_bytes
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.assembly.regions import spread
from mcuplan.schedule.explore.frontier import FrontierPoint, frontier
from mcuplan.schedule.explore.levels import (
    Arenas,
    ByRows,
    Level,
    Reason,
    copied_joins,
    levels,
)
from mcuplan.schedule.explore.variants import (
    Explored,
    frontier_of,
    input_arenas,
    less_ram,
    levels_of,
)
from mcuplan.schedule.kernels.choose import Choice, Placer, choose
from mcuplan.schedule.kernels.objective import Objective, Selection, plan_cycles
from mcuplan.schedule.kernels.select import Candidate, candidates_of, program_of, select_kernels
from mcuplan.schedule.planning.by_rows import plan_rows
from mcuplan.schedule.planning.choice import plan_asked, plan_graph
from mcuplan.schedule.planning.rating import Rating, apart_bytes
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
    Streaming,
)
from mcuplan.solvers.effort import EFFORTS, Effort

__all__ = [
    "EFFORTS",
    "FEED",
    "Allocation",
    "Arenas",
    "Arranged",
    "ByRows",
    "Candidate",
    "Choice",
    "Effort",
    "Explored",
    "FrontierPoint",
    "Level",
    "Objective",
    "OrderResult",
    "Placer",
    "Plan",
    "Program",
    "Rating",
    "Reason",
    "Run",
    "Selection",
    "Sharing",
    "Slot",
    "Spread",
    "Step",
    "Streaming",
    "apart_bytes",
    "arrange",
    "best_order",
    "candidates_of",
    "check_rows",
    "choose",
    "copied_joins",
    "dead_bytes",
    "find_order",
    "frontier",
    "frontier_of",
    "input_arenas",
    "less_ram",
    "levels",
    "levels_of",
    "make_plan",
    "peak_bytes",
    "plan_asked",
    "plan_cycles",
    "plan_graph",
    "plan_rows",
    "program_of",
    "select_kernels",
    "spread",
    "wait_cycles",
]
