# SPDX-License-Identifier: Apache-2.0
"""Which bytes must exist when: live ranges, aliases, in-place steps, scratch."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from mcuplan.ir.graph import Node
from mcuplan.memory.problem import Buffer, LiveRange
from mcuplan.schedule.program import Allocation, Program, Slot, Step

__all__ = ["allocate"]

_ALIGN = 4  # bytes; what the widest load of any kernel may ask


@dataclass(slots=True)
class _Storage:
    """Bytes under construction: all tensors that share them, from first to last use."""

    name: str
    nbytes: int
    start: int
    end: int
    tensors: list[str]


def allocate(program: Program) -> Allocation:
    """Buffers with live ranges for every activation and scratch of a program.

    A view shares the bytes of its input. An element-wise step writes over an operand of
    the same size that nobody reads later. Inputs exist from step 0, outputs to the end.
    """
    graph = program.graph
    last = max(1, len(program.steps))
    step_of = {step.node.name: step.index for step in program.steps}
    home = _homes(program, step_of, last)
    slots: dict[str, Slot] = {}
    buffers: dict[str, _Storage] = {}
    notes: list[str] = []
    for port in graph.inputs:
        _open(buffers, slots, port.tensor, graph.tensor(port.tensor).type.nbytes, 0)
    for node in graph.nodes:
        step = step_of.get(node.name)
        if step is None:
            _share(buffers, slots, node.output, node.inputs[0])
        else:
            victim = _victim(node, step, program, slots, buffers, home)
            if victim is not None:
                _share(buffers, slots, node.output, victim)
                notes.append(f"step {step}: {graph.node_name(node)} in place")
            else:
                _open(buffers, slots, node.output, graph.tensor(node.output).type.nbytes, step)
    for name, slot in slots.items():
        buffers[slot.buffer].end = max(buffers[slot.buffer].end, home[name])
    placed = [
        Buffer(b.name, b.nbytes, LiveRange(b.start, min(b.end, last)), _ALIGN)
        for b in buffers.values()
    ]
    scratch = {s.index: f"scratch{s.index}" for s in program.steps if s.scratch_bytes}
    placed += [_scratch(s, scratch[s.index]) for s in program.steps if s.scratch_bytes]
    return Allocation(
        tuple(placed), MappingProxyType(slots), MappingProxyType(scratch), tuple(notes)
    )


def _homes(program: Program, step_of: dict[str, int], last: int) -> dict[str, int]:
    """For each activation: the step after the last that needs its value, views included.

    The application reads an output after the last step: one step more.
    """
    graph = program.graph
    end = {port.tensor: 1 for port in graph.inputs}
    for node in graph.nodes:
        for name in node.outputs:
            end[name] = step_of.get(node.name, -1) + 1
    for port in graph.outputs:
        end[port.tensor] = last + 1
    for node in reversed(graph.nodes):
        for name in graph.activations(node):
            need = step_of[node.name] + 1 if node.name in step_of else end[node.output]
            end[name] = max(end[name], need)
    return end


def _victim(
    node: Node,
    step: int,
    program: Program,
    slots: dict[str, Slot],
    buffers: dict[str, _Storage],
    home: dict[str, int],
) -> str | None:
    """The input whose bytes the output may take: it dies here, and so do its aliases."""
    graph = program.graph
    for i in node.op.inplace_inputs:
        name = node.inputs[i] if i < len(node.inputs) else ""
        if (
            name not in slots
            or graph.tensor(name).type.nbytes != graph.tensor(node.output).type.nbytes
        ):
            continue
        shared = buffers[slots[name].buffer].tensors
        if any(home[other] > step + 1 for other in shared):
            continue
        return name
    return None


def _open(
    buffers: dict[str, _Storage], slots: dict[str, Slot], tensor: str, nbytes: int, step: int
) -> None:
    buffers[tensor] = _Storage(tensor, nbytes, step, step + 1, [tensor])
    slots[tensor] = Slot(tensor)


def _share(buffers: dict[str, _Storage], slots: dict[str, Slot], tensor: str, source: str) -> None:
    slots[tensor] = slots[source]
    buffers[slots[source].buffer].tensors.append(tensor)


def _scratch(step: Step, name: str) -> Buffer:
    return Buffer(name, step.scratch_bytes, LiveRange(step.index, step.index + 1), _ALIGN)
