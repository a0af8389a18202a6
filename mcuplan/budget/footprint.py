# SPDX-License-Identifier: Apache-2.0
"""Bytes of RAM and flash: the sums, per region, per layer, and at the peak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from mcuplan import words
from mcuplan.budget.rows import busiest
from mcuplan.emit.arenas import arena_bytes
from mcuplan.ir.types import DType
from mcuplan.record import (
    BufferKind,
    BufferRow,
    BuildFigures,
    Flash,
    Limits,
    Naive,
    Peak,
    Ram,
    RegionUse,
    TypedBytes,
)
from mcuplan.schedule.assembly.row_places import context_bytes, row_table_bytes
from mcuplan.schedule.code import Modelled, model_code, step_constants
from mcuplan.schedule.program import FEED, Plan, Step
from mcuplan.solvers.packing.problem import Region
from mcuplan.targets import Target
from mcuplan.units import Origin

__all__ = [
    "StepBytes",
    "buffer_rows",
    "flash_bill",
    "flash_of",
    "naive_map",
    "peak_of",
    "ram_bill",
    "region_rows",
    "region_uses",
    "step_bytes",
]


@dataclass(frozen=True, slots=True)
class StepBytes:
    """Bytes that one step reads, writes and keeps in flash."""

    input_bytes: int
    output_bytes: int
    weights_bytes: int
    tables_bytes: int


def step_bytes(step: Step) -> StepBytes:
    """Activations and constants of a step; an operand read twice counts once."""
    sig = step.signature
    inputs = {n: t for n, t in zip(step.node.inputs, sig.inputs, strict=True)}
    constants = dict(zip(step.node.inputs, sig.constants, strict=True))
    kept = step_constants(step)
    return StepBytes(
        input_bytes=sum(t.nbytes for name, t in inputs.items() if constants[name] is None),
        output_bytes=sum(t.nbytes for t in sig.outputs),
        weights_bytes=kept.weights_bytes,
        tables_bytes=kept.tables_bytes,
    )


def peak_of(plan: Plan) -> Peak:
    """The first move with the most live bytes, and how good the plan is known to be."""
    graph, steps, memory = plan.program.graph, plan.program.steps, tuple(plan.memory.values())
    bound = sum(m.lower_bound_bytes for m in memory)
    if not steps:
        return Peak(-1, "", 0, sum(m.arena_bytes for m in memory), bound, True, True, "no steps")
    moment = busiest(plan)
    if moment.step == FEED:  # a row of the input arrives
        kind = graph.tensor(graph.inputs[0].tensor).type
        layer, activations = graph.inputs[0].name, kind.row_bytes
    else:
        own = step_bytes(steps[moment.step])
        layer = graph.node_name(steps[moment.step].node)
        activations = own.input_bytes + own.output_bytes
    return Peak(
        step=moment.step,
        layer=layer,
        activation_bytes=activations,
        live_bytes=moment.live_bytes,
        lower_bound_bytes=bound,
        optimal_order=_order_is_optimal(plan, moment.step, moment.live_bytes),
        optimal_arena=all(m.optimal for m in memory),
        statement="; ".join(dict.fromkeys(map(words.placement, memory))),
        row=None if plan.is_straight else moment.row,
        move=None if plan.is_straight else moment.move,
    )


def _order_is_optimal(plan: Plan, peak: int, live: int) -> bool:
    """Whether it is proved that no order of the steps has a lower peak.

    The search for the order says so. Where the steps were given: the graph allows no other
    order, or the peak step alone needs all that is live, and every order must run it.
    """
    if plan.order is not None:
        return plan.order.optimal
    steps = plan.program.steps
    step = steps[peak]
    tensors = [*plan.program.graph.activations(step.node), *step.node.outputs]
    rows, numbers = plan.allocation.rows, plan.runs_of[peak]
    own = {slot.buffer for name in tensors if name in rows for slot in rows[name]}
    own |= {name for run, name in plan.allocation.scratch.items() if run in numbers}
    sizes = {buffer.name: buffer.nbytes for buffer in plan.allocation.buffers}
    shares = not step.node.op.inplace_inputs  # else another order might run it in place
    return (shares and sum(sizes[name] for name in own) == live) or _one_order(plan, steps)


def _one_order(plan: Plan, steps: Sequence[Step]) -> bool:
    """Whether every step reads what the step before it made, possibly through views."""
    source: dict[str, str] = {}
    for node in plan.program.graph.nodes:
        if node.op.is_view:
            source[node.output] = source.get(node.inputs[0], node.inputs[0])
    return all(
        any(source.get(name, name) in before.node.outputs for name in step.node.inputs)
        for before, step in pairwise(steps)
    )


def _scratch_at(plan: Plan, peak: Peak) -> int:
    """Scratch of the run at the peak."""
    if peak.step < 0:
        return 0
    step, at = plan.program.steps[peak.step], 0 if peak.move is None else peak.move
    moves = zip(plan.runs, plan.run_moves, strict=True)
    form = next((run.form for run, (first, end) in moves if first <= at < end), 0)
    return step.in_forms[form].scratch_bytes


def ram_bill(plan: Plan, limits: Limits, build: BuildFigures | None) -> Ram:
    """Arena, context, states and stack, each once. Inputs and outputs live in the arena."""
    target, peak = plan.program.target, peak_of(plan)
    states = sum(plan.state_bytes.values())
    arena = sum(arena_bytes(m.arena_bytes) for m in plan.memory.values()) - states
    static = context_bytes(plan) + states + (build.data_bytes if build is not None else 0)
    modelled = model_code(plan.program, target)
    margin = modelled.stack_margin_bytes if build is None else 0
    stack = build.stack_bytes if build is not None else modelled.stack_bytes + margin
    usable = sum(region.usable_bytes for region in target.ram)
    limited = limits.max_ram is not None and limits.max_ram <= usable
    return Ram(
        arena_bytes=arena,
        scratch_bytes=_scratch_at(plan, peak),
        io_bytes=0,
        static_bytes=static,
        stack_bytes=stack,
        stack_margin_bytes=margin,
        stack_origin=Origin.MODELLED if build is None else Origin.MEASURED,
        total_bytes=arena + static + stack,
        budget_bytes=limits.max_ram if limited and limits.max_ram is not None else usable,
        budget_from="limit" if limited else "target",
        state_bytes=states or None,
    )


def flash_bill(plan: Plan, limits: Limits, build: BuildFigures | None) -> Flash:
    """Weights and tables to the byte; code modelled with its margin, or measured.

    Before a build, the padding between constants (0 to 3 bytes each) is part of the margin.
    """
    target, steps = plan.program.target, [step_bytes(s) for s in plan.program.steps]
    weights = sum(s.weights_bytes for s in steps)
    tables = sum(s.tables_bytes for s in steps) + row_table_bytes(plan)
    bill = flash_of(weights, tables, model_code(plan.program, target), limits, build, target)
    types = _by_type(plan.program.steps)
    exact = sum(each.bytes for each in types) == bill.weights_bytes  # nothing became code
    return replace(bill, weights_by_type=types) if exact else bill


def _by_type(steps: Iterable[Step]) -> tuple[TypedBytes, ...]:
    """Weights of all steps by their type, narrow ones first."""
    found: Counter[DType] = Counter()
    for step in steps:
        found.update(step_constants(step).weights)
    order = sorted(found, key=lambda dtype: (dtype.bits, dtype.value))
    return tuple(TypedBytes(dtype.value, found[dtype]) for dtype in order)


def flash_of(
    weights: int,
    tables: int,
    modelled: Modelled,
    limits: Limits,
    build: BuildFigures | None,
    target: Target,
) -> Flash:
    """The sum of constants, in bytes as planned, and of code as it is modelled or measured."""
    margin = modelled.code_margin_bytes if build is None else 0
    code = modelled.code_bytes + margin
    if build is not None:
        code = build.code_bytes + build.library_bytes
        weights = min(weights, build.constants_bytes)  # less what the compiler made code of
        tables = build.constants_bytes - weights  # with the padding that the linker put in
    usable = sum(region.usable_bytes for region in target.flash)
    limited = limits.max_flash is not None and limits.max_flash <= usable
    return Flash(
        weights_bytes=weights,
        tables_bytes=tables,
        code_bytes=code,
        code_margin_bytes=margin,
        code_origin=Origin.MODELLED if build is None else Origin.MEASURED,
        total_bytes=weights + tables + code,
        budget_bytes=limits.max_flash if limited and limits.max_flash is not None else usable,
        budget_from="limit" if limited else "target",
    )


def region_rows(plan: Plan, ram: Ram, flash: Flash) -> tuple[RegionUse, ...]:
    """What each memory holds; states lie in front of an arena, and are no part of it here."""
    held = {name: arena_bytes(memory.arena_bytes) for name, memory in plan.memory.items()}
    apart = ram.static_bytes + ram.stack_bytes - sum(plan.state_bytes.values())
    uses = region_uses(plan.program.target, held, apart, flash.total_bytes)
    states = plan.state_bytes
    return tuple(replace(u, arena_bytes=u.arena_bytes - states.get(u.name, 0)) for u in uses)


def region_uses(
    target: Target, arenas: Mapping[str, int], apart: int, flash: int
) -> tuple[RegionUse, ...]:
    """What each memory holds, of arenas by region, static data and stack, code and constants.

    Static data and the stack are where the linker puts them: in the RAM region without a section
    of its own. Code and constants fill the flash regions in order.
    """
    rows, left = [], flash
    for region in target.regions:
        if region.kind == "ram":
            arena = arenas.get(region.name, 0)
            used = arena + (apart if region is target.default_ram else 0)
        else:
            last = region is target.flash[-1]
            used = left if last else min(left, region.usable_bytes)
            left -= used
            arena = 0
        rows.append(_row(region, used, arena))
    return tuple(rows)


def _row(region: Region, used: int, arena: int) -> RegionUse:
    left, reserved = region.usable_bytes - used, region.reserved_bytes
    return RegionUse(region.name, region.kind, region.bytes, reserved, used, left, arena)


def buffer_rows(plan: Plan) -> tuple[BufferRow, ...]:
    """Every tensor and scratch with its address and live range, by region, start, offset.

    Where rows lie apart, every row; live ranges then count moves.
    """
    held = _held(plan)
    rows: list[BufferRow] = []
    for region, memory in plan.memory.items():
        for placement in memory.placements:
            buffer = placement.buffer
            parts = held.get(buffer.name, []) or [_Part(buffer.name, 0, buffer.nbytes, "scratch")]
            rows += [
                BufferRow(
                    name=part.name,
                    region=region,
                    offset=placement.offset + part.start,
                    bytes=part.nbytes,
                    start=buffer.live.start,
                    end=buffer.live.end,
                    alias_of=None if part.name == parts[0].name else parts[0].name,
                    kind=part.kind,
                    row=part.row,
                )
                for part in parts
            ]
    return tuple(_distinct(rows))


def naive_map(plan: Plan) -> Naive:
    """The map of a plan that saves no bytes."""
    return Naive(arena_bytes(plan.arena_bytes), buffer_rows(plan))


@dataclass(frozen=True, slots=True)
class _Part:
    """What lies in a buffer: a tensor, a row of one, or scratch."""

    name: str
    start: int
    nbytes: int
    kind: BufferKind
    row: int | None = None


def _held(plan: Plan) -> dict[str, list[_Part]]:
    """Tensors and rows of each buffer."""
    graph, allocation = plan.program.graph, plan.allocation
    ports = {port.tensor for port in (*graph.inputs, *graph.outputs)}
    found: dict[str, list[_Part]] = {}
    for tensor, slots in allocation.rows.items():
        kind: BufferKind = "io" if tensor in ports else "activation"
        whole, one = len(slots) == 1, graph.tensor(tensor).type
        nbytes = one.nbytes if whole else one.row_bytes
        for row, slot in enumerate(slots):
            number = None if whole else row
            part = _Part(graph.tensor_name(tensor), slot.offset, nbytes, kind, number)
            found.setdefault(slot.buffer, []).append(part)
    return found


def _distinct(rows: Iterable[BufferRow]) -> list[BufferRow]:
    found = list(dict.fromkeys(rows))
    return sorted(found, key=lambda r: (r.region, r.start, r.offset, r.end))
