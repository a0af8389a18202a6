# SPDX-License-Identifier: Apache-2.0
"""What a report format is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcuplan.budget.record import Budget, Undecided

__all__ = ["Format", "Look"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a person wants to see it; machine formats ignore this.

    ``every_layer`` unfolds the table of layers; ``unicode`` allows characters beyond ASCII;
    ``brief`` leaves out what is on stderr anyway.
    """

    colour: bool = False
    unicode: bool = False
    every_layer: bool = False
    verbose: bool = False
    brief: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """A name, and how a decided and an undecided report look in it."""

    name: str
    describe: str
    decided: Callable[[Budget, Look], str]
    undecided: Callable[[Undecided, Look], str]
