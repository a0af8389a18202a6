# SPDX-License-Identifier: Apache-2.0
"""What becomes of choices of kernels: a callback places them, another says what that took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from mcuplan.ir.op import Kernel
from mcuplan.schedule.kernels.flash_price import FlashPrice
from mcuplan.schedule.kernels.select import Candidate, Chosen
from mcuplan.schedule.overlap import shared_bytes
from mcuplan.schedule.program import Step

__all__ = ["Placer", "kernels_of", "leanness", "no_larger"]

P = TypeVar("P")


def kernels_of(chosen: Chosen) -> tuple[Kernel, ...]:
    """The kernels of a choice, node by node."""
    return tuple(candidate.step.kernel for candidate in chosen.values())


@dataclass(slots=True)
class Placer(Generic[P]):
    """Places choices of kernels, each once.

    Attributes:
        place: makes a plan, or something that tells its arena.
        arena_bytes: of it; a little more than the least there is will do.
        finish: takes more time, for the last one.
        closer: takes more time, given the arena and a limit, if an arena within may be found.
        price: what choices take of the flash.
    """

    place: Callable[[Chosen], P]
    arena_bytes: Callable[[P], int]
    finish: Callable[[Chosen], P] | None = None
    closer: Callable[[P, int, int], int] | None = None
    price: FlashPrice = field(default_factory=FlashPrice)
    known: dict[tuple[Kernel, ...], P] = field(default_factory=dict)
    sizes: dict[tuple[Kernel, ...], int] = field(default_factory=dict)

    def measured_by(
        self,
        nbytes: Callable[[P], int],
        closer: Callable[[P, int, int], int] | None = None,
    ) -> Placer[P]:
        """The same plans by other sizes, those of all RAM say."""
        return replace(self, arena_bytes=nbytes, closer=closer, sizes={})

    def __call__(self, chosen: Chosen) -> P:
        """What became of a choice."""
        key = kernels_of(chosen)
        if key not in self.known:
            self.known[key] = self.place(chosen)
        return self.known[key]

    def best(self, chosen: Chosen) -> P:
        """What becomes of a choice that stays."""
        if self.finish is not None:
            more = self.finish(chosen)
            if self.arena_bytes(more) <= self.size(chosen):
                self.known[kernels_of(chosen)] = more
                self.sizes.pop(kernels_of(chosen), None)
        return self(chosen)

    def size(self, chosen: Chosen) -> int:
        """Bytes of arena."""
        key = kernels_of(chosen)
        if key not in self.sizes:
            self.sizes[key] = self.arena_bytes(self(chosen))
        return self.sizes[key]

    def keeps(self, chosen: Chosen, limit: int) -> bool:
        """Whether the arena stays within a limit."""
        if self.size(chosen) > limit and self.closer is not None:
            self.sizes[kernels_of(chosen)] = self.closer(self(chosen), self.size(chosen), limit)
        return self.size(chosen) <= limit


def no_larger(step: Step, other: Step) -> bool:
    """Whether a kernel needs no more bytes than another one of the node, however it is called."""
    one, two = step.kernel, other.kernel
    alike = one.row_by_row >= two.row_by_row and one.tall <= two.tall
    places = set(step.inplace_inputs) >= set(other.inplace_inputs)
    return alike and places and step.scratch_bytes <= other.scratch_bytes


def leanness(candidate: Candidate) -> tuple[int, float]:
    """Bytes that a step needs beside its inputs, then cycles."""
    step = candidate.step
    if step.inplace_inputs:
        return step.scratch_bytes, candidate.cycles
    shared, made = max(shared_bytes(step).values(), default=0), step.signature.output.nbytes
    return max(0, made - shared) + step.scratch_bytes, candidate.cycles
