# SPDX-License-Identifier: Apache-2.0
"""An order of steps run storage by storage; shares nothing with the search that found it."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.solvers.steps.problem import Sequencing, bits

__all__ = ["check_sequence"]


def check_sequence(problem: Sequencing, order: Sequence[int]) -> int:
    """The most bytes that exist before the first step of an order, or while any runs.

    Raises:
        ValueError: a step is missing or there twice, or runs before one that it waits for.
    """
    if sorted(order) != list(range(problem.count)):
        raise ValueError("the order has not every step once")
    at = {step: place for place, step in enumerate(order)}
    for step, before in enumerate(problem.before):
        if any(at[other] > at[step] for other in bits(before)):
            raise ValueError(f"step {step} runs before one that it waits for")
    change = [0] * (problem.count + 1)  # bytes that begin with a place, less those that ended
    end = {}
    for index, storage in enumerate(problem.storages):
        begin = min((at[step] for step in bits(storage.makers)), default=0)
        last = max((at[step] for step in bits(storage.users)), default=-1)
        end[index] = problem.count + 1 if storage.kept else last + 1
        if begin < end[index]:
            change[begin] += storage.nbytes
            if not storage.kept:
                change[end[index]] -= storage.nbytes
    there = (s for k, s in enumerate(problem.storages) if not s.makers and end[k] > 0)
    live, peak = 0, sum(storage.nbytes for storage in there)
    for place, step in enumerate(order):
        live += change[place]
        dying = (saved for index, saved in problem.savings[step] if end[index] == place + 1)
        first = problem.first_extra if place == 0 else 0
        peak = max(peak, live + first + problem.extra[step] - max(dying, default=0))
    return max(peak, live + change[problem.count])
