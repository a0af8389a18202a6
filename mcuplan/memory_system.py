# SPDX-License-Identifier: Apache-2.0
"""How a board reads code and constants, and the cycles that it waits for them.

Reads of the flash bring in some bytes each and take their wait states; caches are filled read
by read. `codegen/harness/memory.c` replays that, `mcuplan.price.board` models it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["NO_STALLS", "MemorySystem", "Stalls", "all_stalls"]


@dataclass(frozen=True, slots=True)
class MemorySystem:
    """The memory that code and constants are read from, at one clock.

    Attributes:
        wait_states: core cycles that one read takes beside the cycle of the access.
        read_bytes: what one read brings in, a power of two.
        line_bytes: of both caches, a power of two, 1 to 32 reads.
        icache_lines, dcache_lines: 0 where there is no such cache.
        unified: one cache, of ``icache_lines``, is for code and constants.
        prefetch: the read behind the last one for code is made ahead.
        rules: pipeline rules of the core that its timing table does not have are known.
        sources: where the figures come from, by key.
    """

    wait_states: int
    read_bytes: int
    line_bytes: int
    icache_lines: int = 0
    dcache_lines: int = 0
    unified: bool = False
    prefetch: bool = False
    rules: bool = False
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def code_bytes(self) -> int:
        """Code that is held once it was read: at least the last read."""
        return max(self.read_bytes, self.icache_lines * self.line_bytes)

    @property
    def data_bytes(self) -> int:
        """Constants that are held once they were read."""
        lines = self.icache_lines if self.unified else self.dcache_lines
        return lines * self.line_bytes


@dataclass(frozen=True, slots=True)
class Stalls:
    """Cycles on a board beside those of the core, by cause.

    Attributes:
        code: waiting for instructions.
        constants: waiting for weights, tables and literals.
        rules: of the pipeline; less than 0 where they save more than they cost.
        mixed: of rules: neighbouring loads of which one reads flash; none of weights in RAM.
    """

    code: float = 0
    constants: float = 0
    rules: float = 0
    mixed: float = 0

    @property
    def cycles(self) -> float:
        """All of them."""
        return self.code + self.constants + self.rules

    def times(self, factor: float) -> Stalls:
        """So many times as much of each."""
        own = (self.code, self.constants, self.rules, self.mixed)
        return Stalls(*(factor * cycles for cycles in own))


NO_STALLS = Stalls()


def all_stalls(parts: Iterable[Stalls]) -> Stalls:
    """The sum."""
    found = tuple(parts)
    return Stalls(
        sum(part.code for part in found),
        sum(part.constants for part in found),
        sum(part.rules for part in found),
        sum(part.mixed for part in found),
    )
