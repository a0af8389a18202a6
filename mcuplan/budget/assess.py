# SPDX-License-Identifier: Apache-2.0
"""A planned model becomes a budget: every figure of the report, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mcuplan import __version__, words
from mcuplan.budget.advice import flash_advice, ram_advice, speed_advice
from mcuplan.budget.calibration import calibration_of
from mcuplan.budget.fed_rows import fed_rows
from mcuplan.budget.footprint import (
    buffer_rows,
    flash_bill,
    peak_of,
    ram_bill,
    region_rows,
    step_bytes,
)
from mcuplan.budget.frontier import frontier_row, type_findings
from mcuplan.budget.islands import island_findings
from mcuplan.budget.library import library_findings
from mcuplan.budget.metrics import network_totals, receptive_fields
from mcuplan.budget.quantization import block_findings, quantization_findings
from mcuplan.budget.removed import (
    deployed_totals,
    exact_removal,
    idle_layers,
    loss_of,
    near_dead_findings,
    near_dead_layers,
    removal_findings,
    removed_channels,
)
from mcuplan.budget.rows import live_bytes, streams_of
from mcuplan.budget.speed import (
    Traffic,
    bound_by,
    core_error,
    energy_of,
    model_error,
    step_cycles,
    step_error,
    worst,
)
from mcuplan.budget.steps import described, roof_of
from mcuplan.budget.verdict import (
    budget_findings,
    notes,
    placeholder_findings,
    verdict_of,
    verify_findings,
)
from mcuplan.emit.arenas import arena_bytes
from mcuplan.errors import McuplanError
from mcuplan.facts import FreeBlocks, GapsClosed, InType, StatesFound
from mcuplan.findings import Finding, Severity
from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.staging import staged_bytes
from mcuplan.memory_system import Stalls
from mcuplan.passes.dead_channels import Removal
from mcuplan.record import (
    SCHEMA,
    Budget,
    BuildFigures,
    BuildInfo,
    Calibration,
    Energy,
    Evidence,
    Flash,
    Latency,
    LayerRow,
    LevelRow,
    Limits,
    ModelInfo,
    ModelName,
    ModelPort,
    Peak,
    Planned,
    Ram,
    RegionUse,
    Selection,
    StallCycles,
    Status,
    TargetInfo,
    Totals,
    Undecided,
    Verdict,
)
from mcuplan.schedule.accesses import wait_cycles
from mcuplan.schedule.explore.levels import Level
from mcuplan.schedule.explore.variants import NOTHING, Explored
from mcuplan.schedule.program import Plan, Program, Selected, Step
from mcuplan.targets import Target
from mcuplan.units import Estimate, Origin

__all__ = ["assess", "layer_rows", "undecided"]


_TOLD = FreeBlocks | GapsClosed | InType | StatesFound  # with findings of their own


def assess(
    planned: Planned,
    limits: Limits | None = None,
    evidence: Evidence | None = None,
    explored: Explored = NOTHING,
    *,
    command: str = "check",
) -> Budget:
    """Every figure of the report and the verdict.

    Args:
        planned: the plan and what it was made from.
        limits: the user's own budgets.
        evidence: what was built and run; without it code, stack and cycles are modelled.
        explored: other plans that the report tells of.
        command: the subcommand.
    """
    limits, evidence, plan = limits or Limits(), evidence or Evidence(), planned.plan
    ram, flash = ram_bill(plan, limits, evidence.build), flash_bill(plan, limits, evidence.build)
    layers, seen = layer_rows(plan, evidence, planned.removal), _seen(planned, explored)
    latency, peak = _latency(layers, plan, limits, evidence.calls), peak_of(plan)
    regions = region_rows(plan, ram, flash)
    exceeded = _exceeded((ram, flash, latency, peak, layers, regions), explored, planned)
    return Budget(
        schema=SCHEMA,
        tool_version=__version__,
        command=command,
        model=_model(planned, network_totals(planned.floating)),
        target=_target(plan.program),
        regions=regions,
        verdict=verdict_of([*exceeded, *_other_findings(planned, evidence, seen, latency)]),
        ram=_with_arenas(ram, explored.input_arenas),
        flash=flash,
        peak=peak,
        totals=deployed_totals(planned.removal, network_totals(planned.floating)),
        latency=latency,
        energy=_energy(layers, plan.program.target),
        build=_built(evidence.build),
        layers=layers,
        buffers=buffer_rows(plan),
        streams=streams_of(plan),
        verification=evidence.verifications,
        levels=tuple(map(_level, explored.levels)),
        selection=_selection(plan.selected),
        frontier=tuple(map(frontier_row, explored.frontier)),
        calibration=seen,
        advice=explored.advice,
    )


def _seen(planned: Planned, explored: Explored) -> Calibration | None:
    """What samples showed."""
    near, idle = near_dead_layers(planned), idle_layers(planned)
    return calibration_of(planned.calibration, near, idle, loss_of(planned), explored.types)


_Bills = tuple[Ram, Flash, Latency, Peak, tuple[LayerRow, ...], tuple[RegionUse, ...]]


def _exceeded(bills: _Bills, explored: Explored, planned: Planned) -> list[Finding]:
    """Findings of budgets, with what would need less RAM, time or flash."""
    ram, flash, latency = bills[:3]
    selected = planned.plan.selected
    advice = ram_advice(ram, explored.advice, selected)
    faster, smaller = speed_advice(selected, latency), flash_advice(selected)
    found = budget_findings(*bills, advice, faster, smaller)
    return [*found, *block_findings(planned, explored.blocks, flash.total_bytes)]


def _with_arenas(ram: Ram, arenas: tuple[int, int] | None) -> Ram:
    """The bill with both figures where they differ."""
    resident, fed = map(arena_bytes, arenas or (0, 0))
    if resident == fed:
        return ram
    return replace(ram, arena_input_resident_bytes=resident, arena_input_fed_bytes=fed)


def _built(build: BuildFigures | None) -> BuildInfo | None:
    return BuildInfo(build.compiler, build.flags, build.symbols) if build is not None else None


def _level(level: Level) -> LevelRow:
    """A level with the arena as it is emitted."""
    return LevelRow(level.name, arena_bytes(level.arena_bytes), words.reason(level.why))


def _selection(selected: Selected | None) -> Selection | None:
    if selected is None:
        return None
    return Selection(selected.objective, words.kernels(selected))


def _other_findings(
    planned: Planned, evidence: Evidence, seen: Calibration | None, latency: Latency
) -> list[Finding]:
    """What no budget of bytes or time says."""
    timed = latency.budget_seconds is not None
    return [
        *library_findings(planned.plan, evidence, timed=timed),
        *verify_findings(evidence.verifications),
        *evidence.findings,
        *_notes(planned),
        *near_dead_findings(seen),
        *type_findings(seen.types if seen is not None else ()),
    ]


def _notes(planned: Planned) -> list[Finding]:
    random = planned.random_ranges
    target = _target(planned.plan.program)
    found = notes(target, has_ranges=planned.has_ranges, random_ranges=random)
    found += placeholder_findings(planned.placeholder)
    real = planned.has_ranges and not random
    found += quantization_findings(
        planned.grids, planned.calibration, planned.plan, real_ranges=real
    )
    found += island_findings(
        planned.grids.graph.notes, planned.plan, closing=planned.request.close_gaps
    )
    found += removal_findings(exact_removal(planned))
    found += [
        Finding("model/states", Severity.NOTE, words.note(fact), hint="--state none: no state")
        for fact in planned.notes
        if isinstance(fact, StatesFound)
    ]
    rest = (fact for fact in planned.notes if not isinstance(fact, _TOLD))
    said = dict.fromkeys(map(words.note, rest))
    return [*found, *(Finding("model/note", Severity.NOTE, line) for line in said)]


def undecided(model: str, errors: Sequence[McuplanError], command: str) -> Undecided:
    """The report of a model that no verdict could be found for."""
    findings = tuple(
        Finding(error.code, Severity.ERROR, error.message, error.where, error.hint)
        for error in errors
    )
    kinds = {error.verdict for error in errors}
    graver = (Status.DAMAGED, Status.UNSUPPORTED, Status.UNPROVEN)
    verdict = Verdict(next(s for s in graver if s.value in kinds), findings)
    return Undecided(SCHEMA, __version__, command, ModelName(model), verdict)


def layer_rows(
    plan: Plan, evidence: Evidence, removal: Removal | None = None
) -> tuple[LayerRow, ...]:
    """One row per step, in execution order."""
    graph, live = plan.program.graph, live_bytes(plan)
    fields, waits = receptive_fields(graph), wait_cycles(plan)
    removed = removed_channels(removal) if removal is not None else {}
    rows = []
    for step in plan.program.steps:
        field = fields[step.node.output].size
        row = described(_row(plan, step, live[step.index], field, evidence), step, graph)
        gone, waited = removed.get(step.node.output, 0), waits[step.index]
        stalls = replace(row.stall_cycles, data=waited) if row.stall_cycles else None
        rows.append(replace(row, wait_cycles=waited, stall_cycles=stalls, removed_channels=gone))
    return tuple(rows)


def _row(plan: Plan, step: Step, live: int, field: tuple[int, int], evidence: Evidence) -> LayerRow:
    graph, target = plan.program.graph, plan.program.target
    size, expected = step_bytes(step), step_cycles(step, plan)
    cycles = Estimate(round(expected.cycles), "cycles", Origin.MODELLED)
    if step.index in evidence.cycles:
        cycles = Estimate(evidence.cycles[step.index], "cycles", Origin.MEASURED)
    counted = evidence.stalls.get(step.index)
    stalls = StallCycles.of(counted or expected.stalls, _origin(counted))
    traffic = Traffic(size.input_bytes, size.output_bytes, size.weights_bytes)
    constants = (c for c in step.signature.constants if c is not None)
    return LayerRow(
        index=step.index,
        name=graph.node_name(step.node),
        origin=step.node.origin,
        op=step.node.op.label,
        kernel=step.kernel.function,
        inputs=tuple(graph.tensor_name(name) for name in graph.activations(step.node)),
        output_shape=step.signature.output.shape,
        macs=step.cost.macs,
        ops=step.cost.ops,
        parameters=sum(int(c.size) for c in constants),
        weights_bytes=size.weights_bytes,
        input_bytes=size.input_bytes,
        output_bytes=size.output_bytes,
        activation_bytes=size.input_bytes + size.output_bytes,
        live_bytes=live,
        scratch_bytes=max(one.scratch_bytes for one in step.in_forms),
        cycles=int(cycles.value),
        cycles_origin=cycles.origin,
        macs_per_byte=round(step.cost.macs / max(1, traffic.total_bytes), 4),
        bound=bound_by(cycles.value, traffic, target),
        receptive_field=field,
        error=evidence.errors.get(step.index),
        noise=evidence.noise.get(step.index),
        max_lsb=evidence.max_lsb.get(step.index),
        cycles_error=step_error(expected, target) if cycles.origin is Origin.MODELLED else None,
        instructions=evidence.instructions.get(step.index),
        stall_cycles=stalls if target.memory is not None else None,
        copied_bytes=staged_bytes(step.kernel, step.signature) if step.kernel.staged else None,
    )


def _origin(counted: Stalls | None) -> Origin:
    return Origin.MODELLED if counted is None else Origin.MEASURED


def _model(planned: Planned, totals: Totals) -> ModelInfo:
    graph = planned.plan.program.graph
    return ModelInfo(
        name=planned.model.path.name,
        sha256=planned.model.sha256,
        opset=planned.model.opset,
        dtype=planned.model.form.value,
        parameters=totals.parameters,
        macs=totals.macs,
        ops=totals.ops,
        nodes=planned.model.nodes,
        steps=len(planned.plan.program.steps),
        inputs=tuple(_port(graph, port) for port in graph.app_inputs),
        outputs=tuple(_port(graph, port) for port in graph.app_outputs),
    )


def _port(graph: Graph, port: Port) -> ModelPort:
    kind = graph.tensor(port.tensor).type
    plain = kind.quant is not None and kind.quant.axis is None
    return ModelPort(
        name=port.name,
        shape=port.shape,
        dtype=kind.dtype.value,
        bytes=kind.nbytes,
        scale=kind.q.s if plain else None,
        zero_point=kind.q.z if plain else None,
    )


def _target(program: Program) -> TargetInfo:
    target, roof = program.target, roof_of(program)
    features = target.features
    return TargetInfo(target.name, target.core, features, target.clock_hz, target.generic, roof)


def _latency(
    layers: Sequence[LayerRow], plan: Plan, limits: Limits, counted: Sequence[int]
) -> Latency:
    waiting = sum(row.wait_cycles for row in layers)
    cycles, board = sum(row.all_cycles for row in layers), _stalls(layers)
    core = worst(row.cycles_origin for row in layers)
    waits = [Origin.MODELLED] if waiting else []
    origin = worst([core, *waits, *([board.origin] if board else [])])
    target = plan.program.target
    seconds = cycles / target.clock_hz
    return Latency(
        cycles=cycles,
        seconds=seconds,
        throughput_hz=1 / seconds if seconds > 0 else 0.0,
        origin=origin,
        budget_seconds=limits.max_latency_s,
        wait_cycles=waiting,
        error=model_error(plan) if origin is Origin.MODELLED else core_error(target) or None,
        feed=fed_rows(layers, plan, limits, counted),
        core_cycles=sum(row.cycles for row in layers) if board else None,
        core_origin=core if board else None,
        stall_cycles=board,
    )


def _stalls(layers: Sequence[LayerRow]) -> StallCycles | None:
    """Of all steps, where the flash is described."""
    rows = [row.stall_cycles for row in layers if row.stall_cycles is not None]
    if not rows:
        return None
    return StallCycles(
        sum(row.code for row in rows),
        sum(row.constants for row in rows),
        sum(row.rules for row in rows),
        worst(row.origin for row in rows),
        sum(row.data for row in rows),
    )


def _energy(layers: Sequence[LayerRow], target: Target) -> Energy | None:
    traffic = Traffic(
        input_bytes=sum(row.input_bytes for row in layers),
        output_bytes=sum(row.output_bytes for row in layers),
        weights_bytes=sum(row.weights_bytes for row in layers),
    )
    macs = sum(row.macs for row in layers)
    cycles = sum(row.all_cycles for row in layers)
    return energy_of(macs, cycles, traffic, target)
