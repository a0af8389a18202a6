# SPDX-License-Identifier: Apache-2.0
"""What builds and runs of the generated code showed, as the report has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Accuracy",
    "BuildInfo",
    "ChannelError",
    "ElfFigures",
    "OutputError",
    "StackFigures",
    "Verification",
]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One score of the float model and of the integer code on the same samples."""

    metric: str
    float_: float | None
    integer: float


@dataclass(frozen=True, slots=True)
class ChannelError:
    """Signal-to-noise ratio of one channel; None: no noise at all."""

    index: int
    sqnr_db: float | None


@dataclass(frozen=True, slots=True)
class OutputError:
    """An output held against the runtime on the model file, without graph optimizations.

    ``sqnr_db`` is the ratio of the runtime's squares to those of the difference, cut at 200
    dB; None: no noise at all. ``max_error`` is in real units. ``channels`` along
    ``channel_axis`` are there where their ranges differ by more than 8 times.
    """

    name: str
    sqnr_db: float | None
    max_error: float
    channel_axis: int | None
    channels: tuple[ChannelError, ...]


@dataclass(frozen=True, slots=True)
class ElfFigures:
    """Bytes of the linked image, and whether they are what the plan says."""

    data_bytes: int
    constants_bytes: int
    code_bytes: int
    agrees: bool


@dataclass(frozen=True, slots=True)
class StackFigures:
    """Static bound and painted high-water mark of the call."""

    bound_bytes: int
    measured_bytes: int | None


@dataclass(frozen=True, slots=True)
class Verification:
    """What one run of the compiled code showed; None where a run does not show it.

    ``max_lsb`` and ``exact_share`` are end to end against the runtime, ``layer_max_lsb`` is
    the worst layer fed with the runtime's own input (quantized models).
    """

    on: Literal["host", "emulator"]
    core: str
    samples: int
    equal_to_reference: bool
    max_lsb: int | None
    exact_share: float | None
    top1_agreement: float | None
    layer_max_lsb: int | None
    first_diverging_layer: str | None
    accuracy: Accuracy | None
    elf: ElfFigures | None
    stack: StackFigures | None
    instructions: int | None
    cycles: int | None
    outputs: tuple[OutputError, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """What the measured figures were built with."""

    compiler: str
    flags: str
