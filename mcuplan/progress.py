# SPDX-License-Identifier: Apache-2.0
"""How work that takes long says how far it is, to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

__all__ = ["SILENT", "Bar", "Voice", "no_bar", "unheard"]

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
"""Begins some work: what it is and how many parts it has; then each call says how many are done."""


def no_bar(label: str, parts: int) -> AbstractContextManager[Callable[[int], object]]:
    """Shows nothing."""
    return nullcontext(lambda done: None)


def unheard(text: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Who listens to a command at work; nobody unless said.

    ``log`` takes lines, ``at`` what long work is at (an empty text ends it), ``bar`` how far it is.
    ``clock`` says seconds; it stands where nobody waits.
    """

    log: Callable[[str], None] = unheard
    at: Callable[[str], None] = unheard
    bar: Bar = no_bar
    clock: Callable[[], float] = lambda: 0.0

    def until(self, seconds: float) -> Callable[[], bool]:
        """Says whether so much time has gone from now on."""
        end = self.clock() + seconds
        return lambda: self.clock() > end


SILENT = Voice()
