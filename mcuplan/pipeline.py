# SPDX-License-Identifier: Apache-2.0
"""The stages in order: this page is the whole tool.

::

    model file --importer--> float graph --passes--> simplified graph
      --calibrate--> ranges --assign_grids--> graph with grids --to_integer--> int8 graph
      --schedule--> program --memory--> plan --emit--> C sources
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mcuplan import passes
from mcuplan.budget.code_model import model_code
from mcuplan.calibrate import RANDOM_NOTE, Data, observe, random_data, read_data
from mcuplan.emit import Bundle, Stamp, emit
from mcuplan.importer import ImportedModel, load_model
from mcuplan.ir.graph import Graph
from mcuplan.passes.assign_grids import Grids, assign_grids, needs_range
from mcuplan.passes.io_layout import rows_at_boundary
from mcuplan.passes.to_integer import to_integer
from mcuplan.quant.observers import OBSERVERS
from mcuplan.schedule import EFFORTS, Effort, Level, Plan, Sharing, Streaming, plan_graph
from mcuplan.schedule import input_arenas as plan_both
from mcuplan.schedule import levels as plan_levels
from mcuplan.targets import Target

__all__ = [
    "Planned",
    "Request",
    "generate",
    "input_arenas",
    "levels",
    "plan",
    "quantize",
    "retarget",
    "simplify",
]


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    model: Path
    target: Target
    dims: Mapping[str, int] = field(default_factory=dict)
    calibration: Path | None = None
    random_calibration: bool = False
    observer: str = "minmax"  # a key of quant.observers.OBSERVERS
    headroom: float = 1.1  # factor by which observed ranges are widened
    io_layout: str = "model"  # or "nhwc": leading and trailing transposes are dropped
    sharing: Sharing = field(default_factory=Sharing)  # keep_inputs, keep_outputs and the like
    effort: str = "normal"  # a key of schedule.EFFORTS
    streaming: Streaming = "auto"
    dump_after: Callable[[str, Graph], None] | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A model on its way to a target, every stage kept."""

    model: ImportedModel
    floating: Graph  # after the passes, before grids
    grids: Grids  # float graph in which every activation lies on a grid
    lowered: Graph  # the int8 graph in the model's order
    plan: Plan  # of the int8 graph
    has_ranges: bool  # False: grids are made up, sizes are right and nothing else
    notes: tuple[str, ...]
    options: str  # that shaped the code, for its header
    sharing: Sharing
    effort: Effort
    streaming: Streaming

    @property
    def integer(self) -> Graph:
        """The int8 graph in execution order; its integer meaning is that of the C code."""
        return self.plan.program.graph


def simplify(request: Request) -> tuple[ImportedModel, Graph]:
    """Import a model and rewrite its float graph."""
    model = load_model(request.model, request.dims)
    return model, passes.run(model.graph, request.dump_after)


def quantize(
    request: Request, graph: Graph, *, sizes_only: bool = False
) -> tuple[Grids, Data | None]:
    """Put every activation on a grid: the model's own, or one observed on data.

    Raises:
        MissingCalibration: ranges are needed and there is no data; not with ``sizes_only``.
    """
    wanted = needs_range(graph)
    data = _calibration(request, graph) if wanted else None
    ranges = observe(graph, data, OBSERVERS[request.observer], wanted) if data else {}
    grids = assign_grids(graph, ranges, headroom=request.headroom, placeholder=sizes_only)
    return grids, data


def plan(request: Request, *, sizes_only: bool = False) -> Planned:
    """Everything up to addresses. ``sizes_only`` does without ranges where there are none."""
    model, floating = simplify(request)
    grids, data = quantize(request, floating, sizes_only=sizes_only)
    graph = rows_at_boundary(grids.graph) if request.io_layout == "nhwc" else grids.graph
    lowered = to_integer(graph)
    effort = EFFORTS[request.effort]
    placed = plan_graph(
        lowered, request.target, request.sharing, effort, streaming=request.streaming
    )
    has_ranges = data is not None or not needs_range(floating)
    notes = (*floating.notes, *(data.notes if data else ()))
    if data is not None and data.random:
        notes = (*notes, RANDOM_NOTE)
    options = _options(request, data, by_rows=bool(placed.runs))
    return Planned(
        model,
        floating,
        grids,
        lowered,
        placed,
        has_ranges,
        notes,
        options,
        request.sharing,
        effort,
        request.streaming,
    )


def retarget(planned: Planned, target: Target) -> Planned:
    """The same int8 graph, planned for another target."""
    placed = plan_graph(
        planned.lowered, target, planned.sharing, planned.effort, streaming=planned.streaming
    )
    return replace(planned, plan=placed)


def levels(planned: Planned) -> tuple[Level, ...]:
    """What each level of planning brought."""
    plan = planned.plan
    target = plan.program.target
    return plan_levels(
        planned.lowered,
        target,
        planned.sharing,
        planned.effort,
        plan,
        streaming=planned.streaming,
    )


def input_arenas(planned: Planned) -> tuple[int, int] | None:
    """The arena with the input held and with its rows fed, where streaming was asked for."""
    plan = planned.plan
    if planned.streaming == "off":
        return None
    target = plan.program.target
    return plan_both(planned.lowered, target, plan, planned.sharing, planned.effort)


def generate(planned: Planned, name: str) -> Bundle:
    """C sources of a plan."""
    program = planned.plan.program
    stack = model_code(program, program.target).stack_bytes
    stamp = Stamp(
        planned.model.path.name,
        planned.model.sha256,
        planned.options,
        f"about {stack} bytes, modelled; mcuplan verify proves a bound",
    )
    return emit(planned.plan, name, stamp)


def _options(request: Request, data: Data | None, *, by_rows: bool) -> str:
    """What of the request shaped the code, for its header; no path, no date."""
    said = [] if request.io_layout == "model" else [f"io-layout {request.io_layout}"]
    said += ["keep-input"] if request.sharing.keep_inputs else []
    said += ["keep-output"] if request.sharing.keep_outputs else []
    said += [] if request.effort == "normal" else [f"effort {request.effort}"]
    said += [f"streaming {request.streaming}"] if by_rows else []
    if data is not None:
        said.append(f"observer {request.observer}, headroom {request.headroom:g}")
        said.append("calibration random: NOT FOR USE" if data.random else "calibrated")
    return ", ".join(said) or "none"


def _calibration(request: Request, graph: Graph) -> Data | None:
    if request.random_calibration:
        return random_data(graph.inputs)
    if request.calibration is None:
        return None
    return read_data(request.calibration, graph.inputs)
