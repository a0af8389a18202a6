# SPDX-License-Identifier: Apache-2.0
"""Float islands of an integer model: which layers, and what they take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcuplan import words
from mcuplan.budget.footprint import step_bytes
from mcuplan.budget.speed import step_cycles
from mcuplan.facts import ClosedBy, GapsClosed, InType, Note
from mcuplan.findings import Finding, Severity
from mcuplan.ir.types import DType
from mcuplan.schedule.program import Plan, Step
from mcuplan.units import format_bytes

__all__ = ["CONVERSIONS_SHOWN", "cost_of_type", "gap_findings", "island_findings"]

CONVERSIONS_SHOWN = "each conversion is a layer of its own: --all shows what it takes"
"""The hint of layers in another type than those around."""

_NAMED = 4
_CONVERSIONS = ("DequantizeLinear", "QuantizeLinear")


@dataclass(frozen=True, slots=True)
class _Island:
    """Steps that hand float32 to one another, conversions at its shores among them."""

    layers: tuple[str, ...]
    conversions: int
    cycles: float
    constants_bytes: int
    values_bytes: int  # of the largest value in float32


def gap_findings(notes: Sequence[Note]) -> Iterator[Finding]:
    """What a quantized model puts on no grid, and lies on one all the same."""
    for fact in notes:
        if isinstance(fact, GapsClosed):
            exact = fact.by is ClosedBy.NEIGHBOUR
            hint = "" if exact else "mcuplan verify shows what it costs"
            yield Finding("quant/gaps-closed", Severity.NOTE, words.note(fact), "", hint)


def island_findings(
    notes: Sequence[Note], plan: Plan | None = None, *, closing: bool = False
) -> Iterator[Finding]:
    """Layers of a model of integers that compute in float32; with a plan, what they take.

    ``closing``: gaps were to be closed.
    """
    for fact in notes:
        if isinstance(fact, InType) and fact.dtype == DType.FLOAT32:
            if plan is None:
                yield _finding(fact, words.note(fact), closing=closing)
            else:
                yield from _of_plan(fact, plan, closing=closing)


def cost_of_type(plan: Plan, dtype: DType) -> str:
    """What steps take that read or make values of a type, to be put behind what is said of them."""
    graph, steps = plan.program.graph, plan.program.steps
    found = [
        step
        for step in steps
        for names in [(*graph.activations(step.node), *step.node.outputs)]
        if any(graph.tensor(name).type.dtype is dtype for name in names)
    ]
    if not found:
        return ""
    total = sum(step_cycles(step, plan).total for step in steps)
    cycles = sum(step_cycles(step, plan).total for step in found)
    sizes = [step_bytes(step) for step in found]
    constants = sum(size.weights_bytes + size.tables_bytes for size in sizes)
    names = {n for step in found for n in (*graph.activations(step.node), *step.node.outputs)}
    kinds = [graph.tensor(name).type for name in names]
    largest = max(kind.nbytes for kind in kinds if kind.dtype is dtype)
    return (
        f"; {cycles:,.0f} cycles (modelled, {100 * cycles / max(1.0, total):.0f} % of all), "
        f"{format_bytes(constants)} of constants, largest value {format_bytes(largest)}"
    )


def _finding(fact: InType, message: str, *, closing: bool) -> Finding:
    """A warning where the model leaves out roundings: something may be done."""
    where = fact.layers[0] if fact.layers else ""
    if fact.open_ends:
        closes = "--calibration DATA.npz with --close-gaps" if closing else "--close-gaps"
        hint = f"{closes} puts them on grids"
        return Finding("quant/float-layers", Severity.WARNING, message, where, hint)
    return Finding("quant/float-layers", Severity.NOTE, message, where, CONVERSIONS_SHOWN)


def _of_plan(fact: InType, plan: Plan, *, closing: bool) -> Iterator[Finding]:
    """The islands that take most one by one, the others together."""
    total = sum(step_cycles(step, plan).total for step in plan.program.steps)
    found = sorted(_islands(plan), key=lambda island: -island.cycles)
    few, rest = (found, []) if len(found) <= _NAMED else (found[: _NAMED - 1], found[_NAMED - 1 :])
    groups = [[island] for island in few] + ([rest] if rest else [])
    for group in groups:
        layers = tuple(name for island in group for name in island.layers)
        own = InType(
            layers,
            sum(island.conversions for island in group),
            open_ends=tuple(name for name in layers if name in fact.open_ends),
        )
        cycles = sum(island.cycles for island in group)
        cost = (
            f"; {cycles:,.0f} cycles (modelled, {100 * cycles / max(1.0, total):.0f} % of all), "
            f"{format_bytes(sum(island.constants_bytes for island in group))} of constants, "
            f"largest value {format_bytes(max(island.values_bytes for island in group))}"
        )
        yield _finding(own, words.note(own) + cost, closing=closing)


def _islands(plan: Plan) -> list[_Island]:
    """Steps that share a tensor of float32 belong together; in order."""
    graph, groups = plan.program.graph, list[tuple[set[str], list[Step]]]()
    for step in plan.program.steps:
        read = graph.activations(step.node)
        real = {n for n in (*read, *step.node.outputs) if graph.tensor(n).type.dtype.is_float}
        computes = step.node.op.label not in _CONVERSIONS and bool(read)
        if not real or (computes and real.isdisjoint(read)):  # sums of integers, or no such values
            continue
        near = [group for group in groups if real & group[0]]
        groups = [group for group in groups if not real & group[0]]
        steps = [s for group in near for s in group[1]]
        groups.append((real.union(*(group[0] for group in near)), [*steps, step]))
    return [_island(plan, names, steps) for names, steps in groups]


def _island(plan: Plan, names: set[str], steps: Sequence[Step]) -> _Island:
    graph, sizes = plan.program.graph, [step_bytes(step) for step in steps]
    inner = [step.node for step in steps if step.node.op.label not in _CONVERSIONS]
    return _Island(
        tuple(dict.fromkeys(map(graph.node_name, inner))),
        len(steps) - len(inner),
        sum(step_cycles(step, plan).total for step in steps),
        sum(size.weights_bytes + size.tables_bytes for size in sizes),
        max(graph.tensor(name).type.nbytes for name in names),
    )
