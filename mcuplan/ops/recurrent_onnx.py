# SPDX-License-Identifier: Apache-2.0
"""LSTM, GRU and RNN of ONNX: a node of ours for each direction."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode
from mcuplan.ir.graph import Layout, Stored
from mcuplan.ir.types import Array
from mcuplan.ops._cells import FUNCTIONS, TAKES, Cell, Function, Kind
from mcuplan.ops._integer_cells import is_integer_cell
from mcuplan.ops._read import inner
from mcuplan.ops.concat import Concat
from mcuplan.ops.movement import add_view, read_transpose
from mcuplan.ops.recurrent import LastState, Recurrent
from mcuplan.ops.slicing import add_slice
from mcuplan.ops.state_parts import PackState, StatePart

__all__ = ["READERS"]

_DEFAULT = {
    Kind.LSTM: ("sigmoid", "tanh", "tanh"),
    Kind.GRU: ("sigmoid", "tanh"),
    Kind.RNN: ("tanh",),
}
_LONG_REACH = 6  # of cells after many steps: they lie within +-64
_SHORT_REACH = 4  # of at most so many steps, to the power of 2: none adds more than 1
_HELD_REACH = 5  # of cells that go on from call to call


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How the axes of a node's tensors lie; of ours steps, sequences and values follow one."""

    steps: int
    batch: int
    batch_first: bool

    @property
    def x(self) -> Layout:
        """Of the input."""
        return (None, 1, 0, 2) if self.batch_first else (None, 0, 1, 2)

    @property
    def outputs(self) -> Layout:
        """Of outputs of one direction."""
        return (2, 1, 0, 3) if self.batch_first else (1, 0, 2, 3)

    @property
    def state(self) -> Layout:
        """Of the state of one direction."""
        return (1, 0, 2) if self.batch_first else (0, 1, 2)

    @property
    def directions(self) -> int:
        """The axis of directions of states."""
        return 1 if self.batch_first else 0


def read_recurrent(node: OnnxNode, build: Builder) -> None:
    """A node with constant matrices.

    Raises:
        UnsupportedOp: matrices, biases or lengths are computed.
        DamagedModel: sizes that do not belong together.
    """
    shape = build.shape(node.input(0))
    if len(shape) != 3:
        raise DamagedModel(f"an input of shape {list(shape)}")
    batch_first = bool(node.get_int("layout", 0))
    sizes = _Sizes(*(shape[1::-1] if batch_first else shape[:2]), batch_first=batch_first)
    kind = Kind(node.op_type)
    direction = node.get_str("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise UnsupportedOp(f"direction={direction!r}")
    count = 2 if direction == "bidirectional" else 1
    weights = _weights(node, build, kind, count, shape[2])
    hidden = weights[1].data.shape[2]
    cells = list(_cells(node, kind, hidden, count, _reach(node, build, sizes.steps)))
    lengths = _lengths(node, build, sizes)
    ends = ["" if i >= len(node.outputs) else node.outputs[i] for i in range(cells[0].parts + 1)]
    for d, cell in enumerate(cells):
        reverse = direction == "reverse" or d == 1
        part = node if count == 1 else replace(node, outputs=tuple(f"{n}:{d}" for n in ends if n))
        names = ends if count == 1 else [n and f"{n}:{d}" for n in ends]
        _Direction(part, build, sizes, cell, reverse, lengths, d, count).add(weights, names)
    for name in filter(None, ends if count == 2 else ()):
        _join(replace(node, inputs=(f"{name}:0", f"{name}:1"), outputs=(name,)), build, batch_first)


def _join(node: OnnxNode, build: Builder, batch_first: bool) -> None:
    """Both directions of outputs or of a state: beside one another, then as an axis."""
    shape = build.shape(node.inputs[0])
    states = len(shape) == 3
    layout: Layout = (1, 0, 2) if batch_first else (0, 1, 2)
    if not states:
        layout = (2, 1, 0, 3) if batch_first else (1, 0, 2, 3)
    both, apart = inner(node, "both"), inner(node, "apart")
    tensors = [build.in_layout(name, layout) for name in node.inputs]
    build.add(Concat(len(layout) - 1), tensors, both, tuple(range(len(layout))))
    *before, _ = (shape[axis] for axis in layout[1:] if axis is not None)
    add_view(replace(apart, inputs=both.outputs), build, (*before, 2, shape[-1]))
    if states:
        perm: tuple[int, ...] = (0, 1, 2) if batch_first else (1, 0, 2)
    else:
        perm = (1, 0, 2, 3) if batch_first else (0, 2, 1, 3)
    turn = replace(node, inputs=apart.outputs, attributes={"perm": perm})
    read_transpose(turn, build)


@dataclass(frozen=True, slots=True)
class _Direction:
    """One direction of a node."""

    node: OnnxNode
    build: Builder
    sizes: _Sizes
    cell: Cell
    reverse: bool
    lengths: tuple[int, ...]
    index: int
    count: int

    def add(self, weights: list[Constant], names: list[str]) -> None:
        """Outputs of all steps, and the state after the last: each where it has a name."""
        build, cell = self.build, self.cell
        stem = next(filter(None, names))
        matrices = [
            build.add_constant(_taken(w, self.index), f"{stem}_{what}")
            for w, what in zip(weights, "wrbp", strict=False)
        ]
        x = build.in_layout(self.node.input(0), self.sizes.x)
        first = [self._first(5 + i) for i in range(cell.parts)]
        reach, integer = cell.reach if cell.parts > 1 else 0, is_integer_cell(cell)

        def inputs(what: str) -> list[str]:
            made = self._inner(f"{what}_state")
            build.add(PackState(reach, integer), first, made)
            return [x, build.in_layout(made.outputs[0], (0, 1, 2, 3, 4)), *matrices]

        if names[0]:
            op = Recurrent(cell, self.reverse, self.lengths)
            build.add(op, inputs("outputs"), self._named(names[0]), self.sizes.outputs)
        if any(names[1:]):
            last = self._inner("last")
            build.add(LastState(cell, self.reverse, self.lengths), inputs("last"), last)
            source = build.in_layout(last.outputs[0], (0, 1, 2, 3, 4))
            for part, name in enumerate(names[1:]):
                if name:
                    build.add(
                        StatePart(part, integer), [source], self._named(name), self.sizes.state
                    )

    def _named(self, name: str) -> OnnxNode:
        return replace(self.node, outputs=(name,))

    def _inner(self, suffix: str) -> OnnxNode:
        name = next(filter(None, self.node.outputs))
        return inner(self._named(name), suffix)

    def _first(self, index: int) -> str:
        """Our tensor [1,batch,hidden] of the first values: 0 where the model has none."""
        name, build, layout = self.node.input(index), self.build, self.sizes.state
        axis = self.sizes.directions
        shape = (1, self.sizes.batch, self.cell.hidden)
        if not name:
            return build.add_constant(Constant(np.zeros(shape, np.float32)), "first")
        wanted = [self.sizes.batch, self.cell.hidden]
        wanted.insert(axis, self.count)
        if build.shape(name) != tuple(wanted):
            raise DamagedModel(f"a first state of shape {list(build.shape(name))}, not {wanted}")
        given = build.constant(name)
        if given is not None:
            own = np.moveaxis(given.data.take([self.index], axis), axis, 0)
            return build.add_constant(Constant(own), f"{name}_first")
        if self.count > 1:
            taken = inner(self._named(name), f"direction{self.index}")
            add_slice(replace(taken, inputs=(name,)), build, {axis: (self.index, 1, 1)})
            name = taken.outputs[0]
        return build.in_layout(name, layout)


def _weights(node: OnnxNode, build: Builder, kind: Kind, count: int, size: int) -> list[Constant]:
    """W [directions,rows,K], R, B [directions,2,rows] and peepholes [directions,3,hidden]."""
    given = [build.constant(node.input(i)) for i in (1, 2)]
    w, r = given
    if w is None or r is None:
        raise UnsupportedOp("matrices are computed, not constant", hint="freeze the weights")
    hidden = r.data.shape[-1]
    rows = kind.gates * hidden
    if w.data.shape != (count, rows, size) or r.data.shape != (count, rows, hidden) or not rows:
        raise DamagedModel(f"matrices {list(w.data.shape)} and {list(r.data.shape)}")
    if node.get_int("hidden_size", hidden) != hidden:
        raise DamagedModel(f"hidden_size is not that of matrices {list(r.data.shape)}")
    found = [w, r, Constant(_vectors(node, build, 3, (count, 2, rows)))]
    if kind is Kind.LSTM and node.input(7):
        found.append(Constant(_vectors(node, build, 7, (count, 3, hidden))))
    return found


def _taken(value: Constant, index: int) -> Constant:
    """That of one direction, with the integers that it is stored as."""
    data, stored = value.data[index], value.stored
    if stored is None:
        return Constant(data)
    quant, each = stored.quant, slice(index, index + 1)
    if quant.axis == 0:
        quant = replace(quant, scale=quant.scale[each], zero_point=quant.zero_point[each])
    axis = None if quant.axis in (None, 0) else quant.axis - 1
    return Constant(data, Stored(stored.values[index], replace(quant, axis=axis)))


def _vectors(node: OnnxNode, build: Builder, index: int, shape: tuple[int, ...]) -> Array:
    """Biases or peepholes; 0 where there are none."""
    if not node.input(index):
        return np.zeros(shape, np.float32)
    given = build.constant(node.input(index))
    if given is None:
        raise UnsupportedOp("biases are computed, not constant", hint="freeze the weights")
    if given.data.shape != (shape[0], shape[1] * shape[2]):
        raise DamagedModel(f"biases or peepholes of shape {list(given.data.shape)}")
    return given.data.reshape(shape)


def _lengths(node: OnnxNode, build: Builder, sizes: _Sizes) -> tuple[int, ...]:
    """Steps of each sequence, none where all have all of them."""
    if not node.input(4):
        return ()
    given = build.constant(node.input(4))
    if given is None:
        raise UnsupportedOp("sequence_lens is computed", hint="make it a constant, or leave it out")
    lengths = tuple(int(v) for v in given.data.reshape(-1))
    if len(lengths) != sizes.batch or not all(0 <= n <= sizes.steps for n in lengths):
        raise DamagedModel(f"sequence_lens {list(lengths)} of {sizes.steps} steps")
    return () if set(lengths) == {sizes.steps} else lengths


def _reach(node: OnnxNode, build: Builder, steps: int) -> int:
    """What the cells of an LSTM may come to in integers, as a power of 2."""
    first = node.input(6)
    if first and build.constant(first) is None:
        return _HELD_REACH
    return _SHORT_REACH if steps < 1 << _SHORT_REACH else _LONG_REACH


def _cells(node: OnnxNode, kind: Kind, hidden: int, count: int, reach: int) -> Iterator[Cell]:
    """The cell of each direction."""
    names = node.attributes.get("activations", _DEFAULT[kind] * count)
    if not isinstance(names, tuple) or len(names) != kind.functions * count:
        raise DamagedModel(f"activations {names}")
    alphas, betas = (iter(_floats(node, key)) for key in ("activation_alpha", "activation_beta"))
    functions = iter([_function(str(name), alphas, betas) for name in names])
    clip = node.get_float("clip", math.inf)
    if not clip > 0:
        raise DamagedModel(f"clip={clip:g}", hint="leave it out, or give a limit above 0")
    for _ in range(count):
        yield Cell(
            kind,
            hidden,
            tuple(islice(functions, kind.functions)),
            clip,
            bool(node.get_int("input_forget", 0)),
            bool(node.get_int("linear_before_reset", 0)),
            reach,
        )


def _floats(node: OnnxNode, key: str) -> tuple[float, ...]:
    value = node.attributes.get(key, ())
    return tuple(float(v) for v in value)  # type: ignore[union-attr]


def _function(name: str, alphas: Iterator[float], betas: Iterator[float]) -> Function:
    """A function by its name in any case, with the parameters that are next."""
    key = name.lower()
    if key not in FUNCTIONS:
        raise UnsupportedOp(f"activation {name!r} of a cell")
    alpha, beta = FUNCTIONS[key]
    takes = TAKES.get(key, (False, False))
    return Function(
        key, next(alphas, alpha) if takes[0] else alpha, next(betas, beta) if takes[1] else beta
    )


READERS = {kind.value: read_recurrent for kind in Kind}
