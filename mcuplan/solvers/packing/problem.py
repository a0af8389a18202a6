# SPDX-License-Identifier: Apache-2.0
"""What is placed and where it went: bytes, steps and offsets, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Literal

__all__ = ["Buffer", "Ended", "LiveRange", "MemoryPlan", "Placement", "Problem", "Region"]


@dataclass(frozen=True, slots=True, order=True)
class LiveRange:
    """Steps during which a buffer must exist: ``[start, end)``, never empty."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"live range [{self.start}, {self.end}) is empty")

    def __len__(self) -> int:
        return self.end - self.start

    def meets(self, other: LiveRange) -> bool:
        """Whether there is a step at which both are alive."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Region:
    """A named memory of a target.

    ``reserved_bytes`` belong to the rest of the firmware; ``section`` is the linker
    section for objects in this region ("" = the default one); ``wait_states`` are
    extra cycles of one access; ``source`` says where the figures come from.
    """

    name: str
    kind: Literal["ram", "flash"]
    bytes: int
    reserved_bytes: int = 0
    wait_states: int = 0
    section: str = ""
    source: str = ""
    base: int | None = None

    def __post_init__(self) -> None:
        if self.bytes < 0 or not 0 <= self.reserved_bytes <= self.bytes:
            raise ValueError(f"region {self.name!r}: {self.reserved_bytes} of {self.bytes} bytes")

    @property
    def usable_bytes(self) -> int:
        """What is left for a plan."""
        return self.bytes - self.reserved_bytes


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes to place; offsets are multiples of ``align``; ``region`` "" = the only one."""

    name: str
    nbytes: int
    live: LiveRange
    align: int = 4
    region: str = ""

    def __post_init__(self) -> None:
        if self.nbytes < 0 or self.align < 1:
            raise ValueError(f"buffer {self.name!r}: {self.nbytes} bytes, alignment {self.align}")


@dataclass(frozen=True, slots=True)
class Placement:
    """A buffer and its offset (bytes) from the start of its region's arena."""

    buffer: Buffer
    offset: int


@dataclass(frozen=True, slots=True)
class Problem:
    """The buffers of one arena, and which of them may overlap how far.

    For two buffers i and j alive together, one of these must hold::

        offset[j] - offset[i] >= separation(i, j)      (i lies below j)
        offset[i] - offset[j] >= separation(j, i)      (j lies below i)

    Without an entry the separation is the size of the lower buffer: no byte is
    shared. A smaller entry lets the upper one start inside the lower one; 0 lets
    both start at the same offset. Entries are never negative.

    ``pinned`` buffers lie at the offset given here; the others are placed around them.
    """

    buffers: tuple[Buffer, ...]
    separations: Mapping[tuple[int, int], int] = field(default_factory=dict)
    pinned: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.buffers)
        for (low, high), distance in self.separations.items():
            if not (0 <= low < count and 0 <= high < count and low != high and distance >= 0):
                raise ValueError(f"separation {(low, high)}: {distance} among {count} buffers")
        for index, offset in self.pinned.items():
            if not (0 <= index < count and offset >= 0):
                raise ValueError(f"buffer {index} of {count}: pinned to offset {offset}")
            if offset % self.buffers[index].align:
                raise ValueError(f"buffer {index}: offset {offset} breaks its alignment")

    def separation(self, low: int, high: int) -> int:
        """Least safe ``offset[high] - offset[low]`` when buffer ``low`` lies below."""
        return self.separations.get((low, high), self.buffers[low].nbytes)


class Ended(Enum):
    """Why no search went on where an arena is not proved to be the least."""

    NOT_ASKED = auto()
    TOO_MANY_PAIRS = auto()
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Offsets for the buffers of one arena, and what is known about their quality.

    ``placements`` keep the order of ``Problem.buffers``. ``lower_bound_bytes`` is the
    peak of the live bytes, reached at ``peak_step`` (-1: no buffers);
    ``proved_bytes`` >= it is the largest size below which no placement exists by
    proof, of ``nodes`` visited by the exact search.
    """

    placements: tuple[Placement, ...]
    arena_bytes: int
    lower_bound_bytes: int
    peak_step: int
    optimal: bool
    method: str
    proved_bytes: int = 0
    ended: Ended = Ended.NOT_ASKED
    nodes: int = 0
