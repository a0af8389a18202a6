# SPDX-License-Identifier: Apache-2.0
"""The model and target as the report has them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ModelInfo",
    "ModelName",
    "ModelPort",
    "TargetInfo",
    "Totals",
]


@dataclass(frozen=True, slots=True)
class ModelPort:
    """An input or output at the C boundary, in the model's own order of axes."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What was read. ``nodes`` of the model file became ``steps``."""

    name: str
    sha256: str
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
class TargetInfo:
    """The chip or board; ``generic`` sizes are representative, not those of a part."""

    name: str
    core: str
    features: tuple[str, ...]
    clock_hz: int
    generic: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """The network's own figures (elements unless a name says bytes), batch 1.

    ``receptive_field`` is rows x columns of the input that one output element sees.
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
