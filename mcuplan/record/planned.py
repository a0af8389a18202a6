# SPDX-License-Identifier: Apache-2.0
"""What the user asked for, and a model on its way to a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mcuplan.calibrate import Calibrated, Observers, Reading
from mcuplan.facts import Note, RepairKind
from mcuplan.importer import ImportedModel
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import DType
from mcuplan.passes.assign_grids import Grids
from mcuplan.passes.dead_channels import Removal
from mcuplan.passes.template import AS_IT_IS, Template
from mcuplan.progress import Bar, no_bar
from mcuplan.repair import Recipe
from mcuplan.repair.trim import NOTHING_NEAR_DEAD, Trimmed
from mcuplan.schedule.program import Plan, Sharing, Streaming
from mcuplan.targets import Target

__all__ = ["Compared", "Comparison", "Planned", "Request"]


@dataclass(frozen=True, slots=True)
class Compared:
    """What outputs of an integer program lose, and how many decisions stay, in percent.

    ``decisions``: of the samples as they were given; None: no output has a score for each class.
    """

    loss: float
    decisions: float | None


class Comparison(Protocol):
    """What outputs of integer programs lose against the float model, whose outputs are kept."""

    @property
    def measure(self) -> str:
        """What is compared."""

    @property
    def samples(self) -> int:
        """How many programs run on."""

    def of(self, graph: Graph) -> float:
        """What a lowered graph loses, in percent."""

    def compared(self, graph: Graph) -> Compared:
        """The same, and what it decides."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    model: Path
    target: Target
    dims: Mapping[str, int] = field(default_factory=dict)
    cuts: tuple[str, ...] = ()  # tensors at which the model ends
    states: tuple[tuple[str, str], ...] = ()  # inputs and the outputs that they are in a next call
    template: Template = AS_IT_IS  # what is changed of the model's form, with other weights
    dtype: DType = DType.INT8  # of activations; float32: nothing is put on a grid
    real_layers: tuple[str, ...] = ()  # of an int8 model, by name, that compute in float32
    wide_layers: tuple[str, ...] = ()  # and those whose activations are int16
    weight_dtypes: Mapping[str, DType] = field(default_factory=dict)  # by layer; of others ""
    weight_block: int | None = None  # of 4 bits: how many share a scale; None: all of an output
    close_gaps: bool = False  # what a quantized model puts on no grid gets one, and is not real
    max_loss: float | None = None  # percent that outputs may lose for less flash, RAM and time
    calibration: Path | None = None
    random_calibration: bool = False
    reading: Reading = field(default_factory=Reading)  # how files become samples
    bar: Bar = no_bar  # shows how far reading and observing are
    observers: Observers = field(default_factory=Observers)  # how ranges follow from the inputs
    headroom: float | None = None  # by which observed ranges are widened; None: as is usual
    quantize_effort: str = "fast"  # a key of repair.EFFORTS
    repairs: Mapping[RepairKind, bool] = field(default_factory=dict)  # beside it, or not of it
    input_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # by input
    io_layout: str = "model"  # or "nhwc": leading and trailing transposes are dropped
    keep_dead: bool = False  # channels that no output depends on stay
    sharing: Sharing = field(default_factory=Sharing)  # keep_inputs, keep_outputs and the like
    effort: str = "normal"  # a key of schedule.EFFORTS
    region_limits: Mapping[str, int] = field(default_factory=dict)  # that the target has as its own
    ram_limit: int | None = None  # budget of bytes in all regions together
    flash_limit: int | None = None
    latency_limit_s: float | None = None  # what one inference may take
    row_limit_s: float | None = None  # what a call may take that feeds a row, or finishes
    objective: str = "balanced"  # of schedule.Objective: what the plan is best at
    streaming: Streaming = "auto"
    library: Path | None = None  # sources of the library that kernels call, to build with
    dump_after: Callable[[str, Graph], None] | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A model on its way to a target, every stage kept."""

    request: Request
    model: ImportedModel
    floating: Graph  # after the passes, before grids
    grids: Grids  # float graph in which every activation lies on a grid
    removal: Removal  # the lowered graph, whole and without dead channels
    undivided: Plan  # of the lowered graph, all buffers in one arena
    plan: Plan  # the same with an arena in every RAM region that is used
    notes: tuple[Note, ...]
    calibration: Calibrated | None = None  # what samples showed; None: grids come from elsewhere
    trimmed: Trimmed = NOTHING_NEAR_DEAD  # channels that readers hardly see
    losses: Comparison | None = None  # where something was compared already
    recipe: Recipe | None = None  # of repair; None: nothing was tried
    apart: Graph | None = None  # lowered, of weights that fit no sample held back; None: as it is

    @property
    def judged(self) -> Graph:
        """The lowered graph by which it is said what outputs lose.

        Weights that were fitted to the samples of a comparison would say too little.
        """
        return self.removal.whole if self.apart is None else self.apart

    @property
    def has_ranges(self) -> bool:
        """Whether grids are not made up; else sizes are right and nothing else."""
        return self.calibration is not None or not self.grids.made_up

    @property
    def random_ranges(self) -> bool:
        """Whether ranges are those of random inputs: the code is not for use."""
        return self.calibration is not None and self.calibration.data.random

    @property
    def placeholder(self) -> str:
        """What was changed of the form of a trained model, whose weights say nothing then."""
        return ", ".join((*filter(None, [self.model.placeholder]), *self.request.template.changes))

    @property
    def lowered(self) -> Graph:
        """The lowered graph in the model's order."""
        return self.removal.graph

    @property
    def integer(self) -> Graph:
        """The lowered graph in execution order; its values are those of the C code."""
        return self.plan.program.graph
