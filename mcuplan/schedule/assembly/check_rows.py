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
from mcuplan.ir.op import Call
from mcuplan.ir.types import Array, TensorType
from mcuplan.schedule.program import FEED, Plan, Run, Step
from mcuplan.solvers.packing.check import PlanError

__all__ = ["check_rows"]

_SPOILED = -1
_MANY_ROWS = 256  # of a call: more, and what it cannot overwrite is looked at once


def check_rows(plan: Plan, *, keep_inputs: bool = False) -> None:
    """Raise unless every step, and the application at the end, reads what it should.

    Raises:
        PlanError: lists the first bad read of each tensor of each step.
    """
    machine = _Machine(plan)
    graph = plan.program.graph
    if plan.runs:
        _by_runs(plan, machine)
    else:
        _by_steps(plan, machine)
    for port in (*graph.outputs, *(graph.inputs if keep_inputs else ())):
        kind = graph.tensor(port.tensor).type
        machine.read(port.tensor, 0, kind.rows, "the end")
    if machine.violations:
        raise PlanError(machine.violations)


def _by_steps(plan: Plan, machine: _Machine) -> None:
    """Every step as a whole, in order."""
    steps = {step.node.name: step for step in plan.program.steps}
    for port in plan.program.graph.inputs:
        machine.write(port.tensor)
    for node in plan.program.graph.nodes:
        if node.name in steps:
            machine.run(steps[node.name])
        else:
            machine.look(node)


def _by_runs(plan: Plan, machine: _Machine) -> None:
    """Runs of rows in their order; each step makes all of its rows, from the first on."""
    graph, steps = plan.program.graph, plan.program.steps
    made = {step.node.name for step in steps}
    for port in graph.inputs:
        machine.name(port.tensor)
    for node in graph.nodes:
        if node.name in made:
            machine.name(node.output)
        else:
            machine.look(node)
    if not any(run.step == FEED for run in plan.runs):
        for port in graph.inputs:
            machine.put(port.tensor)
    reached: dict[int, int] = {}
    for number, run in enumerate(plan.runs):
        if run.first != reached.get(run.step, 0) or run.end <= run.first:
            machine.violations.append(f"run {number}: step {run.step} does not go on there")
        reached[run.step] = run.end
        if run.step == FEED:
            for row in range(run.first, run.end):
                machine.feed(graph.inputs[0].tensor, row)
        else:
            machine.advance(steps[run.step], number, run)
    wanted = {step.index: _count(step) for step in steps}
    if FEED in reached:
        wanted[FEED] = graph.tensor(graph.inputs[0].tensor).type.rows
    for number, rows in wanted.items():
        if reached.get(number, 0) != rows:
            machine.violations.append(f"step {number}: {reached.get(number, 0)} of {rows} rows")


def _count(step: Step) -> int:
    """Rows that the runs of a step cover: those of its output, or of what it gathers."""
    kinds = step.signature.inputs if step.node.op.gathers else (step.signature.output,)
    return kinds[0].rows


class _Machine:
    """Arenas filled with numbers of bytes."""

    def __init__(self, plan: Plan) -> None:
        self.violations: list[str] = []
        self._plan, self._graph = plan, plan.program.graph
        tensors = plan.program.graph.tensors.values()
        count = sum(t.type.nbytes for t in tensors if t.data is None)
        sums = sum(_count(s) * s.signature.output.nbytes for s in plan.program.steps)
        self._numbers_as = np.int32 if count + sums < 2**31 else np.int64
        self._arenas: dict[str, Array] = {}
        self._places: dict[str, tuple[str, int]] = {}
        for region, memory in plan.memory.items():
            self._arenas[region] = np.full(memory.arena_bytes, _SPOILED, self._numbers_as)
            for placement in memory.placements:
                self._places[placement.buffer.name] = (region, placement.offset)
        self._numbers: dict[str, Array] = {}
        self._widths: dict[str, int] = {}
        self._next = 0
        self._sums: dict[str, Array] = {}  # what a sum that grows holds by now

    def write(self, tensor: str) -> None:
        """A whole tensor is written at once."""
        self.name(tensor)
        self.put(tensor)

    def feed(self, tensor: str, row: int) -> None:
        """A row of the input arrives."""
        self._row(tensor, row)[:] = self._numbers[tensor][row]

    def advance(self, step: Step, number: int, run: Run) -> None:
        """Some rows of a step, or all of it where its kernel promises no order of rows."""
        where, bad = f"run {number}, step {step.index}", set[int]()
        if step.node.op.gathers:
            self._gather(step, run, where)
            return
        whole = (run.first, run.end) == (0, step.signature.output.rows)
        if not step.kernel.row_by_row and not whole:
            self.violations.append(f"{where}: runs only as a whole")
        scratch = self._scratch(step, number)
        for call in step.calls:
            self._call(step, call, range(run.first, run.end), scratch, where, bad)
        for y in range(run.first, run.end):
            self.feed(step.node.output, y)

    def _gather(self, step: Step, run: Run, where: str) -> None:
        """Add rows of the input to a sum, which must hold the rows before them."""
        source, output = step.node.inputs[0], step.node.output
        last = _count(step) - 1
        for y in range(run.first, run.end):
            before = self._sums.get(output, np.zeros(0))
            if y and not np.array_equal(self._row(output, 0), before):
                self.violations.append(f"{where} row {y}: the sum {output!r} is overwritten")
            if not y:
                self._row(output, 0)[:] = _SPOILED
            self.read(source, y, y + 1, f"{where} row {y}")
            size = self._kind(output).nbytes
            self._sums[output] = np.arange(self._next, self._next + size, dtype=self._numbers_as)
            self._next += size
            self._row(output, 0)[:] = self._sums[output]
            if y == last:
                self.feed(output, 0)

    def read(self, tensor: str, first: int, end: int, where: str) -> bool:
        """Look at rows; records a violation if they are not what was written."""
        for row in range(first, end):
            if not np.array_equal(self._row(tensor, row), self._numbers[tensor][row]):
                self.violations.append(f"{where}: row {row} of {tensor!r} is overwritten")
                return False
        return True

    def look(self, node: Node) -> None:
        """A view: its bytes are those of its inputs, rearranged as the operator says."""
        made: list[Array] = []
        kind = self._kind(node.output)
        for byte in range(kind.dtype.nbytes()):  # of each element
            parts = [
                self._numbers[n]
                .reshape(-1, kind.dtype.nbytes())[:, byte]
                .reshape(self._kind(n).shape)
                for n in node.inputs
            ]
            made += node.op.reference(*parts)
        self._numbers[node.output] = np.stack(made, -1).reshape(kind.rows, kind.row_bytes)

    def run(self, step: Step) -> None:
        """One step; a kernel that promises no order of rows writes everything first."""
        output, rows = step.node.output, range(step.signature.output.rows)
        self.name(output)
        scratch, bad = self._scratch(step, step.index), set[int]()
        falling = step.index in self._plan.descending
        for call in step.calls:
            order = tuple(reversed(rows)) if falling else rows
            self._call(step, call, order, scratch, f"step {step.index}", bad)
        if not step.kernel.row_by_row:
            self.put(output)

    def _call(
        self,
        step: Step,
        call: Call,
        rows: Sequence[int],
        scratch: Array,
        where: str,
        bad: set[int],
    ) -> None:
        """One call: each row is spoiled, what it reads is looked at, then it is written."""
        output = step.node.output
        active = [i for i in call.inputs if step.signature.constants[i] is None]
        if len(rows) > _MANY_ROWS:
            apart = [i for i in active if self._apart(step, i, scratch)]
            for index in apart:
                self._inspect_once(step, index, rows, where)
            active = [i for i in active if i not in apart]
        for y in rows:
            replaced = [i for i in active if self._replaced(step, i, y)]
            self._inspect(step, replaced, y, where, bad)
            for row in (y,) if step.kernel.row_by_row else range(step.signature.output.rows):
                self._row(output, row)[:] = _SPOILED
            scratch[:] = _SPOILED
            self._inspect(step, [i for i in active if i not in replaced], y, where, bad)
            self._row(output, y)[:] = self._numbers[output][y]

    def _apart(self, step: Step, index: int, scratch: Array) -> bool:
        """Whether nothing that a step writes lies among the bytes of an input."""
        source = self._extent(step.node.inputs[index])
        written = (*self._extent(step.node.output), scratch)
        return not any(np.may_share_memory(one, other) for one in source for other in written)

    def _extent(self, tensor: str) -> tuple[Array, ...]:
        """All bytes of each arena between the first and the last one of a tensor."""
        starts: dict[str, list[int]] = {}
        for row in range(self._kind(tensor).rows):
            region, start = self._at(tensor, row)
            starts.setdefault(region, []).append(start)
        width = self._row_bytes(tensor)
        return tuple(self._arenas[r][min(s) : max(s) + width] for r, s in starts.items())

    def _inspect_once(self, step: Step, index: int, rows: Sequence[int], where: str) -> None:
        """Look at all that a call reads of an input whose bytes it leaves alone."""
        spans = np.unique(step.signature.rows_read(index)[list(rows)].reshape(-1, 2), axis=0)
        for row in sorted({row for first, end in spans.tolist() for row in range(first, end)}):
            if not self.read(step.node.inputs[index], row, row + 1, where):
                return

    def _inspect(
        self, step: Step, indices: Sequence[int], y: int, where: str, bad: set[int]
    ) -> None:
        for index in indices:
            if index in bad:
                continue
            spans = step.signature.rows_read(index)[y].tolist()
            name, at = step.node.inputs[index], f"{where} row {y}"
            if not all(self.read(name, first, end, at) for first, end in spans):
                bad.add(index)

    def _replaced(self, step: Step, index: int, y: int) -> bool:
        """Whether the kernel may, and does, replace this operand element by element."""
        kinds = step.signature.inputs[index], step.signature.output
        same = kinds[0].row_bytes == kinds[1].row_bytes and y < kinds[0].rows
        if index not in step.inplace_inputs or not same:
            return False
        return self._at(step.node.output, y) == self._at(step.node.inputs[index], y)

    def put(self, tensor: str) -> None:
        """All rows of a tensor are there."""
        for row in range(self._kind(tensor).rows):
            self._row(tensor, row)[:] = self._numbers[tensor][row]

    def name(self, tensor: str) -> None:
        """Numbers for the bytes of a tensor."""
        kind = self._kind(tensor)
        numbers = np.arange(self._next, self._next + kind.nbytes, dtype=self._numbers_as)
        self._numbers[tensor] = numbers.reshape(kind.rows, kind.row_bytes)
        self._next += kind.nbytes

    def _row_bytes(self, tensor: str) -> int:
        """Bytes of a row, worked out once."""
        if tensor not in self._widths:
            self._widths[tensor] = self._kind(tensor).row_bytes
        return self._widths[tensor]

    def _kind(self, tensor: str) -> TensorType:
        return self._graph.tensor(tensor).type

    def _at(self, tensor: str, row: int) -> tuple[str, int]:
        """Where a row lies."""
        allocation = self._plan.allocation
        apart = allocation.rows.get(tensor)
        slot = apart[row] if apart else allocation.slots[tensor]
        region, offset = self._places[slot.buffer]
        inner = 0 if apart else row * self._row_bytes(tensor)
        return region, offset + slot.offset + inner

    def _row(self, tensor: str, row: int) -> Array:
        """The bytes of a row in the arena."""
        region, start = self._at(tensor, row)
        found: Array = self._arenas[region][start : start + self._row_bytes(tensor)]
        return found

    def _scratch(self, step: Step, key: int) -> Array:
        if not step.scratch_bytes:
            return np.zeros(0, np.int64)
        region, offset = self._places[self._plan.allocation.scratch[key]]
        found: Array = self._arenas[region][offset : offset + step.scratch_bytes]
        return found
