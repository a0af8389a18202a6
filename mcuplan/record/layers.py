# SPDX-License-Identifier: Apache-2.0
"""Layers, their time, and what ways of saving bytes bring, as the report has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mcuplan.memory_system import Stalls
from mcuplan.record.limits import LEFT_OUT, FromOne, Magnitude, Ratio, Signed, one_of
from mcuplan.units import Origin

__all__ = [
    "ElementType",
    "Energy",
    "FedRows",
    "FinishingCalls",
    "FrontierRow",
    "Latency",
    "LayerNoise",
    "LayerRow",
    "LevelRow",
    "Selection",
    "StallCycles",
    "Stream",
]


@dataclass(frozen=True, slots=True)
class StallCycles:
    """Cycles on a board beside those of its core, by cause.

    Attributes:
        code: waiting for instructions in flash.
        constants: waiting for weights and other constants in flash.
        rules: of the pipeline, that the core's table of timings does not have.
        origin: of those three.
        data: wait states of RAM regions, modelled; the same as wait_cycles.
    """

    code: int
    constants: int
    rules: Signed
    origin: Origin
    data: int = 0

    @classmethod
    def of(cls, stalls: Stalls, origin: Origin) -> StallCycles:
        """Whole cycles."""
        return cls(round(stalls.code), round(stalls.constants), round(stalls.rules), origin)

    @property
    def flash(self) -> int:
        """All but those of RAM."""
        return self.code + self.constants + self.rules


@dataclass(frozen=True, slots=True)
class LayerNoise:
    """What quantization adds to a layer, against the float model, from verify.

    Attributes:
        sqnr_db: squares of the float values over those of the difference, noise of earlier layers
            included, at most 200 dB either way; null: no noise at all.
        alone_db: likewise, of this layer alone: its inputs are those of the float model, rounded;
            on the first samples.
        saturated: share of the float values that lie more than a step beyond the grid.
    """

    sqnr_db: float | None
    alone_db: float | None
    saturated: float


@dataclass(frozen=True, slots=True)
class ElementType:
    """What the elements of a tensor are.

    Attributes:
        scale: of all elements; null: no grid, or one for each channel.
        zero_point: likewise.
    """

    dtype: str
    scale: float | None
    zero_point: Signed | None


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One step, in execution order.

    Attributes:
        origin: name of the node in the model file, empty where it has none.
        inputs: names of what it reads.
        activation_bytes: input + output.
        live_bytes: all that is held at this step, scratch included.
        cycles: of the core, with memories that never wait.
        error: relative error against the float model, from verify.
        wait_cycles: wait states of RAM regions, modelled, on top of cycles.
        instructions: executed, from verify.
        removed_channels: dead channels of the model's layer that its output does not have.
        stall_cycles: on a board whose flash is described, on top of cycles.
        copied_bytes: of the weights that scratch_bytes holds a copy of while the step runs.
        output: name of what it writes.
        input_shapes: of inputs, in their order.
        cycles_error: share by which modelled cycles may be off, where that is known.
        output_type: of the elements of its output.
        weights_dtype: of its weights, the largest of its constants.
        stack_bytes: of its kernel as it was compiled for the reference.
        max_lsb: largest difference from the runtime, with the runtime's own inputs, from verify
            of a quantized model.
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
    stall_cycles: Annotated[StallCycles | None, LEFT_OUT] = None

    @property
    def all_cycles(self) -> int:
        """Of the core, and what it waits."""
        flash = self.stall_cycles.flash if self.stall_cycles else 0
        return self.cycles + self.wait_cycles + flash

    copied_bytes: Annotated[int | None, LEFT_OUT] = None
    noise: Annotated[LayerNoise | None, LEFT_OUT] = None
    output: Annotated[str | None, LEFT_OUT] = None
    input_shapes: Annotated[tuple[tuple[int, ...], ...], LEFT_OUT] = ()
    cycles_error: Annotated[Magnitude | None, LEFT_OUT] = None
    output_type: Annotated[ElementType | None, LEFT_OUT] = None
    weights_dtype: Annotated[str | None, LEFT_OUT] = None
    stack_bytes: Annotated[int | None, LEFT_OUT] = None
    max_lsb: Annotated[int | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class FinishingCalls:
    """What is left after the last row, where that is done in several calls.

    Attributes:
        calls: of the function that finishes; the call with the last row begins the work.
        slowest_cycles: of the slowest of them, and of the call with the last row.
        slowest_seconds: the same as time.
        slowest_layer: which takes the largest part of that call.
        slowest_alone: whether that call is a single run of that layer, which cannot be divided.
        over: how many take longer than the limit.
    """

    calls: FromOne
    slowest_cycles: int
    slowest_seconds: float
    slowest_layer: str
    slowest_alone: bool
    over: int


@dataclass(frozen=True, slots=True)
class FedRows:
    """The calls that feed a row of the input: each runs what its row makes possible.

    Attributes:
        rows: how many calls there are.
        slowest_row: whose call takes longest, the last row aside; rows count from 0.
        slowest_cycles: of that call; the cycles of a step are the same for each of its rows.
        slowest_seconds: the same as time.
        last_cycles: of the call with the last row: what is left then, up to the output; of all
            calls from there on where there are several.
        last_seconds: the same as time.
        budget_seconds: for the slowest call; null where no limit was given.
        finish: the calls after the last row, where they have to do.
    """

    rows: FromOne
    slowest_row: int
    slowest_cycles: int
    slowest_seconds: float
    last_cycles: int
    last_seconds: float
    budget_seconds: float | None
    finish: Annotated[FinishingCalls | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class Latency:
    """One inference.

    Attributes:
        cycles: of all steps, with what they wait for RAM, and for flash where it is described.
        budget_seconds: null where no limit was given.
        wait_cycles: of cycles: wait states of RAM regions, modelled.
        error: share by which modelled cycles were off where they were checked, or by which
            the model that counts a core's may be; null: not known, or counted by a table.
        feed: the calls that feed rows of the input, where it is fed.
        core_cycles: of cycles: what the core takes with memories that never wait.
        core_origin: where core_cycles are from; origin is that of the sum.
        stall_cycles: of cycles: the others, on a board whose flash is described.
    """

    cycles: int
    seconds: float
    throughput_hz: float
    origin: Origin
    budget_seconds: float | None
    wait_cycles: int = 0
    error: float | None = None
    feed: Annotated[FedRows | None, LEFT_OUT] = None
    core_cycles: Annotated[int | None, LEFT_OUT] = None
    core_origin: Annotated[Origin | None, LEFT_OUT] = None
    stall_cycles: Annotated[StallCycles | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class Energy:
    """One inference, arithmetic and memory access apart; None where the target has no figures.

    ``whole_chip``: of the chip's run current; otherwise of these operations alone, which is far
    less than a chip draws.
    """

    joules: float
    compute_joules: float
    memory_joules: float
    whole_chip: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class Stream:
    """Layers that run row by row together."""

    layers: tuple[int, ...]
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LevelRow:
    """Arena and states with one more way of saving than the level before; the note says which."""

    name: str
    arena_bytes: int
    note: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What the kernels of the plan were chosen for, and what was given up for what.

    Attributes:
        objective: what the plan is best at, as asked for.
        statement: what was given up for what.
    """

    objective: Annotated[str, one_of("balanced", "ram", "ram=strict", "latency", "flash")]
    statement: str


@dataclass(frozen=True, slots=True)
class FrontierRow:
    """The least RAM for at most ``limit`` times the multiply-accumulates of the plan.

    ``ram_bytes`` are live bytes: the arena needs as much or more. ``layers`` run in column
    ``tiles``; there are none, and it is 1, where the plan itself is best. Prices only: code
    for tiles is not generated.
    """

    limit: Ratio
    factor: Ratio
    macs: int
    ram_bytes: int
    layers: tuple[int, ...]
    tiles: FromOne
    origin: Origin
