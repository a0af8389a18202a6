# SPDX-License-Identifier: Apache-2.0
"""Places buffers in arenas and proves it; knows bytes and steps, not tensors or operators."""

from __future__ import annotations

from mcuplan.solvers.packing.assign import Assignment, Room, assign
from mcuplan.solvers.packing.bound import LowerBound, lower_bound
from mcuplan.solvers.packing.check import PlanError, check_placements, check_plan, check_regions
from mcuplan.solvers.packing.known import Packer
from mcuplan.solvers.packing.pack import DEFAULT_NODES, pack
from mcuplan.solvers.packing.problem import (
    Buffer,
    LiveRange,
    MemoryPlan,
    Placement,
    Problem,
    Region,
)

__all__ = [
    "DEFAULT_NODES",
    "Assignment",
    "Buffer",
    "LiveRange",
    "LowerBound",
    "MemoryPlan",
    "Packer",
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
