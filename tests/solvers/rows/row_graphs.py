# SPDX-License-Identifier: Apache-2.0
"""Row graphs to look for orders of: layer by layer, and random ones."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from mcuplan.solvers.rows.problem import Move, RowGraph, RowStep, RowTensor

__all__ = ["Net", "graphs", "pyramid"]


class Net:
    """A row graph layer by layer."""

    def __init__(self, rows: int, row_bytes: int, streamed: bool, whole: bool = False) -> None:
        self.tensors = [RowTensor("input", rows, row_bytes, whole=whole and not streamed)]
        self.steps: list[RowStep] = []
        if streamed:
            self.steps.append(RowStep("feed", 0, tuple(Move((), k + 1) for k in range(rows))))

    def add(self, tensor: RowTensor, moves: list[Move], scratch: int = 0, over: int = -1) -> int:
        """A step that makes a tensor; the tensor's index."""
        self.tensors.append(tensor)
        output = len(self.tensors) - 1
        self.steps.append(RowStep(tensor.name, output, tuple(moves), scratch, over))
        return output

    def window(
        self, t: int, row_bytes: int, kernel: int = 3, stride: int = 1, scratch: int = 0
    ) -> int:
        """A convolution with "same" padding."""
        rows = self.tensors[t].rows
        made = -(-rows // stride)
        top = max((made - 1) * stride + kernel - rows, 0) // 2
        starts = [y * stride - top for y in range(made)]
        moves = [
            Move(((t, max(a, 0), min(a + kernel, rows)),), y + 1) for y, a in enumerate(starts)
        ]
        return self.add(RowTensor(f"conv{t}", made, row_bytes), moves, scratch)

    def rowwise(self, ts: list[int], row_bytes: int, in_place: bool, scratch: int = 0) -> int:
        """One output row of a row of each input."""
        rows = self.tensors[ts[0]].rows
        moves = [Move(tuple((t, y, y + 1) for t in ts), y + 1) for y in range(rows)]
        over = ts[0] if in_place else -1
        return self.add(RowTensor(f"row{ts[0]}", rows, row_bytes), moves, scratch, over)

    def gather(self, t: int, row_bytes: int) -> int:
        """A sum over all rows."""
        rows = self.tensors[t].rows
        moves = [Move(((t, y, y + 1),), int(y == rows - 1)) for y in range(rows)]
        return self.add(RowTensor("sum", 1, row_bytes), moves)

    def at_once(self, t: int, rows: int, row_bytes: int, in_place: bool) -> int:
        """A step that does everything in one call, into consecutive rows."""
        tensor = RowTensor(f"whole{t}", rows, row_bytes, whole=True)
        moves = [Move(((t, 0, self.tensors[t].rows),), rows)]
        return self.add(tensor, moves, over=t if in_place else -1)

    def graph(self) -> RowGraph:
        """What nobody reads lasts."""
        read = {t for step in self.steps for move in step.moves for t, _, _ in move.reads}
        tensors = [replace(k, lasts=t not in read) for t, k in enumerate(self.tensors)]
        return RowGraph(tuple(tensors), tuple(self.steps))


def pyramid(streamed: bool, scale: int = 1) -> RowGraph:
    """Rows that get narrower, then wider: worth collecting in the middle."""
    net = Net(24 * scale, 60, streamed)
    t = net.window(0, 80, stride=2)
    t = net.rowwise([t], 80, in_place=True)
    t = net.window(t, 24, stride=2)
    t = net.rowwise([t], 72, in_place=False)
    t = net.window(t, 72)
    t = net.window(t, 60, stride=2)
    t = net.gather(t, 40)
    net.at_once(t, 1, 10, in_place=False)
    return net.graph()


@st.composite
def graphs(draw: st.DrawFn) -> RowGraph:
    """Small networks with branches, strides, odd sizes, scratch, and tensors in one piece."""
    sizes = st.sampled_from((1, 2, 3, 5, 8, 13))
    scratch = st.sampled_from((0, 0, 0, 4, 9))
    net = Net(draw(st.integers(1, 6)), draw(sizes), draw(st.booleans()), draw(st.booleans()))
    for _ in range(draw(st.integers(1, 4))):
        t = draw(st.integers(max(0, len(net.tensors) - 2), len(net.tensors) - 1))
        rows = net.tensors[t].rows
        kind = draw(st.sampled_from(("window", "window", "row", "join", "gather", "at_once")))
        if kind == "window":
            kernel, stride = draw(st.sampled_from(((1, 1), (3, 1), (3, 2), (2, 2), (1, 2))))
            net.window(t, draw(sizes), kernel, stride, draw(scratch))
        elif kind == "gather":
            net.gather(t, draw(sizes))
        elif kind == "at_once":
            net.at_once(t, rows, draw(sizes), draw(st.booleans()))
        else:
            others = [k for k in range(len(net.tensors)) if net.tensors[k].rows == rows != t]
            ts = [t, draw(st.sampled_from(others))] if kind == "join" and others else [t]
            net.rowwise(sorted(set(ts)), draw(sizes), draw(st.booleans()), draw(scratch))
    return net.graph()
