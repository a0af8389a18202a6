# SPDX-License-Identifier: Apache-2.0
"""Which bytes must exist when: live ranges, aliases, in-place steps, scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from mcuplan.schedule.assembly.aliases import Aliases, resolve
from mcuplan.schedule.assembly.states import over_states
from mcuplan.schedule.gaps import Overlaps
from mcuplan.schedule.overlap import overlaps
from mcuplan.schedule.program import Allocation, Program, Sharing, Slot, Step
from mcuplan.solvers.packing.problem import Buffer, LiveRange
from mcuplan.units import align_up

__all__ = ["aliases_of", "allocate"]

_ALIGN = 4  # bytes; what the widest load of any kernel may ask


@dataclass(slots=True)
class _Span:
    """A buffer under construction: bytes, first step, and the step after the last use."""

    nbytes: int
    start: int
    end: int
    storages: list[str] = field(default_factory=list)


def allocate(program: Program, sharing: Sharing | None = None) -> Allocation:
    """Buffers with live ranges for every activation and scratch of a program.

    Every step is one run. Nodes without a step are views: their outputs lie in the bytes of
    their inputs, or their inputs in those of the output. An element-wise step writes over an
    operand of the same size that nobody reads later. Inputs exist from step 0, outputs to the
    end. An output may start inside its input where the order of the rows allows it. States
    have bytes of their own all the time, the first of their arena; what is written lies over
    what is read where no step reads that any more.
    """
    sharing = sharing or Sharing()
    aliases = aliases_of(program)
    outputs = {aliases.slots[p.tensor].buffer for p in program.graph.outputs}
    reserved = outputs if sharing.keep_outputs else set()
    reserved |= {aliases.slots[s.read.tensor].buffer for s in program.graph.states}
    spans, home = _spans(program, aliases, sharing, reserved)
    last = max(1, len(program.steps))
    placed = [
        Buffer(name, span.nbytes, LiveRange(span.start, min(span.end, last)), _ALIGN)
        for name, span in spans.items()
    ]
    scratch = {s.index: f"scratch{s.index}" for s in program.steps if s.scratch_bytes}
    placed += [_scratch(s, scratch[s.index]) for s in program.steps if s.scratch_bytes]
    slots = {name: Slot(home[slot.buffer], slot.offset) for name, slot in aliases.slots.items()}
    rows = {name: (slot,) for name, slot in slots.items()}
    lasting = frozenset(name for name, span in spans.items() if span.end > last)
    return Allocation(
        tuple(placed),
        MappingProxyType(rows),
        MappingProxyType(scratch),
        overlaps(program, placed, slots, lasting, reserved, backwards=sharing.backwards)
        if sharing.overlap
        else Overlaps(),
        pinned=_states_first(program, placed),
        in_place=_in_place(program, aliases, home),
        without_copy=_without_copy(program, aliases),
    )


def _states_first(program: Program, placed: Sequence[Buffer]) -> Mapping[int, int]:
    """Offsets of the states, one behind the other: what else there is ends with the call."""
    pinned, offset = {}, 0
    number = {buffer.name: index for index, buffer in enumerate(placed)}
    for state in program.graph.states:
        index = number[state.read.tensor]
        pinned[index] = offset
        offset += align_up(placed[index].nbytes, _ALIGN)
    return MappingProxyType(pinned)


def aliases_of(program: Program) -> Aliases:
    """Storages of a program: what has no step is a view."""
    steps = {step.node.name for step in program.steps}
    graph = program.graph
    return resolve(graph, frozenset(n.name for n in graph.nodes if n.name not in steps))


def _spans(
    program: Program, aliases: Aliases, sharing: Sharing, reserved: set[str]
) -> tuple[dict[str, _Span], dict[str, str]]:
    """Buffers by name, and the buffer of each storage."""
    graph, last = program.graph, max(1, len(program.steps))
    inputs = {aliases.slots[p.tensor].buffer for p in graph.inputs}
    outputs = {aliases.slots[p.tensor].buffer for p in graph.outputs}
    first: dict[str, int] = dict.fromkeys(inputs, 0)
    end: dict[str, int] = dict.fromkeys(inputs, 1)
    for step in program.steps:
        for name in (*graph.activations(step.node), *step.node.outputs):
            storage = aliases.slots[name].buffer
            first.setdefault(storage, step.index)
            end[storage] = step.index + 1
    # The application reads outputs after the last step: one step more.
    end |= dict.fromkeys(outputs, last + 1)
    over = over_states(program, aliases, first, end)
    kept = {aliases.slots[p.tensor].buffer for p in graph.inputs if sharing.keep_inputs or p.state}
    end |= dict.fromkeys(kept, last + 1)
    first |= dict.fromkeys(reserved, 0)
    names = [n for n in aliases.nbytes if n in inputs]
    spans = {n: _Span(aliases.nbytes[n], 0, end[n], [n]) for n in names}
    home = {name: name for name in names} | over
    for written, read in over.items():
        spans[read].storages.append(written)
    for step in program.steps:
        for name in step.node.outputs:
            storage = aliases.slots[name].buffer
            if storage in home:
                continue
            victim = _victim(step, program, aliases, end) if sharing.in_place else None
            if victim is None or storage in reserved:
                spans[storage] = _Span(aliases.nbytes[storage], first[storage], end[storage])
                home[storage] = storage
            else:
                home[storage] = home[victim]
                spans[home[victim]].end = end[storage]
            spans[home[storage]].storages.append(storage)
    return spans, home


def _victim(step: Step, program: Program, aliases: Aliases, end: dict[str, int]) -> str | None:
    """The storage of an input whose bytes the output may take: it dies here."""
    node = step.node
    for i in step.inplace_inputs:
        name = node.inputs[i] if i < len(node.inputs) else ""
        if name in aliases.slots and aliases.replaces(program.graph, node, i):
            storage = aliases.slots[name].buffer
            if end[storage] <= step.index + 1:
                return storage
    return None


def _in_place(program: Program, aliases: Aliases, home: Mapping[str, str]) -> tuple[int, ...]:
    """Steps whose output takes the bytes of an input."""
    made = {s.index: [aliases.slots[n].buffer for n in s.node.outputs] for s in program.steps}
    return tuple(i for i, names in made.items() if any(home[name] != name for name in names))


def _without_copy(program: Program, aliases: Aliases) -> tuple[str, ...]:
    """Nodes that move data in the model and are no steps here."""
    nodes = program.graph.nodes
    return tuple(n.name for n in nodes if n.name in aliases.views and not n.op.is_view)


def _scratch(step: Step, name: str) -> Buffer:
    return Buffer(name, step.scratch_bytes, LiveRange(step.index, step.index + 1), _ALIGN)
