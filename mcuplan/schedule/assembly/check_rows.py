# SPDX-License-Identifier: Apache-2.0
"""Proves a plan by running it on names of bytes: every read finds what was written.

Knows the rows that kernels read and write, and where tensors lie; nothing of how the plan
came about. Every byte of a tensor has a number of its own. What a call reads must hold its
numbers when the call starts, and until the last row that reads it is made: rows are written
in the order in which the kernel makes them, each as soon as it is begun. Then the output holds
its numbers, and the scratch nothing but a copy of weights, which must stay for the next call.
"""

from __future__ import annotations

import numpy as np

from mcuplan.ir.graph import Node
from mcuplan.ir.staging import staged_bytes
from mcuplan.ir.types import Array
from mcuplan.schedule.program import FEED, Plan, Run, Step
from mcuplan.solvers.packing.check import PlanError

__all__ = ["check_rows"]

_SPOILED = -1
_PAIRS = 1 << 22  # of rows that are compared at once


def check_rows(plan: Plan, *, keep_inputs: bool = False) -> None:
    """Raise unless every run, and the application at the end, reads what it should.

    Raises:
        PlanError: lists the first bad read of each tensor of each run.
    """
    machine, graph, steps = _Machine(plan), plan.program.graph, plan.program.steps
    _name_all(plan, machine)
    if not any(run.step == FEED for run in plan.runs):
        for port in graph.inputs:
            machine.write(port.tensor, range(graph.tensor(port.tensor).type.rows))
    wanted = {step.index: _count(step) for step in steps}
    reached: dict[int, int] = {}
    for number, run in enumerate(plan.runs):
        goes_on = run.end > run.first or not wanted.get(run.step, 1)  # without elements: no rows
        if run.first != reached.get(run.step, 0) or not goes_on:
            machine.violations.append(f"run {number}: step {run.step} does not go on there")
        reached[run.step] = run.end
        if run.step == FEED:
            machine.write(graph.inputs[0].tensor, range(run.first, run.end))
        else:
            machine.advance(steps[run.step].in_forms[run.form], number, run)
    if FEED in reached:
        wanted[FEED] = graph.tensor(graph.inputs[0].tensor).type.rows
    for index, rows in wanted.items():
        if reached.get(index, 0) != rows:
            machine.violations.append(f"step {index}: {reached.get(index, 0)} of {rows} rows")
    machine.leave_states()
    for port in (*graph.app_outputs, *(graph.app_inputs if keep_inputs else ())):
        machine.read(port.tensor, range(graph.tensor(port.tensor).type.rows), "the end")
    machine.call_again()
    if machine.violations:
        raise PlanError(machine.violations)


def _name_all(plan: Plan, machine: _Machine) -> None:
    """Numbers for the bytes of all activations; those of a view are those of its inputs."""
    made = {step.node.name for step in plan.program.steps}
    for port in plan.program.graph.inputs:
        machine.name(port.tensor)
    for node in plan.program.graph.nodes:
        if node.name in made:
            for name in node.outputs:
                machine.name(name)
        else:
            machine.look(node)


def _count(step: Step) -> int:
    """Rows that the runs of a step cover: those of its output, or of what it gathers."""
    kinds = step.signature.inputs if step.node.op.gathers else (step.signature.output,)
    return kinds[0].rows


def _last_reads(step: Step, index: int, rows: range) -> tuple[Array, Array]:
    """Rows of an input that output rows read, and the position of the last of those in ``rows``."""
    last = np.full(step.signature.inputs[index].rows, -1)
    for position, spans in enumerate(step.signature.rows_read(index)[_index(rows)].tolist()):
        for first, end in spans:
            last[first:end] = position
    read = np.flatnonzero(last >= 0)
    return read, last[read]


class _Machine:
    """Arenas, one behind the other, filled with numbers of bytes."""

    def __init__(self, plan: Plan) -> None:
        self.violations: list[str] = []
        self._plan, self._graph = plan, plan.program.graph
        tensors = plan.program.graph.tensors.values()
        count = sum(t.type.nbytes for t in tensors if t.data is None)
        sums = sum(_count(s) * s.signature.output.nbytes for s in plan.program.steps)
        self._numbers_as = np.int32 if count + sums < 2**31 else np.int64
        self._places: dict[str, int] = {}
        size = 0
        for memory in plan.memory.values():
            for placement in memory.placements:
                end = placement.offset + placement.buffer.nbytes
                if placement.offset < 0 or end > memory.arena_bytes:
                    raise PlanError([f"{placement.buffer.name!r} lies outside of its arena"])
                self._places[placement.buffer.name] = size + placement.offset
            size += memory.arena_bytes
        self._arena: Array = np.full(size, _SPOILED, self._numbers_as)
        self._copies: dict[int, Array] = {}
        self._sizes = {b.name: b.nbytes for b in plan.allocation.buffers}
        self._starts: dict[str, Array] = {}
        self._numbers: dict[str, Array] = {}
        self._next = 0
        self._sums: dict[str, Array] = {}  # what a sum that grows holds by now

    def name(self, tensor: str) -> None:
        """Numbers for the bytes of a tensor."""
        kind = self._graph.tensor(tensor).type
        self._numbers[tensor] = self._fresh(kind.nbytes).reshape(kind.rows, kind.row_bytes)

    def _fresh(self, count: int) -> Array:
        self._next += count
        return np.arange(self._next - count, self._next, dtype=self._numbers_as)

    def look(self, node: Node) -> None:
        """A view: its bytes are those of its inputs, rearranged as the operator says."""
        made: list[Array] = []
        kind = self._graph.tensor(node.output).type
        for byte in range(kind.dtype.nbytes()):  # of each element
            parts = [
                self._numbers[n]
                .reshape(-1, kind.dtype.nbytes())[:, byte]
                .reshape(self._graph.tensor(n).type.shape)
                for n in node.inputs
            ]
            made += node.op.reference(*parts)
        self._numbers[node.output] = np.stack(made, -1).reshape(kind.rows, kind.row_bytes)

    def starts(self, tensor: str) -> Array:
        """Where each row of a tensor lies."""
        if tensor not in self._starts:
            kind, slots = self._graph.tensor(tensor).type, self._plan.allocation.rows[tensor]
            inner = np.array([slot.offset for slot in slots])
            base = np.array([self._places[slot.buffer] for slot in slots])
            if len(slots) == 1:
                inner = inner + np.arange(kind.rows) * kind.row_bytes
            room = np.array([self._sizes[slot.buffer] for slot in slots])
            if (inner < 0).any() or (inner + kind.row_bytes > room).any():
                raise PlanError([f"{tensor!r} is larger than its buffer"])
            self._starts[tensor] = base + inner
        return self._starts[tensor]

    def write(self, tensor: str, rows: range) -> None:
        """Rows are written, one after the other."""
        starts, numbers = self.starts(tensor)[_index(rows)], self._numbers[tensor][_index(rows)]
        self._arena[_bytes(starts, numbers.shape[1])] = numbers.ravel()

    def read(self, tensor: str, rows: range, where: str) -> None:
        """Look at rows; records a violation if they are not what was written."""
        bad = np.flatnonzero(self._stale(tensor, _index(rows)))
        if len(bad):
            self.violations.append(f"{where}: row {rows[bad[0]]} of {tensor!r} is overwritten")

    def leave_states(self) -> None:
        """States go to where the next call finds them, one after the other."""
        for state in self._graph.states:
            read, written = state.read.tensor, state.written.tensor
            self.read(written, range(len(self._numbers[written])), f"state {state.name!r}")
            self._arena[self._bytes_of(read)] = self._numbers[written].ravel()

    def call_again(self) -> None:
        """Between calls nothing outlasts but states; then the inputs are there."""
        held = np.full(len(self._arena), _SPOILED, self._numbers_as)
        for state in self._graph.states:
            read, now = state.read.tensor, self._numbers[state.written.tensor]
            held[self._bytes_of(read)] = self._arena[self._bytes_of(read)]
            self._numbers[read] = now.reshape(self._numbers[read].shape)
        self._arena = held
        for port in self._graph.app_inputs if self._graph.states else ():
            self.write(port.tensor, range(len(self._numbers[port.tensor])))
        for state in self._graph.states:
            read = state.read.tensor
            self.read(read, range(len(self._numbers[read])), "the next call")

    def _bytes_of(self, tensor: str) -> Array | slice:
        """Where all bytes of a tensor lie."""
        return _bytes(self.starts(tensor), self._numbers[tensor].shape[1])

    def _stale(self, tensor: str, rows: Array | slice) -> Array:
        """Which of some rows do not hold their numbers."""
        starts, numbers = self.starts(tensor)[rows], self._numbers[tensor][rows]
        found = self._arena[_bytes(starts, numbers.shape[1])].reshape(numbers.shape)
        if np.array_equal(found, numbers):
            return np.zeros(len(starts), bool)
        stale: Array = (found != numbers).any(1)
        return stale

    def advance(self, step: Step, number: int, run: Run) -> None:
        """Some rows of a step, or all of it where its kernel promises no order of rows."""
        where = f"run {number}, step {step.index}"
        if step.node.op.gathers:
            self._gather(step, number, run, where)
            return
        rows = range(run.first, run.end)
        if not step.kernel.row_by_row and len(rows) != step.signature.output.rows:
            self.violations.append(f"{where}: runs only as a whole")
        rows = rows[::-1] if run.descending else rows
        scratch = self._scratch(step, number)
        for made, width in self._made(step, rows):
            if (_overlap(made, width, *scratch)).any():
                self.violations.append(f"{where}: scratch lies in the output")
        for call in step.calls:
            for index in call.inputs:
                if step.signature.constants[index] is None:
                    self._operand(step, index, rows, scratch, where)
            self._spoil_scratch(step, run, scratch, where)
            for name in step.node.outputs:
                self.write(name, self._rows_of(step, name, rows))
        if run.end == step.rows:
            for index in step.node.op.changes:
                self._arena[self._bytes_of(step.node.inputs[index])] = _SPOILED
        for name in step.node.outputs if len(step.node.outputs) > 1 else ():
            self.read(name, self._rows_of(step, name, range(run.first, run.end)), where)

    def _rows_of(self, step: Step, output: str, rows: range) -> range:
        """Rows of an output that come with some of the first: all of one that has others."""
        count = len(self._numbers[output])
        return rows if count == step.signature.output.rows else range(count)

    def _made(self, step: Step, rows: range) -> list[tuple[Array, int]]:
        """Where rows of each output lie, in the order in which they are made, and their bytes."""
        pairs = zip(step.node.outputs, step.signature.outputs, strict=True)
        return [
            (self.starts(name)[_index(self._rows_of(step, name, rows))], kind.row_bytes)
            for name, kind in pairs
        ]

    def _operand(
        self, step: Step, index: int, rows: range, scratch: tuple[int, int], where: str
    ) -> None:
        """What a call reads of an input is there, and stays until it was read."""
        sig, name = step.signature, step.node.inputs[index]
        read, last = _last_reads(step, index, rows)
        starts, width = self.starts(name)[read], sig.inputs[index].row_bytes
        each = self._made(step, rows)
        (made, _), *_ = each
        begun: Array = np.full(len(starts), len(rows))
        for at, size in each:
            from_row = _first_overlap(starts, width, at, size)
            from_row[(from_row < len(at)) & (len(at) != len(rows))] = 0  # any row at any time
            begun = np.minimum(begun, from_row)
        if not step.kernel.row_by_row:  # everything is begun with the first row
            begun = np.where(begun < len(rows), 0, begun)
        bad = (begun <= last) | _overlap(starts, width, *scratch)
        if bad.any() and index in step.inplace_inputs and width == sig.output.row_bytes:
            replaced = (np.array(rows)[last] == read) & (made[last] == starts)
            bad &= ~((begun == last) & replaced)
        bad |= self._stale(name, read)
        if bad.any():
            worst = int(np.flatnonzero(bad)[np.argmin(last[bad])])
            place = f"{where} row {rows[last[worst]]}"
            self.violations.append(f"{place}: row {read[worst]} of {name!r} is overwritten")

    def _scratch(self, step: Step, number: int) -> tuple[int, int]:
        """Start and bytes of the scratch of a run."""
        if not step.scratch_bytes:
            return 0, 0
        name = self._plan.allocation.scratch[number]
        if step.scratch_bytes > self._sizes[name]:
            raise PlanError([f"scratch of step {step.index} is larger than its buffer"])
        return self._places[name], step.scratch_bytes

    def _spoil_scratch(self, step: Step, run: Run, scratch: tuple[int, int], where: str) -> None:
        """A call leaves anything there; copies of weights are made by the first, and stay."""
        start, size = scratch
        copied = staged_bytes(step.kernel, step.signature) if step.kernel.staged else 0
        begin, end = start + size - copied, start + size
        self._arena[start:begin] = _SPOILED
        if not copied:
            return
        first = run.end == step.rows if run.descending else run.first == 0
        if first and step.index not in self._copies:
            self._copies[step.index] = self._arena[begin:end] = self._fresh(copied)
        elif not np.array_equal(self._arena[begin:end], self._copies.get(step.index, ())):
            self.violations.append(f"{where}: the copy of the weights is overwritten")

    def _gather(self, step: Step, number: int, run: Run, where: str) -> None:
        """Add rows of the input to a sum, which must hold the rows before them.

        What other inputs hold is read with the first row.
        """
        source, output = step.node.inputs[0], step.node.output
        size = step.signature.output.nbytes
        sum_bytes = _bytes(self.starts(output), size)
        start, room = self._scratch(step, number)
        if _overlap(self.starts(output), size, start, room).any():
            self.violations.append(f"{where}: scratch lies in the output")
        for y in range(run.first, run.end):
            if y and not np.array_equal(self._arena[sum_bytes], self._sums.get(output, ())):
                self.violations.append(f"{where} row {y}: the sum {output!r} is overwritten")
            if not y:
                self._begin(step, where)
                self._arena[sum_bytes] = _SPOILED
            self._spoil_scratch(step, run, (start, room), f"{where} row {y}")
            self.read(source, range(y, y + 1), f"{where} row {y}")
            self._sums[output] = self._fresh(size)
            self._arena[sum_bytes] = self._sums[output]
        if run.end == _count(step):
            self.write(output, range(1))

    def _begin(self, step: Step, where: str) -> None:
        """What a sum begins with is there."""
        for index in {i for call in step.calls for i in call.inputs} - {0}:
            if step.signature.constants[index] is None:
                name = step.node.inputs[index]
                self.read(name, range(len(self._numbers[name])), where)


def _index(rows: range) -> Array | slice:
    """Rows as numpy takes them."""
    return slice(rows.start, rows.stop) if rows.step == 1 else np.array(rows)


def _bytes(starts: Array, width: int) -> Array | slice:
    """The bytes of rows, one after the other."""
    count = len(starts)
    if count and (count == 1 or (np.diff(starts) == width).all()):
        return slice(starts[0], starts[0] + count * width)
    return (starts[:, None] + np.arange(width)).ravel()


def _overlap(starts: Array, width: int, start: int, size: int) -> Array:
    """Which rows share bytes with a piece of memory."""
    return (starts < start + size) & (start < starts + width) & (size > 0)


def _first_overlap(starts: Array, width: int, made: Array, size: int) -> Array:
    """For each row the position of the first that is made in its bytes; behind all: none."""
    found = np.full(len(starts), len(made))
    if not (len(starts) and len(made) and width and size):
        return found
    steps = np.diff(made)
    if (steps >= 0).all():
        return _met(starts, width, made, size, np.searchsorted(made, starts - size, "right"))
    if (steps <= 0).all():
        first = len(made) - np.searchsorted(made[::-1], starts + width, "left")
        return _met(starts, width, made, size, first)
    near = (starts < made.max() + size) & (made.min() < starts + width)
    rows = np.flatnonzero(near)
    for some in np.array_split(rows, 1 + len(rows) * len(made) // _PAIRS) if len(rows) else ():
        low = starts[some, None]
        shared = (low < made + size) & (made < low + width)
        found[some] = np.where(shared.any(1), shared.argmax(1), len(made))
    return found


def _met(starts: Array, width: int, made: Array, size: int, first: Array) -> Array:
    """``first`` where that row is met; in order of place no later one is if it is not."""
    low = made[np.minimum(first, len(made) - 1)]
    met = (first < len(made)) & (starts < low + size) & (low < starts + width)
    return np.where(met, first, len(made))
