# SPDX-License-Identifier: Apache-2.0
"""Shapes of operators that take integers on no grid, truth values, indices, states, and trees."""

from __future__ import annotations

import random
from collections.abc import Iterator

from mcuplan.ir.types import WHOLE, DType, Quant
from mcuplan.ops.arg_extreme import ArgExtreme
from mcuplan.ops.cast import Cast
from mcuplan.ops.choice import Where
from mcuplan.ops.compare import Compare, Logic
from mcuplan.ops.conversion import FromGrid, ToGrid
from mcuplan.ops.cum_sum import CumSum
from mcuplan.ops.eltwise import Add, Div, Maximum, Minimum, Mul, Sub
from mcuplan.ops.indexing import Gather, GatherElements, GatherND
from mcuplan.ops.max_pool_index import MaxPoolIndex
from mcuplan.ops.powers import Mod, Pow, Rest
from mcuplan.ops.recurrent import Cell, Function, Kind, LastState, Recurrent, state_quant
from mcuplan.ops.reductions import Norm, Reduce
from mcuplan.ops.scatter import Scatter, ScatterReduced
from mcuplan.ops.state_parts import PackState, StatePart
from mcuplan.ops.support_vectors import SupportVectors
from mcuplan.ops.top_k import TopK
from mcuplan.ops.trees import LEAF, Forest, Trees
from mcuplan.prove.layers import Shape

__all__ = ["typed_shapes"]

_INTEGERS = (DType.INT8, DType.UINT8, DType.INT32, DType.INT64)
_ORDERED = (DType.FLOAT32, *WHOLE)

_FULL = ((1, 6, 4, 16), (1, 3, 5, 7), (1, 200))
_PAIRS = (
    *((size, size) for size in _FULL),
    ((1, 6, 4, 16), (1, 1, 1, 16)),
    ((1, 5, 4, 6), (1, 5, 4, 1)),
)
# steps, batch, inputs, units
_CELLS = (
    *((9, 1, 12, 16), (4, 1, 1, 8), (3, 2, 30, 5), (1, 1, 24, 32), (6, 1, 7, 11), (4, 1, 32, 32)),
    *((2, 1, 64, 64), (5, 1, 10, 22), (1, 2, 6, 40), (7, 1, 40, 10)),
)
_GATES = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
# depth, trees, targets, features, pixels
_FORESTS = ((3, 1, 1, 4, 1), (5, 8, 3, 10, 1), (4, 20, 10, 30, 3), (7, 4, 2, 6, 2), (2, 3, 1, 2, 9))
_WIDE = Quant((2.0**-15,), (0,), None, DType.INT16)
# samples, vectors, results
_MACHINES = (
    ((1, 8), 20, 1),
    ((1, 30), 40, 3),
    ((1, 4), 9, 10),
    ((1, 3, 16), 25, 6),
    ((1, 1), 60, 2),
)


def typed_shapes() -> Iterator[Shape]:
    """All of them."""
    yield from _pairs()
    yield from _along_axes()
    yield from _converted()
    yield from _indexed()
    for kind in _GATES:
        for row in _CELLS:
            yield from _cells(kind, *row)
    yield from _states()
    for forest in _FORESTS:
        yield _trees(*forest)
    for size, vectors, results in _MACHINES:
        constants = ((vectors, size[-1]), (vectors, results), (results,))
        yield Shape(SupportVectors(0.01), (size,), constants)


def _pairs() -> Iterator[Shape]:
    truth, real = DType.BOOL, DType.FLOAT32
    for pair in _PAIRS:
        for op in (Add(), Sub(), Mul(), Div(), Maximum(), Minimum(), Rest(), Mod(), Pow()):
            for dtype in _INTEGERS:
                yield Shape(op, pair, types=(dtype, dtype))
        for op in (Rest(), Mod(), Pow(), Add((0.0, 1.0)), Pow((0.0, 1.0)), Mod((0.0, 1.0))):
            yield Shape(op, pair)
        for name in ("Less", "Equal", "GreaterOrEqual"):
            yield Shape(Compare(name), pair)
            for dtype in (*_INTEGERS, truth):
                yield Shape(Compare(name), pair, types=(dtype, dtype))
        for name in ("And", "Or", "Xor"):
            yield Shape(Logic(name), pair, types=(truth, truth))
        for dtype in (real, *WHOLE):
            yield Shape(Where(), (pair[0], *pair), types=(truth, dtype, dtype))
    for size in ((1, 6, 4, 16), (1, 3, 5, 7)):
        for op in (Add(), Mul(), Div(), Maximum()):
            yield Shape(op, (size, (1, 1, 1, size[3])))


def _along_axes() -> Iterator[Shape]:
    for size in ((1, 6, 4, 16), (1, 3, 5, 7), (1, 2, 9, 40), (1, 60)):
        for dtype in (DType.FLOAT32, *_INTEGERS):
            for exclusive in (False, True):
                yield Shape(CumSum(exclusive, reverse=exclusive), (size,), types=(dtype,))
        for dtype in _ORDERED:
            yield Shape(ArgExtreme(False, False), (size,), types=(dtype,))
            yield Shape(ArgExtreme(True, True), (size,), types=(dtype,))
            yield Shape(TopK(1), (size,), types=(dtype,))
            yield Shape(TopK(5, smallest=True), (size,), types=(dtype,))
        for axes in ((len(size) - 1,), (1,), tuple(range(1, len(size)))):
            yield from _reduced(size, axes)


def _reduced(size: tuple[int, ...], axes: tuple[int, ...]) -> Iterator[Shape]:
    norms = set(Norm.kinds())
    for kind in sorted({*norms, *Reduce.kinds()}):
        op = Norm(kind, axes) if kind in norms else Reduce(kind, axes)
        for dtype in (DType.FLOAT32, *_INTEGERS):
            if dtype.is_float or kind != "ReduceL2":
                yield Shape(op, (size,), types=(dtype,))
    for kind in ("ReduceMin", "ReduceMax"):
        yield Shape(Reduce(kind, axes), (size,), types=(DType.BOOL,))


def _converted() -> Iterator[Shape]:
    for size in _FULL:
        yield Shape(FromGrid(), (size,))
        yield Shape(ToGrid(), (size,))
        for types in Cast.types:
            yield Shape(Cast(types.outputs[0]), (size,), types=types.inputs)
    for kernel, pixels, stride in (
        ((2, 2), (8, 8, 6), 2),
        ((3, 3), (7, 6, 9), 1),
        ((4, 1), (24, 1, 5), 2),
    ):
        yield Shape(MaxPoolIndex(kernel, (stride, stride), (1, 1), (0,) * 4), ((1, *pixels),))


def _indexed() -> Iterator[Shape]:
    for data in (DType.FLOAT32, DType.INT64, DType.BOOL):
        for index in (DType.INT32, DType.INT64):
            two, three = (data, index), (data, index, data)
            for size in ((1, 8, 4, 16), (1, 12, 3, 5), (1, 20, 1, 33)):
                yield Shape(Gather(1), (size, (1, 9)), types=two)
                yield Shape(Gather(3), (size, (1, 6)), types=two)
                yield Shape(GatherElements(3), (size, (*size[:3], 7)), types=two)
                yield Shape(GatherND(1), (size, (1, 10, 2)), types=two)
                same = (1, 5, *size[2:])
                if data is not DType.BOOL:
                    for how in ("add", "mul", "max", "min"):
                        op = ScatterReduced(1, how)
                        yield Shape(op, (size, same, same), types=three)
                        if data is DType.INT64:
                            yield Shape(
                                op, (size, same, same), types=(DType.INT32, index, DType.INT32)
                            )
                yield Shape(Scatter(1), (size, same, same), types=three)
                blocks = ((1, 6, 3), (1, 6, size[3]))
                yield Shape(Scatter(None), (size, *blocks), types=three)


def _cells(kind: str, steps: int, batch: int, size: int, hidden: int) -> Iterator[Shape]:
    """The last state, and outputs beside it; a state lies on the grids of its parts."""
    functions = tuple(Function(name) for name in _GATES[kind])
    for after in (False, True)[: 2 if kind == Kind.GRU else 1]:
        cell = Cell(Kind(kind), hidden, functions, linear_before_reset=after)
        state = (1, 1, batch, cell.parts, hidden)
        constants = ((cell.rows, size), (cell.rows, hidden), (2, cell.rows))
        inputs, grids = (
            ((1, steps, batch, size), state),
            (None, state_quant(cell.parts, cell.reach)),
        )
        yield Shape(LastState(cell), inputs, constants, grids=grids)
        yield Shape(Recurrent(cell, final=True), inputs, constants, grids=grids)


def _states() -> Iterator[Shape]:
    """Outputs and cells into a state of one part or two, and out of it."""
    for batch, hidden in ((1, 8), (1, 48), (3, 17), (1, 128)):
        for parts in (1, 2):
            reach = 4 * (parts - 1)
            values = ((1, batch, hidden),) * parts
            yield Shape(PackState(reach), values)
            yield Shape(PackState(reach), values, grids=(_WIDE,) * parts)
            state = (1, 1, 1, parts, hidden)
            yield Shape(StatePart(parts - 1), (state,), grids=(state_quant(parts, reach),))


def _trees(depth: int, trees: int, targets: int, features: int, pixels: int) -> Shape:
    """Full trees, and a vote for one target in each leaf."""
    rng = random.Random(depth)
    nodes: list[tuple[int, float, int]] = []
    roots, leaves = [], 0

    def grow(left: int) -> None:
        nonlocal leaves
        at = len(nodes)
        if left == 0:
            nodes.append((LEAF, 0.0, leaves))
            leaves += 1
            return
        nodes.append((0, 0.0, 0))
        grow(left - 1)
        nodes[at] = (rng.randrange(features), rng.uniform(-1, 1), len(nodes) - at)
        grow(left - 1)

    for _ in range(trees):
        roots.append(len(nodes))
        grow(depth)
    feature, threshold, jump = zip(*nodes, strict=True)
    forest = Forest(
        feature, threshold, jump, (False,) * len(nodes), tuple(roots),
        votes=tuple(range(leaves + 1)), targets=tuple(k % targets for k in range(leaves)),
        weights=tuple(rng.uniform(-1, 1) for _ in range(leaves)), base=(0.0,) * targets,
    )  # fmt: skip
    return Shape(Trees(forest), ((1, pixels, features),))
