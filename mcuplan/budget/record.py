# SPDX-License-Identifier: Apache-2.0
"""The report as data: one frozen class per object of the schema `mcuplan.report/1`.

Field names and their order are the keys of the JSON report (a trailing ``_`` is dropped).
Sizes are bytes and exact where no ``..._origin`` says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from mcuplan.findings import Finding
from mcuplan.units import Origin

__all__ = [
    "SCHEMA",
    "Accuracy",
    "Baseline",
    "Budget",
    "BufferKind",
    "BufferRow",
    "BuildInfo",
    "ElfFigures",
    "Energy",
    "Flash",
    "Growth",
    "Latency",
    "LayerRow",
    "LevelRow",
    "ModelInfo",
    "ModelName",
    "ModelPort",
    "Peak",
    "Ram",
    "RegionUse",
    "StackFigures",
    "Status",
    "Stream",
    "TargetInfo",
    "Totals",
    "Undecided",
    "Verdict",
    "Verification",
]

SCHEMA = "mcuplan.report/1"
BufferKind = Literal["io", "activation", "scratch"]


class Status(StrEnum):
    """The answer. Never ``fits`` when anything was skipped: that is ``unproven``."""

    FITS = "fits"
    OVER = "over"
    UNPROVEN = "unproven"


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
class TargetInfo:
    """The chip or board; ``generic`` sizes are representative, not those of a part."""

    name: str
    core: str
    features: tuple[str, ...]
    clock_hz: int
    generic: bool


@dataclass(frozen=True, slots=True)
class RegionUse:
    """One memory; ``left_bytes`` is negative where the plan does not fit."""

    name: str
    kind: str
    bytes: int
    reserved_bytes: int
    used_bytes: int
    left_bytes: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer and everything found."""

    status: Status
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Ram:
    """``total = arena + io + static + stack``; ``scratch_bytes`` is the arena's part at the peak.

    ``stack_bytes`` contains ``stack_margin_bytes`` while it is modelled.
    """

    arena_bytes: int
    scratch_bytes: int
    io_bytes: int
    static_bytes: int
    stack_bytes: int
    stack_margin_bytes: int
    stack_origin: Origin
    total_bytes: int
    budget_bytes: int
    budget_from: Literal["target", "limit"]
    arena_input_resident_bytes: int | None = None
    arena_input_fed_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Flash:
    """``total = weights + tables + code``; ``code_bytes`` has the margin while modelled."""

    weights_bytes: int
    tables_bytes: int
    code_bytes: int
    code_margin_bytes: int
    code_origin: Origin
    total_bytes: int
    budget_bytes: int
    budget_from: Literal["target", "limit"]


@dataclass(frozen=True, slots=True)
class Peak:
    """What decides the RAM: step (-1: the input), and row and move of a plan by rows."""

    step: int
    layer: str
    activation_bytes: int
    live_bytes: int
    lower_bound_bytes: int
    optimal_order: bool
    optimal_arena: bool
    statement: str
    row: int | None = None
    move: int | None = None

    @property
    def moment(self) -> str:
        """The step, and the row where it goes by rows, in words."""
        what = f"step {self.step}" if self.step >= 0 or self.row is None else "input"
        return what if self.row is None else f"{what} row {self.row}"


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


@dataclass(frozen=True, slots=True)
class Latency:
    """One inference. ``budget_seconds`` is None where no limit was given."""

    cycles: int
    seconds: float
    throughput_hz: float
    origin: Origin
    budget_seconds: float | None


@dataclass(frozen=True, slots=True)
class Energy:
    """One inference, arithmetic and memory access apart; None where the target has no figures."""

    joules: float
    compute_joules: float
    memory_joules: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One step. ``inputs`` are the names of what it reads; ``error`` comes from verify."""

    index: int
    name: str
    origin: str
    op: str
    kernel: str
    inputs: tuple[str, ...]
    output_shape: tuple[int, ...]
    macs: int
    ops: int
    parameters: int
    weights_bytes: int
    input_bytes: int
    output_bytes: int
    activation_bytes: int
    live_bytes: int
    scratch_bytes: int
    cycles: int
    cycles_origin: Origin
    macs_per_byte: float
    bound: Literal["compute", "memory"]
    receptive_field: tuple[int, int]
    error: float | None = None


@dataclass(frozen=True, slots=True)
class BufferRow:
    """Where a tensor, row or scratch lies, and when; ``alias_of`` names what it shares with."""

    name: str
    region: str
    offset: int
    bytes: int
    start: int
    end: int
    alias_of: str | None
    kind: BufferKind = "activation"
    row: int | None = None


@dataclass(frozen=True, slots=True)
class LevelRow:
    """The arena with one more way of saving bytes than the row before; ``note`` says which."""

    name: str
    arena_bytes: int
    note: str


@dataclass(frozen=True, slots=True)
class Stream:
    """Layers that run row by row together."""

    layers: tuple[int, ...]
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Growth:
    """One layer against the baseline; ``because`` is the reason in the user's words."""

    name: str
    ram_delta: int
    flash_delta: int
    because: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """A report against an earlier one, and the layers that changed."""

    file: str
    ram_delta: int
    flash_delta: int
    layers: tuple[Growth, ...]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One score of the float model and of the integer code on the same samples."""

    metric: str
    float_: float | None
    integer: float


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


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """What the measured figures were built with."""

    compiler: str
    flags: str


@dataclass(frozen=True, slots=True)
class Budget:
    """The whole report. Renderers turn it into text and compute nothing."""

    schema: str
    tool_version: str
    command: str
    model: ModelInfo
    target: TargetInfo
    regions: tuple[RegionUse, ...]
    verdict: Verdict
    ram: Ram
    flash: Flash
    peak: Peak
    totals: Totals
    latency: Latency
    energy: Energy | None
    build: BuildInfo | None
    layers: tuple[LayerRow, ...]
    buffers: tuple[BufferRow, ...]
    streams: tuple[Stream, ...]
    baseline: Baseline | None = None
    verification: tuple[Verification, ...] = ()
    levels: tuple[LevelRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model of which nothing but its file name is known."""

    name: str


@dataclass(frozen=True, slots=True)
class Undecided:
    """The report of a model that could not be decided: only what stood in the way."""

    schema: str
    tool_version: str
    command: str
    model: ModelName
    verdict: Verdict
