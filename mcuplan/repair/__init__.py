# SPDX-License-Identifier: Apache-2.0
"""Makes up for what grids cost: other weights, ranges and roundings, judged on other samples."""

from __future__ import annotations

from mcuplan.repair.bench import Recipe, Repaired, Tools
from mcuplan.repair.efforts import EFFORTS, kinds_of, repair, repaired_alike

__all__ = ["EFFORTS", "Recipe", "Repaired", "Tools", "kinds_of", "repair", "repaired_alike"]
