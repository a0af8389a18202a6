# SPDX-License-Identifier: Apache-2.0
"""Places buffers in arenas and proves it; knows bytes and steps, not tensors or operators."""

from __future__ import annotations

from mcuplan.memory.problem import Buffer, LiveRange, MemoryPlan, Placement, Problem, Region

__all__ = ["Buffer", "LiveRange", "MemoryPlan", "Placement", "Problem", "Region"]
