# SPDX-License-Identifier: Apache-2.0
"""Fewer bits of weights where flash is short, more of activations where outputs need them.

Layers are ordered by what outputs lose when each alone is coarser; models with more and more of
them are planned, and what each loses and needs is compared.
"""

from mcuplan.tradeoff.frontier import check_samples, plan_within, type_frontier, type_points
from mcuplan.tradeoff.sensitivity import BLOCK, Sensitivities, TypeChange, sensitivities

__all__ = [
    "BLOCK",
    "Sensitivities",
    "TypeChange",
    "check_samples",
    "plan_within",
    "sensitivities",
    "type_frontier",
    "type_points",
]
