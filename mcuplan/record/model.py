# SPDX-License-Identifier: Apache-2.0
"""The model and target as the report has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mcuplan.record.limits import LEFT_OUT, FromOne, Magnitude, Sha256, Signed, one_of
from mcuplan.units import Origin

__all__ = [
    "ModelInfo",
    "ModelName",
    "ModelPort",
    "Roof",
    "TargetInfo",
    "Totals",
]


@dataclass(frozen=True, slots=True)
class ModelPort:
    """An input or output at the C boundary, in the model's own order of axes."""

    name: str
    shape: tuple[int, ...]
    dtype: Annotated[str, one_of("int8", "uint8", "bool", "int32", "int64", "float32")]
    bytes: int
    scale: float | None
    zero_point: Signed | None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What was read; ``nodes`` of the model file became ``steps``."""

    name: str
    sha256: Sha256
    opset: int
    dtype: str
    parameters: int
    macs: int
    ops: int
    nodes: int
    steps: int
    inputs: tuple[ModelPort, ...]
    outputs: tuple[ModelPort, ...]


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model of which nothing but its file name is known."""

    name: str


@dataclass(frozen=True, slots=True)
class Roof:
    """The most that a chip can do, for kernels that were measured on its core.

    Attributes:
        macs_per_cycle: of the quickest kind of layer.
        ram_bytes_per_cycle: that activations are read or written with.
        flash_bytes_per_cycle: that weights are read with, wait states of the flash included.
        bandwidth_origin: of both of them.
    """

    macs_per_cycle: Magnitude
    ram_bytes_per_cycle: Magnitude
    flash_bytes_per_cycle: Magnitude
    bandwidth_origin: Origin


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """The chip or board.

    Attributes:
        generic: memory sizes are representative, not those of a part.
        roof: where the rates of its core were measured.
    """

    name: str
    core: str
    features: tuple[str, ...]
    clock_hz: FromOne
    generic: bool
    roof: Annotated[Roof | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class Totals:
    """The network's own figures (elements unless a name says bytes), batch 1.

    Attributes:
        receptive_field: rows and columns of the model's input that one element sees.
    """

    activations: int
    peak_activation: int
    parameters: int
    macs: int
    flops: int
    ops: int
    model_bytes_fp32: int
    model_bytes_int8: int
    receptive_field: tuple[int, int]
