# SPDX-License-Identifier: Apache-2.0
"""What a plan is to be best at, and how a whole plan is rated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from mcuplan.schedule.accesses import wait_cycles
from mcuplan.schedule.calls import call_cycles, kernel_cycles
from mcuplan.schedule.program import Plan

__all__ = ["MORE_CYCLES", "MOST_TIMES", "WORTH", "Aim", "Objective", "plan_cycles", "ram_weight"]

WORTH = 5
"""Percent of cycles that `ram` pays for a percent of arena."""

MOST_TIMES = 2.0
"""Times the cycles of the fastest kernels that `ram` pays in all."""

MORE_CYCLES = 1.15
"""Times the least cycles that `balanced` takes for an arena near the least."""


class Objective(StrEnum):
    """What a choice of kernels is to be best at."""

    BALANCED = "balanced"  # fast, and within 5 % of the least arena
    RAM = "ram"  # little arena: 1 % of it for up to 5 % of the cycles, at most twice as many
    RAM_STRICT = "ram=strict"  # the least arena, whatever that takes
    LATENCY = "latency"
    FLASH = "flash"  # the least code and constants, or 4 % more for half the cycles


def ram_weight(arena_bytes: float, cycles: float) -> float:
    """What `ram` weighs: equal where a percent of arena has cost its worth in cycles."""
    return math.log(max(1.0, cycles)) + WORTH * math.log(max(1.0, arena_bytes))


def plan_cycles(plan: Plan) -> float:
    """Modelled cycles of a plan, in as many calls as it makes, wait states included."""
    own = (kernel_cycles(plan, step).total for step in plan.program.steps)
    calls = call_cycles(plan)
    beside = sum(calls.of_step(step.index) for step in plan.program.steps)
    return sum(own) + beside + sum(wait_cycles(plan))


@dataclass(frozen=True, slots=True)
class Aim:
    """What to choose kernels for.

    ``ram_limit`` and ``flash_limit`` are for all that lies there; ``row_cycles``, where not 0,
    what a call that feeds a row of the input may take, or one that finishes after the last. Other
    objectives than latency spend one part in ``flash_share`` of the flash on kernels that keep
    more weights. ``flash_beside`` bytes of it are for tables that plans have beside kernels.
    """

    objective: Objective = Objective.BALANCED
    ram_limit: int | None = None
    row_cycles: int = 0
    flash_limit: int | None = None
    flash_share: int = 8
    flash_beside: int = 0
