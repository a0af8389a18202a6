# SPDX-License-Identifier: Apache-2.0
"""What would make a model fit or make it faster: other plans, each of them made."""

from __future__ import annotations

from mcuplan.ways.advice import Judge, advised, at_hand
from mcuplan.ways.blocks import in_blocks
from mcuplan.ways.candidates import Candidate
from mcuplan.ways.on_targets import on_targets
from mcuplan.ways.search import Sought, searched

__all__ = [
    "Candidate",
    "Judge",
    "Sought",
    "advised",
    "at_hand",
    "in_blocks",
    "on_targets",
    "searched",
]
