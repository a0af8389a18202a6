# SPDX-License-Identifier: Apache-2.0
"""Runs that find more room than others of their step take its kernel in a faster form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from mcuplan.backends import kernels_for
from mcuplan.errors import InputTooLarge
from mcuplan.ir.op import Kernel
from mcuplan.plan_facts import RoomyRuns
from mcuplan.price import expected_cycles
from mcuplan.schedule.assembly.plan import assemble
from mcuplan.schedule.kernels.forms import alike
from mcuplan.schedule.kernels.objective import plan_cycles
from mcuplan.schedule.program import Plan, Program, Run, Selected, Sharing, Step
from mcuplan.solvers.packing.bound import lower_bound
from mcuplan.solvers.packing.problem import Buffer, LiveRange, MemoryPlan, Placement
from mcuplan.solvers.rows.problem import RowOrder
from mcuplan.units import align_up

__all__ = ["with_roomy_runs"]

_ALIGN = 4
_WORTH = 0.001  # of the cycles of a plan, that another form saves at least


def with_roomy_runs(plan: Plan, limit: int, sharing: Sharing) -> Plan:
    """The plan whose runs have as much scratch as lies free while they go on, if that is faster.

    Rows stay where they are, and the arena takes ``limit`` bytes at most. Only kernels that have
    several forms gain by it: one function that reads the same constants in more scratch or less.
    """
    if plan.is_straight or len(plan.memory) > 1:
        return plan
    forms = {step.index: _forms(plan, step) for step in plan.program.steps if step.scratch_bytes}
    room = _Room.of(plan, limit) if any(own[1:] for own in forms.values()) else None
    taken = room and _taken(plan, room, forms)
    while room and taken:
        poor = _hardly_used(plan, forms, taken)
        if poor is None:
            break
        step, form = poor
        forms[step] = tuple(one for one in forms[step] if one is not form)
        taken = _taken(plan, room, forms)
    if not room or not taken:
        return plan
    if all(one.form.kernel is _kernel(plan, number) for number, one in taken.items()):
        return plan
    return _made(plan, room, taken, sharing)


def _kernel(plan: Plan, number: int) -> Kernel:
    run = plan.runs[number]
    return plan.program.steps[run.step].in_forms[run.form].kernel


@dataclass(frozen=True, slots=True)
class _Form:
    """A kernel of a step: bytes of scratch, and cycles of a row."""

    kernel: Kernel
    nbytes: int
    cycles: float


@dataclass(frozen=True, slots=True)
class _Found:
    """The form of a run, and where its scratch lies."""

    form: _Form
    offset: int


def _forms(plan: Plan, step: Step) -> tuple[_Form, ...]:
    """A step's kernel, and others of the same function and constants, fastest first."""
    target, signature = plan.program.target, step.signature
    offered = kernels_for(frozenset(target.features), target.backend).get(type(step.node.op), ())
    others = (k for k in offered if k is not step.kernel and k.runs(signature))
    kernels = [step.kernel, *(k for k in others if alike(step, k))]
    rows = plan.rows_per_call(step)
    found = [
        _Form(
            kernel,
            kernel.scratch_bytes(signature),
            expected_cycles(kernel, signature, target, rows).total / max(1, step.rows),
        )
        for kernel in kernels
    ]
    return tuple(sorted(found, key=lambda form: (form.cycles, form.nbytes)))


@dataclass(frozen=True, slots=True)
class _Room:
    """What lies free below a limit while each run goes on, scratch left out.

    ``held`` are the buffers that stay; ``before`` the offset of each run's scratch.
    """

    limit: int
    held: tuple[Placement, ...]
    before: Mapping[int, int]
    busy: tuple[tuple[tuple[int, int], ...], ...]  # by move: what is held

    @classmethod
    def of(cls, plan: Plan, limit: int) -> _Room | None:
        """None where rows lie beyond the limit."""
        (memory,), scratch = plan.memory.values(), plan.allocation.scratch
        steps = plan.program.steps
        moving = {
            n: name for n, name in scratch.items() if not steps[plan.runs[n].step].kernel.staged
        }
        names = set(moving.values())
        held = tuple(p for p in memory.placements if p.buffer.name not in names)
        if any(p.offset + p.buffer.nbytes > limit for p in held):
            return None
        busy: list[list[tuple[int, int]]] = [[] for _ in range(plan.run_moves[-1][1])]
        for one in held:
            for move in range(one.buffer.live.start, one.buffer.live.end):
                busy[move].append((one.offset, one.offset + one.buffer.nbytes))
        before = {number: plan.places[name][1] for number, name in moving.items()}
        return cls(limit, held, before, tuple(tuple(sorted(one)) for one in busy))

    def place(self, moves: range, nbytes: int) -> int | None:
        """The smallest gap that holds some bytes, the lowest of those."""
        best, at = (self.limit + 1, -1), 0
        taken = sorted({one for move in moves for one in self.busy[move]})
        for begin, end in (*taken, (self.limit, self.limit)):
            if begin - at >= nbytes:
                best = min(best, (begin - at, at))
            at = max(at, align_up(end, _ALIGN))
        return best[1] if best[1] >= 0 else None


def _taken(
    plan: Plan, room: _Room, forms: Mapping[int, Sequence[_Form]]
) -> dict[int, _Found] | None:
    """The fastest form that each run has room for; None where one has room for none."""
    found: dict[int, _Found] = {}
    for number, old in room.before.items():
        step = plan.program.steps[plan.runs[number].step]
        moves = range(*plan.run_moves[number])
        for form in forms[step.index]:
            stays = form.kernel is _kernel(plan, number) and old + form.nbytes <= room.limit
            at = old if stays else room.place(moves, form.nbytes)
            if at is not None:
                found[number] = _Found(form, at)
                break
        else:
            return None
    return found


def _hardly_used(
    plan: Plan, forms: Mapping[int, Sequence[_Form]], taken: Mapping[int, _Found]
) -> tuple[int, _Form] | None:
    """A form, with its step, that saves next to nothing against the next one in less scratch."""
    least = _WORTH * plan_cycles(plan)
    for step, own in forms.items():
        rows: Counter[int] = Counter()
        for number in plan.runs_of[step]:
            run = plan.runs[number]
            if number in taken:
                rows[own.index(taken[number].form)] += run.end - run.first
        for at, count in rows.items():
            form = own[at]
            leaner = [o.cycles for o in own[at + 1 :] if o.nbytes < form.nbytes]
            saved = count * (min(leaner, default=0.0) - form.cycles)
            if form.kernel is not plan.program.steps[step].kernel and leaner and saved < least:
                return step, form
    return None


def _made(plan: Plan, room: _Room, taken: Mapping[int, _Found], sharing: Sharing) -> Plan:
    """The plan with its runs in these forms; as it was where rows and scratch lie too far apart."""
    program, runs = _formed(plan, taken)
    scratch, placed = dict(plan.allocation.scratch), list(room.held)
    for number, found in taken.items():
        first, end = plan.run_moves[number]
        buffer = Buffer(f"scratch{first}", found.form.nbytes, LiveRange(first, end), _ALIGN)
        scratch[number] = buffer.name
        placed.append(Placement(buffer, found.offset))
    fixed = {plan.allocation.buffers[i].name for i in plan.allocation.pinned}
    allocation = replace(
        plan.allocation,
        buffers=tuple(p.buffer for p in placed),
        scratch=MappingProxyType(scratch),
        pinned={i: p.offset for i, p in enumerate(room.held) if p.buffer.name in fixed},
    )
    bound, arena = lower_bound(allocation.problem), max(p.offset + p.buffer.nbytes for p in placed)
    best = arena == bound.bytes
    memory = MemoryPlan(tuple(placed), arena, bound.bytes, bound.step, best, "rows, then scratch")
    assert isinstance(plan.order, RowOrder), "of rows"
    order = replace(plan.order, peak_bytes=max(plan.order.peak_bytes, bound.bytes))
    try:
        made = assemble(program, allocation, runs, memory, order, sharing)
    except InputTooLarge:
        return plan
    made = replace(made, as_a_whole=plan.as_a_whole, pauses=plan.pauses)
    return replace(made, selected=plan.selected and _said(plan.selected, plan, made))


def _formed(plan: Plan, taken: Mapping[int, _Found]) -> tuple[Program, tuple[Run, ...]]:
    """Steps whose kernel is the form that makes most of their rows, and runs in their forms."""
    rows: dict[int, Counter[Kernel]] = {step.index: Counter() for step in plan.program.steps}
    for number, found in taken.items():
        run = plan.runs[number]
        rows[run.step][found.form.kernel] += run.end - run.first
    kernels = {index: [kernel for kernel, _ in own.most_common()] for index, own in rows.items()}
    runs = list(plan.runs)
    for number, found in taken.items():
        form = kernels[runs[number].step].index(found.form.kernel)
        runs[number] = replace(runs[number], form=form)
    steps = (
        replace(step, kernel=own[0], forms=tuple(own[1:])) if own else step
        for step, own in zip(plan.program.steps, kernels.values(), strict=True)
    )
    return replace(plan.program, steps=tuple(steps)), tuple(runs)


def _said(selected: Selected, before: Plan, made: Plan) -> Selected:
    """What the forms are worth."""
    count = sum(bool(step.forms) for step in made.program.steps)
    gain = RoomyRuns(count, 100 * (1 - plan_cycles(made) / max(1.0, plan_cycles(before))))
    return replace(selected, trade=replace(selected.trade, roomy=gain))
