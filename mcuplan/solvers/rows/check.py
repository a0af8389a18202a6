# SPDX-License-Identifier: Apache-2.0
"""An order of row moves run row by row; shares nothing with the search that found it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from mcuplan.solvers.rows.problem import RowGraph, RowStep

__all__ = ["bytes_beside_scratch", "check_row_order"]

_Part = tuple[int, int]  # tensor, number of the row; row 0 stands for all of a whole tensor


def check_row_order(graph: RowGraph, moves: Sequence[int]) -> int:
    """The most bytes that exist at once.

    Args:
        graph: the network.
        moves: step indices, in order.

    Raises:
        ValueError: a row is read before it is complete or after it died; a move is missing
            or there is one too many.
    """
    start, most = bytes_beside_scratch(graph, moves)
    during = (n + step.scratch_bytes for n, step in zip(most, graph.steps, strict=True))
    return max([start, *during])


def bytes_beside_scratch(graph: RowGraph, moves: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """The bytes at the start, and the most beside its scratch that exist during a move of a step.

    Args:
        graph: the network.
        moves: step indices, in order.

    Raises:
        ValueError: see :func:`check_row_order`.
    """
    done = Counter(moves)
    counts = [done.pop(s, 0) for s in range(len(graph.steps))]
    if done or counts != [len(step.moves) for step in graph.steps]:
        raise ValueError("the order has not the moves of the steps")
    return _Rows(graph).run(moves)


class _Rows:
    """What exists while moves run."""

    def __init__(self, graph: RowGraph) -> None:
        self.graph = graph
        made = {step.output for step in graph.steps}
        self.made = {t: 0 if t in made else k.rows for t, k in enumerate(graph.tensors)}
        self.read = [[self.parts(move.reads) for move in step.moves] for step in graph.steps]
        self.reads: Counter[_Part] = Counter()  # moves that have still to read a part
        for each in self.read:
            for parts in each:
                self.reads.update(parts)
        self.there: dict[_Part, int] = {}
        for t, rows in self.made.items():
            self.begin(self.parts([(t, 0, rows)]))

    def parts(self, reads: Iterable[tuple[int, int, int]]) -> set[_Part]:
        found: set[_Part] = set()
        for t, first, end in reads:
            if self.graph.tensors[t].whole:
                first, end = 0, int(first < end)
            found.update([(t, row) for row in range(first, end)])
        return found

    def begin(self, parts: Iterable[_Part]) -> set[_Part]:
        """Give bytes to parts that have none; which they are."""
        begun = set(parts) - self.there.keys()
        for t, row in begun:
            tensor = self.graph.tensors[t]
            self.there[t, row] = tensor.row_bytes * (tensor.rows if tensor.whole else 1)
        return begun

    def run(self, moves: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        start = live = sum(self.there.values())
        most = [0] * len(self.graph.steps)
        live -= sum(self.there.pop(part) for part in self.over(list(self.there)))
        number: Counter[int] = Counter()
        for s in moves:
            during, live = self.move(s, number[s], live)
            most[s] = max(most[s], during)
            number[s] += 1
        return start, tuple(most)

    def move(self, s: int, number: int, live: int) -> tuple[int, int]:
        """Run one move of a step; the bytes that exist during it, and after."""
        step = self.graph.steps[s]
        move, output, read = step.moves[number], step.output, self.read[s][number]
        rows, before = self.graph.tensors[output].rows, self.made[output]
        for t, first, end in move.reads:
            if first < end > self.made[t]:
                raise ValueError(f"{step.name}: reads row {end - 1} before it is made")
        if read - self.there.keys():
            raise ValueError(f"{step.name}: reads a row after its last reader")
        following = max(move.made, before + 1) if before < rows else before
        begun = self.begin(self.parts([(output, before, following)]))
        during = live + sum(self.there[part] for part in begun)
        self.made[output] = move.made
        for part in read:
            self.reads[part] -= 1
        ended = self.over(read | self.parts([(output, before, following)]))
        saved = self.taken_over(step, begun, ended)
        return during - saved, during - sum(self.there.pop(part) for part in ended)

    def over(self, parts: Iterable[_Part]) -> set[_Part]:
        """Which parts are complete and will be read no more."""
        found = set()
        for t, row in parts:
            tensor = self.graph.tensors[t]
            complete = self.made[t] > (tensor.rows - 1 if tensor.whole else row)
            if complete and not tensor.lasts and not self.reads[t, row]:
                found.add((t, row))
        return found

    def taken_over(self, step: RowStep, begun: set[_Part], ended: set[_Part]) -> int:
        """Bytes of parts that begin in those of parts that end with the same move."""
        if step.replaces < 0:
            return 0
        output, replaced = self.graph.tensors[step.output], self.graph.tensors[step.replaces]
        if output.row_bytes > replaced.row_bytes:
            return 0
        if output.whole:
            fits = replaced.whole and output.rows <= replaced.rows
            return (
                self.there[step.output, 0] if fits and begun and (step.replaces, 0) in ended else 0
            )
        rows = [row for t, row in begun if row < replaced.rows]
        ends = [(step.replaces, 0 if replaced.whole else row) in ended for row in rows]
        return output.row_bytes * sum(ends)
