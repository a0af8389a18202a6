# SPDX-License-Identifier: Apache-2.0
"""A program as rows: which steps can run row by row, and which tensors must stay in one piece.

A step is row-local when its kernel takes its rows from anywhere, one call after the other. It
reads some inputs by rows; an input that every row of the output needs all of is held in one
piece. Every other step is one move that reads and makes everything, and what it touches lies in
one piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mcuplan.errors import UsageError
from mcuplan.ir.geometry import ALL, hulls
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import TensorType
from mcuplan.schedule.assembly.aliases import Aliases
from mcuplan.schedule.assembly.liveness import aliases_of
from mcuplan.schedule.program import FEED, Program, Sharing, Step
from mcuplan.solvers.rows.problem import Move, RowGraph, RowStep, RowTensor

__all__ = ["RowProgram", "check_feedable", "has_too_many_rows", "is_row_local", "row_program"]

_MOST_ROWS = 2_000  # that steps make one by one: with more, the search takes minutes
_MOST_READ = 50_000  # rows that they read, each as often as it is read


@dataclass(frozen=True, slots=True)
class RowProgram:
    """A program as rows, and the way back.

    Attributes:
        graph: what the search for an order knows.
        program: the steps behind it.
        aliases: the storage of each activation; a row tensor is a storage.
        tensors: index of a row tensor, by the name of its storage.
        steps: for each row step the step of the program, or ``FEED``.
        runs: for each row step and move the rows ``(first, end)`` of the run.
    """

    graph: RowGraph
    program: Program
    aliases: Aliases
    tensors: Mapping[str, int]
    steps: tuple[int, ...]
    runs: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def resident(self) -> tuple[str, ...]:
        """Storages of the inputs that lie in memory from the start."""
        fed = {self.graph.steps[i].output for i, step in enumerate(self.steps) if step == FEED}
        names = (self.aliases.slots[port.tensor].buffer for port in self.program.graph.inputs)
        return tuple(name for name in dict.fromkeys(names) if self.tensors[name] not in fed)


def is_row_local(step: Step) -> bool:
    """Whether a step can make its output row by row from rows that lie anywhere.

    Not where nothing is known but that each element needs everything, and not of several outputs,
    whose rows would have to come together.
    """
    tells = any(axis_map != ALL for own in step.signature.maps for axis_map in own)
    if not (step.kernel.row_by_row and tells) or len(step.node.outputs) > 1:
        return False
    return step.node.op.gathers or step.signature.output.rows > 1 or not _held(step)


def _held(step: Step) -> tuple[int, ...]:
    """Inputs of several rows that every row of the output is made from all of."""
    kinds = step.signature.inputs
    if step.node.op.gathers:
        return tuple(i for i in _read(step)[1:] if kinds[i].rows > 1)
    return tuple(i for i in _read(step) if kinds[i].rows > 1 and _reads_all(step, i))


def _reads_all(step: Step, index: int) -> bool:
    first, end = hulls(step.signature.rows_read(index))
    return bool((first == 0).all() and (end == step.signature.inputs[index].rows).all())


def _in_moves(step: Step, whole: frozenset[str]) -> bool:
    """Whether a step runs row by row; not for an output in one piece if its inputs are, too."""
    return is_row_local(step) and not (step.node.output in whole and _held(step))


def has_too_many_rows(program: Program) -> bool:
    """Whether an order of all rows would take too long to find."""
    whole = _in_one_piece(program, aliases_of(program), Sharing())
    local = [step for step in program.steps if _in_moves(step, whole)]
    made, read = sum(step.rows for step in local), sum(map(_read_count, local))
    return made > _MOST_ROWS or read > _MOST_READ


def check_feedable(program: Program, sharing: Sharing) -> None:
    """Refuse a program whose input cannot arrive row by row.

    Raises:
        UsageError: it has several inputs, or its input has no rows or is needed in one piece.
    """
    ports, graph = program.graph.inputs, program.graph
    where, hint = ", ".join(port.name for port in ports), "--streaming auto"

    def refuse(reason: str) -> UsageError:
        return UsageError(f"--streaming input: {reason}", where, hint)

    if len(ports) != 1:
        raise refuse(f"the model has {len(ports)} inputs, and rows of one can be fed")
    aliases = aliases_of(program)
    root = aliases.slots[ports[0].tensor].buffer
    if graph.tensor(root).type.rows < 2:
        raise refuse("the input has no rows")
    if sharing.keep_inputs:
        raise refuse("the input is to be kept")
    for step in program.steps:
        if root in _in_one_piece(replace(program, steps=(step,)), aliases, sharing):
            hint += ", or --io-layout nhwc to give rows of pixels"
            raise refuse(f"{graph.node_name(step.node)} needs all of it at once")
    if root in _in_one_piece(program, aliases, sharing):
        raise refuse("it is an output, too")
    if has_too_many_rows(program) or graph.tensor(root).type.rows > _MOST_ROWS:
        raise refuse("the layers have too many rows to find an order of them")


def row_program(program: Program, sharing: Sharing, *, feed: bool = False) -> RowProgram:
    """The rows of a program; ``feed``: those of its input arrive one by one."""
    graph, aliases = program.graph, aliases_of(program)
    whole = _in_one_piece(program, aliases, sharing)
    outputs = {aliases.slots[port.tensor].buffer for port in graph.outputs}
    inputs = {aliases.slots[port.tensor].buffer for port in graph.inputs}
    lasting = outputs | (inputs if sharing.keep_inputs else set())
    index = {name: i for i, name in enumerate(aliases.nbytes)}
    tensors = []
    for name in index:
        kind = graph.tensor(name).type
        lasts = name in lasting
        tensors.append(RowTensor(name, kind.rows, kind.row_bytes, name in whole, lasts))
    steps, numbers, runs = [], [], []
    if feed:
        root = index[aliases.slots[graph.inputs[0].tensor].buffer]
        rows = tensors[root].rows
        steps.append(RowStep("", root, tuple(Move((), y + 1) for y in range(rows))))
        numbers.append(FEED)
        runs.append(tuple((y, y + 1) for y in range(rows)))
    for step in program.steps:
        made = _row_step(step, graph, aliases, index, tensors, _in_moves(step, whole))
        steps.append(made)
        numbers.append(step.index)
        count = step.rows
        local = len(made.moves) > 1 or count == 1
        runs.append(tuple(_in_turn(step)) if local else ((0, count),))
    return RowProgram(
        RowGraph(tuple(tensors), tuple(steps)), program, aliases, index, tuple(numbers), tuple(runs)
    )


def _in_turn(step: Step) -> Iterator[tuple[int, int]]:
    """Rows that the kernel of a row-local step makes together, one move after the other."""
    count, tall = step.rows, step.kernel.tall
    return ((y, min(y + tall, count)) for y in range(0, count, tall))


def _read(step: Step) -> tuple[int, ...]:
    """Inputs of a step that its calls read from the arena, each once."""
    found = (i for call in step.calls for i in call.inputs if step.signature.constants[i] is None)
    return tuple(dict.fromkeys(found))


def _read_count(step: Step) -> int:
    """Rows that the runs of a row-local step read together."""
    if step.node.op.gathers:
        return step.rows
    spans = (step.signature.rows_read(i) for i in _read(step))
    return sum(int((span[..., 1] - span[..., 0]).sum()) for span in spans)


def _in_one_piece(program: Program, aliases: Aliases, sharing: Sharing) -> frozenset[str]:
    """Storages of several rows that must lie one behind the other."""
    graph = program.graph
    found = {aliases.slots[port.tensor].buffer for port in graph.outputs}
    if sharing.keep_inputs:
        found |= {aliases.slots[port.tensor].buffer for port in graph.inputs}
    for step in program.steps:
        local, needed = is_row_local(step), {step.node.inputs[i] for i in _held(step)}
        for name in (*graph.activations(step.node), *step.node.outputs):
            slot = aliases.slots[name]
            one, root = graph.tensor(name).type, graph.tensor(slot.buffer).type
            same = (one.rows, one.row_bytes, slot.offset) == (root.rows, root.row_bytes, 0)
            if not (local and same) or name in needed:
                found.add(slot.buffer)
    return frozenset(name for name in found if graph.tensor(name).type.rows > 1)


def _row_step(
    step: Step,
    graph: Graph,
    aliases: Aliases,
    index: Mapping[str, int],
    tensors: list[RowTensor],
    in_moves: bool,
) -> RowStep:
    output = index[step.node.output]
    moves = tuple(_moves(step, graph, aliases, index, in_moves))
    return RowStep(
        graph.node_name(step.node),
        output,
        moves,
        step.scratch_bytes,
        _replaced(step, graph, aliases, index, tensors, len(moves)),
    )


def _moves(
    step: Step, graph: Graph, aliases: Aliases, index: Mapping[str, int], in_moves: bool
) -> Iterator[Move]:
    op, signature, read = step.node.op, step.signature, _read(step)
    output, places = signature.output, {}
    for i in read:
        slot = aliases.slots[step.node.inputs[i]]
        sizes = signature.inputs[i].row_bytes, max(1, graph.tensor(slot.buffer).type.row_bytes)
        places[i] = (index[slot.buffer], slot.offset, *sizes)

    def rows(i: int, first: int, end: int) -> tuple[int, int, int]:
        """Rows of the storage behind rows of an input."""
        storage, offset, own, size = places[i]
        return storage, (offset + first * own) // size, -(-(offset + end * own) // size)

    if not in_moves:
        yield Move(tuple(rows(i, 0, signature.inputs[i].rows) for i in read), output.rows)
    elif op.gathers:
        count = signature.inputs[read[0]].rows
        for y in range(count):
            others = read[1:] if y == 0 else ()  # what the output begins with
            first = (rows(i, 0, signature.inputs[i].rows) for i in others)
            yield Move((rows(read[0], y, y + 1), *first), int(y + 1 == count))
    else:
        spans = [(i, signature.rows_read(i).tolist()) for i in read]
        for y, end in _in_turn(step):
            found = (rows(i, *span) for i, by_row in spans for own in by_row[y:end] for span in own)
            yield Move(tuple(dict.fromkeys(one for one in found if one[1] < one[2])), end)


def _replaced(
    step: Step,
    graph: Graph,
    aliases: Aliases,
    index: Mapping[str, int],
    tensors: list[RowTensor],
    moves: int,
) -> int:
    """The tensor whose rows the output may take over one by one."""
    output = tensors[index[step.node.output]]
    if output.whole or moves != output.rows:
        return -1
    for i in step.inplace_inputs:
        slot = aliases.slots.get(step.node.inputs[i])
        if slot is None or not aliases.replaces(graph, step.node, i):
            continue
        source = tensors[index[slot.buffer]]
        mine, other = (output.rows, output.row_bytes), (source.rows, source.row_bytes)
        if mine == other and not source.whole and not source.lasts and _alike(step, i):
            return index[slot.buffer]
    return -1


def _alike(step: Step, i: int) -> bool:
    one: TensorType = step.signature.inputs[i]
    return one.row_bytes == step.signature.output.row_bytes
