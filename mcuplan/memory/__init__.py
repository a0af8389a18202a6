# SPDX-License-Identifier: Apache-2.0
"""Places buffers in arenas and proves it; knows bytes and steps, not tensors or operators."""

from __future__ import annotations

from mcuplan.memory.assign import Assignment, Room, assign
from mcuplan.memory.bound import LowerBound, lower_bound
from mcuplan.memory.check import PlanError, check_placements, check_plan, check_regions
from mcuplan.memory.pack import DEFAULT_NODES, pack
from mcuplan.memory.problem import Buffer, LiveRange, MemoryPlan, Placement, Problem, Region

__all__ = [
    "DEFAULT_NODES",
    "Assignment",
    "Buffer",
    "LiveRange",
    "LowerBound",
    "MemoryPlan",
    "Placement",
    "PlanError",
    "Problem",
    "Region",
    "Room",
    "assign",
    "check_placements",
    "check_plan",
    "check_regions",
    "lower_bound",
    "pack",
]
