# SPDX-License-Identifier: Apache-2.0
"""What one kernel takes for one node: cycles, waits, code, stack, constants, accesses.

Sums over plans and programs stand where plans are made and reported; they add up what this
room says of each step. Scratch is told by the kernel itself.
"""

from __future__ import annotations

from mcuplan.price.accesses import Accesses, accesses_of
from mcuplan.price.code import kernel_size
from mcuplan.price.constants import Constants, constants_of
from mcuplan.price.cycles import Expected, Ground, expected_cycles

__all__ = [
    "Accesses",
    "Constants",
    "Expected",
    "Ground",
    "accesses_of",
    "constants_of",
    "expected_cycles",
    "kernel_size",
]
