# SPDX-License-Identifier: Apache-2.0
"""The report as data: one frozen class per object of the schema `mcuplan.report/1`.

Field names and their order are the keys of the JSON report (a trailing ``_`` is dropped).
Sizes are bytes and exact where no ``..._origin`` says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from mcuplan.budget.proof_record import (
    Accuracy,
    BuildInfo,
    ChannelError,
    ElfFigures,
    OutputError,
    StackFigures,
    Verification,
)
from mcuplan.findings import Finding
from mcuplan.schedule.program import Selected
from mcuplan.units import Origin

__all__ = [
    "SCHEMA",
    "Accuracy",
    "Baseline",
    "Budget",
    "BufferKind",
    "BufferRow",
    "BuildInfo",
    "ChannelError",
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
    "OutputError",
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
    """The answer. Never ``fits`` when anything was skipped: that is ``unproven``.

    ``unsupported``: the model needs what is not there; ``damaged``: it is no valid model.
    """

    FITS = "fits"
    OVER = "over"
    UNPROVEN = "unproven"
    UNSUPPORTED = "unsupported"
    DAMAGED = "damaged"


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
    """One memory; ``left_bytes`` is negative where the plan does not fit.

    ``arena_bytes`` is the part of ``used_bytes`` that buffers take.
    """

    name: str
    kind: str
    bytes: int
    reserved_bytes: int
    used_bytes: int
    left_bytes: int
    arena_bytes: int = 0


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
    """One inference. ``budget_seconds`` is None where no limit was given.

    ``cycles`` are those of all steps and ``wait_cycles``: what they wait for RAM, modelled.
    ``error`` is the share by which modelled cycles were off where they were checked; None
    where nobody knows, and for counted ones.
    """

    cycles: int
    seconds: float
    throughput_hz: float
    origin: Origin
    budget_seconds: float | None
    wait_cycles: int = 0
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Energy:
    """One inference, arithmetic and memory access apart; None where the target has no figures."""

    joules: float
    compute_joules: float
    memory_joules: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One step. ``inputs`` are the names of what it reads.

    ``cycles`` are for RAM without wait states; ``wait_cycles`` (modelled) come on top.
    ``error`` and ``instructions`` come from verify.
    ``removed_channels``: dead channels of the model's layer that its output does not have.
    """

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
    wait_cycles: int = 0
    instructions: int | None = None
    removed_channels: int = 0


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
class FrontierRow:
    """The least RAM for at most ``limit`` times the multiply-accumulates of the plan.

    ``ram_bytes`` are live bytes: the arena needs as much or more. ``layers`` run in column
    ``tiles``; there are none, and it is 1, where the plan itself is best. Prices only: code
    for tiles is not generated.
    """

    limit: float
    factor: float
    macs: int
    ram_bytes: int
    layers: tuple[int, ...]
    tiles: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class Stream:
    """Layers that run row by row together."""

    layers: tuple[int, ...]
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Growth:
    """One layer or part against the baseline; ``because`` is the reason in the user's words."""

    name: str
    ram_delta: int
    flash_delta: int
    because: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """A report against an earlier one: the parts of both sums, and the layers, that changed.

    The deltas of ``parts`` add up to the totals; those of layers say where they come from.
    """

    file: str
    ram_delta: int
    flash_delta: int
    layers: tuple[Growth, ...]
    parts: tuple[Growth, ...] = ()


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
    selection: Selected | None = None
    frontier: tuple[FrontierRow, ...] = ()


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
