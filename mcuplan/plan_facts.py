# SPDX-License-Identifier: Apache-2.0
"""What stages find out about a plan, as values; :mod:`mcuplan.words` says them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Aliased",
    "AsAWhole",
    "Faster",
    "FitsAsAWhole",
    "FlashSpent",
    "Naive",
    "NoGainByRows",
    "NotWorthCycles",
    "Overlapped",
    "RamSpent",
    "RoomyRuns",
    "RowsTooFar",
    "SeveralOutputs",
    "SlowerByRows",
    "TooManyRows",
    "Trade",
    "WithStates",
]


@dataclass(frozen=True, slots=True)
class FlashSpent:
    """Steps whose kernel keeps a multiple of their weights: bytes, and percent of cycles saved."""

    steps: int
    nbytes: int
    fewer_cycles: float


@dataclass(frozen=True, slots=True)
class RamSpent:
    """Steps that read copies of their weights: bytes of arena, and percent of cycles saved."""

    steps: int
    nbytes: int
    fewer_cycles: float


@dataclass(frozen=True, slots=True)
class RoomyRuns:
    """Steps some of whose runs find room for a faster form, and percent of cycles saved."""

    steps: int
    fewer_cycles: float


@dataclass(frozen=True, slots=True)
class Faster:
    """What the plan for latency takes against this one: cycles saved, and more bytes of each."""

    cycles: int
    ram_bytes: int
    flash_bytes: int


@dataclass(frozen=True, slots=True)
class Trade:
    """What a choice of kernels gives up for what, against the fastest kernel of every step.

    Attributes:
        steps: of the network.
        slower: steps that do not run their fastest kernel.
        more_cycles: of all steps, in percent.
        saved_bytes: of the arena, or of flash where ``of_flash``.
        least_arena: the smallest arena of any choice that was tried; None: not asked for.
        above_least: how much larger this one is, in percent.
        at_a_rate: bytes were bought with cycles only where they are worth it.
        backwards: percent of cycles saved by other kernels for rows made backwards.
        flash: what was bought with flash to spare.
        ram: what was bought with RAM to spare.
        roomy: what runs gain by room that others of their step have not.
        faster: what the plan for latency takes, where that is faster by far.
    """

    steps: int
    slower: int = 0
    more_cycles: float = 0.0
    saved_bytes: int = 0
    of_flash: bool = False
    least_arena: int | None = None
    above_least: float = 0.0
    at_a_rate: bool = False
    backwards: float | None = None
    flash: FlashSpent | None = None
    ram: RamSpent | None = None
    roomy: RoomyRuns | None = None
    faster: Faster | None = None


@dataclass(frozen=True, slots=True)
class Naive:
    """The model's own order, and a buffer for every tensor."""


@dataclass(frozen=True, slots=True)
class Aliased:
    """Steps in place, moves of data without a copy, and the joins that still copy."""

    in_place: int
    without_copy: int
    copied: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overlapped:
    """Outputs that start among the dead rows of their input."""

    outputs: int


@dataclass(frozen=True, slots=True)
class TooManyRows:
    """No order of rows was looked for: it would take too long."""


@dataclass(frozen=True, slots=True)
class NoGainByRows:
    """No order of rows needs less than the steps as a whole."""


@dataclass(frozen=True, slots=True)
class RowsTooFar:
    """By rows, places would lie further apart than generated code can say; why, in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class SlowerByRows:
    """By rows the network would take more cycles, in percent."""

    more_cycles: float


@dataclass(frozen=True, slots=True)
class NotWorthCycles:
    """By rows the network would need less, but not enough for the cycles that takes."""

    saved_bytes: int


@dataclass(frozen=True, slots=True)
class WithStates:
    """Rows are not divided between calls that go on from one another."""


@dataclass(frozen=True, slots=True)
class SeveralOutputs:
    """Rows of a layer with several outputs do not come together; its name."""

    layer: str


@dataclass(frozen=True, slots=True)
class FitsAsAWhole:
    """Steps as a whole fit, and no plan by rows was looked for."""


AsAWhole = FitsAsAWhole | NotWorthCycles | RowsTooFar | SeveralOutputs | SlowerByRows | WithStates
"""Why a plan that might work by rows does not, where that is no choice."""
