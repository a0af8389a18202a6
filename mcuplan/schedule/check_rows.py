# SPDX-License-Identifier: Apache-2.0
"""Proves a plan by running it row by row on names of bytes: every read finds what was written.

Knows the rows that kernels read and write, and where tensors lie; nothing of how the plan
came about. Every byte of a tensor has a number of its own. A step spoils the row it is
about to write, then looks at the rows it reads, then writes the numbers of its output.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.ir.graph import Node
from mcuplan.ir.types import Array, TensorType
from mcuplan.memory.check import PlanError
from mcuplan.schedule.program import Plan, Step

__all__ = ["check_rows"]

_SPOILED = -1


def check_rows(plan: Plan, *, keep_inputs: bool = False) -> None:
    """Raise unless every step, and the application at the end, reads what it should.

    Raises:
        PlanError: lists the first bad read of each tensor of each step.
    """
    machine = _Machine(plan)
    steps = {step.node.name: step for step in plan.program.steps}
    graph = plan.program.graph
    for port in graph.inputs:
        machine.write(port.tensor)
    for node in graph.nodes:
        if node.name in steps:
            machine.run(steps[node.name])
        else:
            machine.look(node)
    for port in (*graph.outputs, *(graph.inputs if keep_inputs else ())):
        kind = graph.tensor(port.tensor).type
        machine.read(port.tensor, 0, kind.rows, "the end")
    if machine.violations:
        raise PlanError(machine.violations)


class _Machine:
    """Arenas filled with numbers of bytes."""

    def __init__(self, plan: Plan) -> None:
        self.violations: list[str] = []
        self._plan, self._graph = plan, plan.program.graph
        self._arenas: dict[str, Array] = {}
        self._places: dict[str, tuple[str, int]] = {}
        for region, memory in plan.memory.items():
            self._arenas[region] = np.full(memory.arena_bytes, _SPOILED, np.int64)
            for placement in memory.placements:
                self._places[placement.buffer.name] = (region, placement.offset)
        self._numbers: dict[str, Array] = {}
        self._next = 0

    def write(self, tensor: str) -> None:
        """A whole tensor is written at once."""
        self._name(tensor)
        self._put(tensor)

    def read(self, tensor: str, first: int, end: int, where: str) -> bool:
        """Look at rows; records a violation if they are not what was written."""
        for row in range(first, end):
            if not np.array_equal(self._row(tensor, row), self._numbers[tensor][row]):
                self.violations.append(f"{where}: row {row} of {tensor!r} is overwritten")
                return False
        return True

    def look(self, node: Node) -> None:
        """A view: its bytes are those of its inputs, rearranged as the operator says."""
        parts = [self._numbers[n].reshape(self._kind(n).shape) for n in node.inputs]
        (made,) = node.op.reference(*parts)
        kind = self._kind(node.output)
        self._numbers[node.output] = made.reshape(kind.rows, kind.row_bytes)

    def run(self, step: Step) -> None:
        """One step; a kernel that promises no order of rows writes everything first."""
        output, rows = step.node.output, step.signature.output.rows
        self._name(output)
        scratch, bad = self._scratch(step), set[int]()
        falling = step.index in self._plan.descending
        for call in step.calls:
            active = [i for i in call.inputs if step.signature.constants[i] is None]
            replaced = [i for i in active if self._replaced(step, i)]
            others = [i for i in active if i not in replaced]
            for y in reversed(range(rows)) if falling else range(rows):
                self._inspect(step, replaced, y, bad)
                for row in (y,) if step.kernel.row_by_row else range(rows):
                    self._row(output, row)[:] = _SPOILED
                scratch[:] = _SPOILED
                self._inspect(step, others, y, bad)
                self._row(output, y)[:] = self._numbers[output][y]
        if not step.kernel.row_by_row:
            self._put(output)

    def _inspect(self, step: Step, indices: Sequence[int], y: int, bad: set[int]) -> None:
        signature = step.signature
        for index in indices:
            if index not in bad:
                first, end = step.node.op.rows_read(index, y, signature.inputs, signature.output)
                if not self.read(step.node.inputs[index], first, end, f"step {step.index} row {y}"):
                    bad.add(index)

    def _replaced(self, step: Step, index: int) -> bool:
        """Whether the kernel may, and does, replace this operand element by element."""
        mine, other = self._at(step.node.output), self._at(step.node.inputs[index])
        same = step.signature.inputs[index].row_bytes == step.signature.output.row_bytes
        return index in step.inplace_inputs and mine == other and same

    def _put(self, tensor: str) -> None:
        for row in range(self._kind(tensor).rows):
            self._row(tensor, row)[:] = self._numbers[tensor][row]

    def _name(self, tensor: str) -> None:
        kind = self._kind(tensor)
        numbers = np.arange(self._next, self._next + kind.nbytes)
        self._numbers[tensor] = numbers.reshape(kind.rows, kind.row_bytes)
        self._next += kind.nbytes

    def _kind(self, tensor: str) -> TensorType:
        return self._graph.tensor(tensor).type

    def _at(self, tensor: str) -> tuple[str, int]:
        slot = self._plan.allocation.slots[tensor]
        region, offset = self._places[slot.buffer]
        return region, offset + slot.offset

    def _row(self, tensor: str, row: int) -> Array:
        """The bytes of a row in the arena."""
        region, offset = self._at(tensor)
        size = self._kind(tensor).row_bytes
        start = offset + row * size
        found: Array = self._arenas[region][start : start + size]
        return found

    def _scratch(self, step: Step) -> Array:
        if not step.scratch_bytes:
            return np.zeros(0, np.int64)
        region, offset = self._places[self._plan.allocation.scratch[step.index]]
        found: Array = self._arenas[region][offset : offset + step.scratch_bytes]
        return found
