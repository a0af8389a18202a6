# SPDX-License-Identifier: Apache-2.0
"""Which of several changes fit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["as_many"]

T = TypeVar("T")


def as_many(
    order: Sequence[T], fits: Callable[[Sequence[T]], bool], trials: int = 24
) -> Sequence[T]:
    """Those that fit together, the first ones first: all of a half before one is left out.

    What is dear where most is held is left out alone, in as many trials as its place has bits.
    """
    kept: Sequence[T] = ()
    waiting = [order] if order else []
    while waiting and trials > 0:
        part, trials = waiting.pop(), trials - 1
        if fits([*kept, *part]):
            kept = [*kept, *part]
        elif len(part) > 1:
            half = (len(part) + 1) // 2
            waiting += [part[half:], part[:half]]
    return kept
