# SPDX-License-Identifier: Apache-2.0
"""What a report format is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcuplan.record import Budget, Undecided
from mcuplan.report._names import distinct
from mcuplan.report._text import WIDTH, wrap
from mcuplan.safe_text import plain

__all__ = ["Format", "Look"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a person wants to see it; machine formats ignore this.

    ``every_layer`` unfolds the table of layers; ``unicode`` allows characters beyond ASCII;
    ``brief`` leaves out what is on stderr anyway; ``width`` is that of the screen in columns.
    """

    colour: bool = False
    unicode: bool = False
    every_layer: bool = False
    verbose: bool = False
    brief: bool = False
    width: int = WIDTH

    def plain(self, text: str) -> str:
        """One line that is safe to print, in the characters that may be used."""
        return plain(text, unicode=self.unicode)

    def wrap(self, text: str, first: str = "", rest: str = "") -> list[str]:
        """Lines as wide as the screen, the first with one indent and the others with another."""
        return wrap(text, first, rest, self.width)

    def names(self, names: Sequence[str], width: int) -> list[str]:
        """Names for a column that has ``width`` on a screen of 80, and what a wider one adds."""
        room = max(8, width + self.width - WIDTH)
        return distinct([self.plain(name) for name in names], room)


@dataclass(frozen=True, slots=True)
class Format:
    """A name, and how a decided and an undecided report look in it."""

    name: str
    decided: Callable[[Budget, Look], str]
    undecided: Callable[[Undecided, Look], str]
