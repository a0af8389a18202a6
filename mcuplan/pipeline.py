# SPDX-License-Identifier: Apache-2.0
"""The stages in order: this page is the whole tool.

::

    model file --importer--> float graph --passes--> simplified graph
      --calibrate--> ranges --assign_grids--> graph with grids --assign_types--> int8 graph
      --remove_dead_channels--> what the outputs depend on
      --schedule--> program --memory--> plan --emit--> C sources
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import product

from mcuplan import passes
from mcuplan.backends import channel_multiple
from mcuplan.budget.code_model import model_code
from mcuplan.calibrate import (
    Data,
    observe,
    random_data,
    read_data,
    stated_ranges,
    within,
)
from mcuplan.emit import Bundle, Stamp, emit
from mcuplan.errors import UsageError
from mcuplan.importer import ImportedModel, load_model
from mcuplan.ir.graph import Graph
from mcuplan.passes.assign_grids import Grids, assign_grids, needs_range
from mcuplan.passes.assign_types import assign_types
from mcuplan.passes.dead_channels import Removal, keep_dead_channels, remove_dead_channels
from mcuplan.passes.io_layout import rows_at_boundary
from mcuplan.price.structs import POINTER_BYTES
from mcuplan.prove.harness import OPTIMIZE
from mcuplan.quant.observers import OBSERVERS
from mcuplan.record import Planned, Request
from mcuplan.schedule import (
    EFFORTS,
    Arenas,
    Level,
    Objective,
    Plan,
    Price,
    Selection,
    Streaming,
    plan_cycles,
    plan_graph,
    spread,
)
from mcuplan.schedule import frontier as price_tiles
from mcuplan.schedule import input_arenas as plan_both
from mcuplan.schedule import levels as plan_levels
from mcuplan.targets import Target

__all__ = [
    "frontier",
    "generate",
    "input_arenas",
    "less_ram",
    "levels",
    "plan",
    "plan_for",
    "quantize",
    "retarget",
    "simplify",
]


def simplify(request: Request) -> tuple[ImportedModel, Graph]:
    """Import a model and rewrite its float graph."""
    model = load_model(request.model, request.dims, request.cuts)
    return model, passes.run(model.graph, request.dump_after)


def quantize(
    request: Request, graph: Graph, *, sizes_only: bool = False
) -> tuple[Grids, Data | None]:
    """Put every activation on a grid: the model's own, or one observed on data.

    Raises:
        MissingCalibration: ranges are needed and there is no data; not with ``sizes_only``.
    """
    stated = stated_ranges(graph, request.input_ranges)
    wanted = needs_range(graph, stated)
    data = _calibration(request, graph) if wanted else None
    data = within(data, graph.inputs, stated) if data else None
    ranges = observe(graph, data, OBSERVERS[request.observer], wanted) if data else {}
    grids = assign_grids(
        graph, ranges, headroom=request.headroom, inputs=stated, placeholder=sizes_only
    )
    return grids, data


def plan(request: Request, *, sizes_only: bool = False) -> Planned:
    """Everything up to addresses. ``sizes_only`` does without ranges where there are none."""
    model, floating = simplify(request)
    grids, data = quantize(request, floating, sizes_only=sizes_only)
    graph = rows_at_boundary(grids.graph) if request.io_layout == "nhwc" else grids.graph
    has_ranges = data is not None or not grids.made_up
    made_up = data.random if data is not None else not has_ranges
    removal = _removal(request, assign_types(graph), real_ranges=not made_up)
    undivided, divided = _placed(request, removal.graph, request.target)
    return Planned(
        request,
        model,
        floating,
        grids,
        removal,
        undivided,
        divided,
        has_ranges,
        notes=(*floating.notes, *(data.notes if data else ())),
        options=_options(request, data, by_rows=not divided.is_straight),
        random_ranges=data is not None and data.random,
        calibrated=data.samples if data is not None and not data.random else 0,
    )


def retarget(planned: Planned, target: Target) -> Planned:
    """The same int8 graph, planned for another target."""
    undivided, divided = _placed(planned.request, planned.lowered, target)
    return replace(planned, undivided=undivided, plan=divided)


def plan_for(planned: Planned, target: Target) -> Planned:
    """The model for another target: its kernels say which dead channels are worth keeping."""
    if planned.removal.kept:
        removal, wish = planned.removal, channel_multiple(target.features, target.backend)
        removal = remove_dead_channels(removal.whole, wish, real_ranges=removal.real_ranges)
        planned = replace(planned, removal=removal)
    return retarget(planned, target)


def levels(planned: Planned) -> tuple[Level, ...]:
    """What each level of planning brought."""
    plan, request = planned.plan, planned.request
    found = plan_levels(
        planned.lowered,
        plan.program.target,
        request.sharing,
        EFFORTS[request.effort],
        planned.undivided,
        streaming=request.streaming,
    )
    if plan.spread is None:
        return found
    total = plan.arena_bytes
    return (*found, Level("regions", total, Arenas.of(plan)))


def input_arenas(planned: Planned) -> tuple[int, int] | None:
    """The arena with the input held and with its rows fed, where streaming was asked for."""
    request, plan = planned.request, planned.undivided
    if request.streaming == "off":
        return None
    return plan_both(
        planned.lowered,
        plan.program.target,
        plan,
        request.sharing,
        EFFORTS[request.effort],
        _selection(request),
    )


def frontier(planned: Planned) -> tuple[Price, ...]:
    """What recompute in column tiles would buy: prices, no code.

    Raises:
        UsageError: the plan may not work by rows, or its input is not held.
    """
    how = planned.request.streaming
    if how != "auto":
        reason = "the plan may not work by rows" if how == "off" else "tiles read the input again"
        raise UsageError(f"--frontier: {reason}", f"--streaming {how}", "--streaming auto")
    return price_tiles(planned.undivided, planned.request.sharing)


def less_ram(planned: Planned) -> Iterator[tuple[str, Plan]]:
    """Flags that may need less RAM and the plan with them, mildest first; planned when taken."""
    request, target = planned.request, planned.plan.program.target
    rows: tuple[Streaming, ...] = ("off", "auto") if request.streaming == "off" else ()
    objectives = (request.objective, "ram", "ram=strict")
    for streaming, objective in product(rows or (request.streaming,), objectives):
        flags = [f"--streaming {streaming}"] if streaming != request.streaming else []
        flags += [f"--objective {objective}"] if objective != request.objective else []
        asked = replace(request, streaming=streaming, objective=objective)
        if flags:
            yield " ".join(flags), _placed(asked, planned.lowered, target)[1]
    pixels = rows_at_boundary(planned.grids.graph)
    if request.io_layout == "model" and pixels is not planned.grids.graph:
        asked = replace(request, io_layout="nhwc", dump_after=None)
        lowered = _removal(asked, assign_types(pixels), real_ranges=planned.removal.real_ranges)
        yield "--io-layout nhwc", _placed(asked, lowered.graph, target)[1]
    if request.streaming == "auto":  # the call changes with it: the last resort
        with suppress(UsageError):  # not every input has rows that can be fed
            fed = replace(request, streaming="input")
            yield "--streaming input", _placed(fed, planned.lowered, target)[1]


def generate(planned: Planned, name: str) -> Bundle:
    """C sources of a plan."""
    program = planned.plan.program
    stack = model_code(program, program.target).stack_bytes
    stamp = Stamp(
        planned.model.path.name,
        planned.model.sha256,
        planned.options,
        f"about {stack} bytes, modelled; mcuplan verify proves a bound",
        " ".join(("arm-none-eabi-gcc", OPTIMIZE, *program.target.flags)),
    )
    return emit(planned.plan, name, stamp)


def _placed(request: Request, graph: Graph, target: Target) -> tuple[Plan, Plan]:
    """The plan in one arena, and divided among the RAM regions, beside stack and context."""
    plan = plan_graph(
        graph,
        target,
        request.sharing,
        EFFORTS[request.effort],
        _selection(request),
        streaming=request.streaming,
    )
    return plan, _divided(request, plan)


def _divided(request: Request, plan: Plan) -> Plan:
    """A plan with its buffers divided among the RAM regions."""
    keep_inputs, limit = request.sharing.keep_inputs, request.ram_limit
    return spread(plan, _apart_bytes(plan), ram_limit=limit, keep_inputs=keep_inputs)


def _apart_bytes(plan: Plan) -> int:
    """RAM beside the arenas: stack and context."""
    code = model_code(plan.program, plan.program.target)
    return code.stack_bytes + code.stack_margin_bytes + POINTER_BYTES


def _selection(request: Request) -> Selection:
    """The objective, with what plans take in all."""
    known: dict[int, tuple[Plan, Plan]] = {}  # by identity: a plan, and divided

    def divided(plan: Plan) -> Plan:
        if id(plan) not in known:
            known[id(plan)] = plan, _divided(request, plan)
        return known[id(plan)][1]

    def cycles(plan: Plan) -> float:
        return plan_cycles(divided(plan))

    def fits(plan: Plan) -> bool:
        target, arenas = plan.program.target, divided(plan).memory
        used = {name: memory.arena_bytes for name, memory in arenas.items()}
        apart = _apart_bytes(plan)
        used[target.default_ram.name] = used.get(target.default_ram.name, 0) + apart
        rooms = {region.name: region.usable_bytes for region in target.ram}
        within = request.ram_limit is None or sum(used.values()) <= request.ram_limit
        return within and all(used[name] <= rooms[name] for name in used)

    return Selection(Objective(request.objective), cycles, fits)


def _removal(request: Request, graph: Graph, *, real_ranges: bool) -> Removal:
    """The int8 graph without dead channels, unless they are to stay."""
    if request.keep_dead:
        return keep_dead_channels(graph)
    wish = channel_multiple(request.target.features, request.target.backend)
    removal = remove_dead_channels(graph, wish, real_ranges=real_ranges)
    if removal.kept and request.dump_after is not None:
        request.dump_after("remove_dead_channels", removal.graph)
    return removal


def _options(request: Request, data: Data | None, *, by_rows: bool) -> str:
    """What of the request shaped the code, for its header; no path, no date."""
    said = [f"cut-output {name}" for name in request.cuts]
    said += [] if request.io_layout == "model" else [f"io-layout {request.io_layout}"]
    said += ["keep-dead-channels"] if request.keep_dead else []
    said += [
        f"input-range {f'{name}={low:g}:{high:g}' if name else f'{low:g}:{high:g}'}"
        for name, (low, high) in request.input_ranges.items()
    ]
    said += ["keep-input"] if request.sharing.keep_inputs else []
    said += ["keep-output"] if request.sharing.keep_outputs else []
    said += [] if request.objective == "balanced" else [f"objective {request.objective}"]
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
