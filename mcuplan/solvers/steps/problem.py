# SPDX-License-Identifier: Apache-2.0
"""Steps and storages as numbers: what the search for an order works on.

A set of steps is an integer, bit i = step i has run. Live bytes depend on that set
alone: a storage lives from its first maker to the last of its makers and readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

__all__ = ["Sequencing", "Storage", "bits", "sequencing"]


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes that steps share. ``makers`` is 0 for an input of the model.

    ``users`` holds makers and readers; a storage that outlives all steps is ``kept``.
    """

    nbytes: int
    makers: int
    users: int
    kept: bool = False

    def alive(self, done: int) -> bool:
        """Whether it exists after the steps of a set have run."""
        made = not self.makers or bool(self.makers & done)
        return made and (self.kept or bool(self.users & ~done))


@dataclass(frozen=True)
class Sequencing:
    """An ordering problem: run the steps in the order with the least peak of live bytes.

    Attributes:
        before: for each step the steps that must run before it.
        storages: what they make and read.
        extra: bytes that a step needs only while it runs (scratch).
        savings: for each step (storage, bytes): so many bytes less while it runs if the
            storage dies at it, of which the largest counts (in place, overlap).
        first_extra: bytes that the first step alone has on top (inputs nobody reads).
    """

    before: tuple[int, ...]
    storages: tuple[Storage, ...]
    extra: tuple[int, ...]
    savings: tuple[tuple[tuple[int, int], ...], ...]
    first_extra: int = 0

    @property
    def count(self) -> int:
        """Number of steps."""
        return len(self.before)

    @property
    def everything(self) -> int:
        """The set of all steps."""
        return (1 << self.count) - 1

    @cached_property
    def after(self) -> tuple[tuple[int, ...], ...]:
        """For each step the steps that wait for it."""
        found: list[list[int]] = [[] for _ in self.before]
        for step, needed in enumerate(self.before):
            for other in bits(needed):
                found[other].append(step)
        return tuple(tuple(steps) for steps in found)

    @cached_property
    def makes(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each step (bytes, all makers) of the storages it is a maker of."""
        found: list[list[tuple[int, int]]] = [[] for _ in self.before]
        for storage in self.storages:
            for step in bits(storage.makers):
                found[step].append((storage.nbytes, storage.makers))
        return tuple(tuple(items) for items in found)

    @cached_property
    def ends(self) -> tuple[tuple[tuple[int, int, int], ...], ...]:
        """For each step (bytes, users, saving) of the storages that may die at it."""
        found: list[list[tuple[int, int, int]]] = [[] for _ in self.before]
        for index, storage in enumerate(self.storages):
            for step in bits(0 if storage.kept else storage.users):
                saved = max((n for s, n in self.savings[step] if s == index), default=0)
                found[step].append((storage.nbytes, storage.users, saved))
        return tuple(tuple(items) for items in found)

    def live_bytes(self, done: int) -> int:
        """Bytes that exist after the steps of a set have run."""
        return sum(s.nbytes for s in self.storages if s.alive(done))

    def run(self, step: int, done: int, live: int) -> tuple[int, int]:
        """Bytes while a step runs, and live bytes when it has run."""
        after = done | 1 << step
        grown = freed = saved = 0
        for nbytes, makers in self.makes[step]:
            if not makers & done:
                grown += nbytes
        for nbytes, users, saving in self.ends[step]:
            if not users & ~after:
                freed += nbytes
                if saving > saved:
                    saved = saving
        during = live + grown + self.extra[step] - saved
        return (during if done else during + self.first_extra), live + grown - freed

    def ready(self, done: int) -> int:
        """The steps whose predecessors have run."""
        found = 0
        for step, needed in enumerate(self.before):
            if not needed & ~done and not done >> step & 1:
                found |= 1 << step
        return found

    def peak(self, order: Sequence[int]) -> int:
        """Most bytes while any step of an order runs."""
        done, live, peak = 0, self.live_bytes(0), 0
        for step in order:
            during, live = self.run(step, done, live)
            peak = max(peak, during)
            done |= 1 << step
        return max(peak, live)

    @cached_property
    def ancestors(self) -> tuple[int, ...]:
        """For each step all steps that run before it in every order."""
        found: list[int] = [0] * self.count
        for step in self.topological():
            for other in bits(self.before[step]):
                found[step] |= found[other] | 1 << other
        return tuple(found)

    @cached_property
    def descendants(self) -> tuple[int, ...]:
        """For each step all steps that run after it in every order."""
        found: list[int] = [0] * self.count
        for step in reversed(self.topological()):
            for other in self.after[step]:
                found[step] |= found[other] | 1 << other
        return tuple(found)

    def topological(self) -> list[int]:
        """The steps by their numbers, which is an order that may be run."""
        return list(range(self.count))

    @cached_property
    def touched(self) -> tuple[tuple[int, ...], ...]:
        """For each step the storages it makes or reads."""
        found: list[list[int]] = [[] for _ in self.before]
        for index, storage in enumerate(self.storages):
            for step in bits(storage.users):
                found[step].append(index)
        return tuple(tuple(items) for items in found)

    def part(self, chosen: Sequence[int], done: int, live: int) -> tuple[Sequencing, int]:
        """The problem of some steps that run together when exactly ``done`` has run.

        Args:
            chosen: the steps, in an order that may be run.
            done: all that runs before them.
            live: live bytes when it has run.

        Returns:
            The steps renumbered in their order, and the bytes that live all the while
            without being touched.
        """
        number = {step: i for i, step in enumerate(chosen)}
        inside = _mask(chosen)
        held, index = live, {}
        storages: list[Storage] = []
        for old in sorted({k for step in chosen for k in self.touched[step]}):
            storage = self.storages[old]
            begun = not storage.makers or bool(storage.makers & done)
            held -= storage.nbytes if storage.alive(done) else 0
            makers = 0 if begun else _renumbered(storage.makers & inside, number)
            users = _renumbered(storage.users & inside, number)
            kept = storage.kept or bool(storage.users & ~done & ~inside)
            index[old] = len(storages)
            storages.append(replace(storage, makers=makers, users=users, kept=kept))
        part = Sequencing(
            tuple(_renumbered(self.before[s] & inside, number) for s in chosen),
            tuple(storages),
            tuple(self.extra[s] for s in chosen),
            tuple(tuple((index[k], n) for k, n in self.savings[s] if k in index) for s in chosen),
            0 if done else self.first_extra,
        )
        return part, held


def sequencing(
    before: Sequence[Iterable[int]],
    storages: Iterable[tuple[int, Iterable[int], Iterable[int], bool]],
    extra: Sequence[int] = (),
    savings: Sequence[Iterable[tuple[int, int]]] = (),
) -> Sequencing:
    """A problem from lists of step numbers, which are in an order that may be run.

    Args:
        before: for each step the steps it waits for.
        storages: (bytes, makers, readers, kept) of each; no makers = an input.
        extra: scratch bytes of each step.
        savings: for each step (index of a storage, bytes saved if it dies there).
    """
    made: list[Storage] = []
    first_extra, renumbered = 0, {}
    for old, (nbytes, makers, readers, kept) in enumerate(storages):
        first, last = _mask(makers), _mask(readers)
        if not first and not last and not kept:
            first_extra += nbytes
            continue
        renumbered[old] = len(made)
        made.append(Storage(nbytes, first, first | last, kept))
    count = len(before)
    given = [tuple(items) for items in savings] or [()] * count
    return Sequencing(
        tuple(_mask(steps) for steps in before),
        tuple(made),
        tuple(extra) or (0,) * count,
        tuple(tuple((renumbered[s], n) for s, n in items) for items in given),
        first_extra,
    )


def bits(mask: int) -> Iterator[int]:
    """Positions of the ones, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _mask(steps: Iterable[int]) -> int:
    mask = 0
    for step in steps:
        mask |= 1 << step
    return mask


def _renumbered(mask: int, number: dict[int, int]) -> int:
    return sum(1 << number[step] for step in bits(mask))
