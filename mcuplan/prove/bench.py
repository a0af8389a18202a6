# SPDX-License-Identifier: Apache-2.0
"""Cycles of every kernel on a table of shapes, counted on the emulator.

Instruction counts are deterministic, so CI can keep the table and see a slowdown in its
diff. Weights and inputs are made up, the same every time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mcuplan.emit import Stamp, emit
from mcuplan.ir.graph import Graph, Node, Origin, Port, Stored, Tensor
from mcuplan.ir.op import NO_CLAMP, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType, Types
from mcuplan.memory_system import NO_STALLS, Stalls
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Mul
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.softmax import Softmax
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.assign_types import assign_types
from mcuplan.price import constants_of
from mcuplan.price.cycles import work_of
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import Subject, count_on_core
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.kernels.select import candidates_of, program_of
from mcuplan.schedule.program import Program, Sharing, whole_runs
from mcuplan.targets import Target

__all__ = [
    "SHAPES",
    "Case",
    "Row",
    "Shape",
    "bench",
    "count_cases",
    "kernel_cases",
    "signature_of",
]


@dataclass(frozen=True, slots=True)
class Shape:
    """One layer: activations come first in ``inputs``, the rest are constants.

    ``types``: of activations that are not all real values. ``grids``: of activations that have
    one of their own.
    """

    op: Op
    inputs: tuple[tuple[int, ...], ...]
    constants: tuple[tuple[int, ...], ...] = ()
    wide: bool = False  # the weights less their zero point need 9 bits
    types: tuple[DType, ...] = ()
    grids: tuple[Quant | None, ...] = ()
    weights: DType | None = None  # that they want to be; None: what the activations ask for
    made: DType | None = None  # type of the outputs, where the inputs leave a choice

    @property
    def activations(self) -> tuple[TensorType, ...]:
        """Types of the activations before grids are assigned."""
        types = self.types or (DType.FLOAT32,) * len(self.inputs)
        grids = self.grids or (None,) * len(self.inputs)
        return tuple(map(TensorType, self.inputs, types, grids))

    def form(self, *, real: bool) -> Types | None:
        """Types that the operator is defined for: on grids, or others in float32 beside those."""
        stored = self._stored(real=real)
        if real and stored == self._stored(real=False):
            return None
        count = len(self.op.infer([*self.activations, *map(TensorType, self.constants)]))
        for form in self.op.types:
            taken = (form.inputs + form.inputs[-1:] * len(stored))[: len(stored)]
            fits = self.made in (None, *form.outputs)
            if taken == stored and len(form.outputs) == count and fits:
                return form
        return None

    @property
    def read(self) -> tuple[DType, ...]:
        """Types of activations in the first form: float32 lies on no grid whatever others do."""
        first, count = self.op.types[0].inputs, len(self.inputs)
        return (first + first[-1:] * count)[:count]

    def _stored(self, *, real: bool) -> tuple[DType, ...]:
        return tuple(
            kind.dtype
            if real or not kind.dtype.is_float or read.is_float
            else kind.quant.dtype
            if kind.quant
            else DType.INT8
            for kind, read in zip(self.activations, self.read, strict=True)
        )

    @property
    def name(self) -> str:
        """Shape of the input and what comes out of it: ``25x5x64->64``."""
        size = "x".join(str(n) for n in self.inputs[0][1:])
        wide = " wide" if self.wide else ""
        wide += " int16" if any(q and q.dtype is DType.INT16 for q in self.grids) else ""
        wide += f" by {self.weights}" if self.weights else ""
        return f"{size}->{self.constants[0][0]}{wide}" if self.constants else size


def _conv(
    size: tuple[int, int, int], outputs: int, kernel: tuple[int, int] = (1, 1), stride: int = 1
) -> Shape:
    h, w, c = size
    pads = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2, kernel[0] // 2, kernel[1] // 2)
    op = Conv2D(kernel, (stride, stride), pads=pads)
    return Shape(op, ((1, h, w, c),), ((outputs, *kernel, c), (outputs,)))


def _depthwise(size: tuple[int, int, int], stride: int = 1) -> Shape:
    h, w, c = size
    op = Conv2D((3, 3), (stride, stride), pads=(1, 1, 1, 1), groups=c)
    return Shape(op, ((1, h, w, c),), ((c, 3, 3, 1), (c,)))


def _dense(inputs: int, outputs: int) -> Shape:
    return Shape(Dense(), ((1, inputs),), ((outputs, inputs), (outputs,)))


_POINTWISE = (
    ((25, 5, 64), 64),
    ((12, 12, 64), 128),
    ((24, 24, 32), 32),
    ((6, 6, 128), 128),
    ((3, 3, 256), 256),
    ((48, 48, 8), 16),
)
_SQUARE = (((32, 32, 16), 16), ((16, 16, 32), 32), ((8, 8, 64), 64), ((32, 32, 3), 16))
_DEPTHWISE = ((25, 5, 64), (48, 48, 8), (12, 12, 64), (6, 6, 128))

SHAPES: tuple[Shape, ...] = (
    *(_conv(size, outputs) for size, outputs in _POINTWISE),
    _conv((32, 32, 16), 32, stride=2),
    *(_conv(size, outputs, (3, 3)) for size, outputs in _SQUARE),
    _conv((96, 96, 3), 8, (3, 3), stride=2),
    _conv((49, 10, 1), 64, (10, 4), stride=2),
    *(_depthwise(size) for size in _DEPTHWISE),
    _depthwise((48, 48, 16), stride=2),
    *(_dense(*size) for size in ((640, 128), (128, 128), (128, 640), (64, 12))),
    Shape(AvgPool2D((25, 5)), ((1, 25, 5, 64),)),
    Shape(MaxPool2D((2, 2), (2, 2)), ((1, 24, 20, 16),)),
    Shape(Add(), ((1, 32, 32, 16), (1, 32, 32, 16))),
    Shape(Mul(), ((1, 16, 16, 32), (1, 16, 16, 32))),
    Shape(Softmax(), ((1, 12),)),
)
"""Layers of MLPerf Tiny and their like, and one of each other cost class."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one layer took; ``cycles`` is None on a core without a table of timings.

    ``parts`` is how often each part of the kernel ran, which is what cycles are modelled by.
    """

    op: str
    shape: str
    kernel: str
    macs: int
    elements: int  # that a layer without MACs reads or makes, whichever is more
    instructions: int
    cycles: int | None
    parts: Mapping[str, float]
    stalls: Stalls = NO_STALLS  # on top of cycles, on a board
    weights_bytes: int = 0

    @property
    def work(self) -> int:
        """MACs, or elements of a layer without."""
        return self.macs or self.elements

    @property
    def unit(self) -> str:
        """What ``work`` counts."""
        return "MAC" if self.macs else "el"


_UNEVEN = Quant.per_tensor(1 / 64, 100)
_BEYOND = Quant.per_tensor(1 / 64, -20)
_APART = Sharing(in_place=False, overlap=False, keep_inputs=True, keep_outputs=True)
"""Every tensor for itself: nothing to search for when they are placed."""


@dataclass(frozen=True, slots=True)
class Case:
    """A shape and the kernel that is to run it."""

    shape: Shape
    kernel: Kernel
    real: bool = False  # in float32, where there is a form on grids too


def bench(target: Target, shapes: Sequence[Shape] = SHAPES) -> tuple[Row, ...]:
    """Count the fastest kernel of each shape; all of them in one image, which runs once.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    graph = _typed(shapes)
    ways = candidates_of(graph, target)
    return _count(shapes, program_of(graph, target, {n: found[0] for n, found in ways.items()}))


def kernel_cases(
    kernels: Sequence[Kernel], shapes: Sequence[Shape], target: Target
) -> tuple[Case, ...]:
    """Each kernel with each of the shapes that it supports; their order is no matter of speed."""
    wanted = [(kernel.op, kernel.function) for kernel in kernels]
    places = {kernel: place for place, kernel in enumerate(kernels)}
    found = []
    for real in (False, True):
        taken = [shape for shape in shapes if shape.form(real=real)]
        graph = _typed(taken, real=real)
        ways = candidates_of(graph, target)
        found += [
            Case(shape, way.step.kernel, real)
            for shape, node in zip(taken, graph.nodes, strict=True)
            for way in sorted(ways[node.name], key=lambda w: places.get(w.step.kernel, -1))
            if (way.step.kernel.op, way.step.kernel.function) in wanted
        ]
    return tuple(found)


def count_cases(
    target: Target, cases: Sequence[Case], *, single_rows: bool = False
) -> tuple[Row, ...]:
    """Count given kernels on given shapes.

    With ``single_rows`` every row is a call of its own, where the kernel allows that, and no
    input is below 0, as after most activations: what kernels do may depend on values.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    rows: tuple[Row, ...] = ()
    for real in (False, True):
        taken = [case for case in cases if case.real == real]
        if not taken:
            continue
        graph = _typed([case.shape for case in taken], real=real)
        ways = candidates_of(graph, target)
        chosen = {
            node.name: next(c for c in ways[node.name] if c.step.kernel == case.kernel)
            for node, case in zip(graph.nodes, taken, strict=True)
        }
        program = program_of(graph, target, chosen)
        rows += _count([case.shape for case in taken], program, single_rows)
    return rows


def signature_of(shape: Shape, *, real: bool = False) -> Signature:
    """What a kernel sees of a shape, in int8 or of real values."""
    graph = _typed((shape,), real=real)
    return graph.signature(graph.nodes[0])


def _typed(shapes: Sequence[Shape], *, real: bool = False) -> Graph:
    """A graph of the shapes in int8, or of real values."""
    if real:
        plain = [replace(shape, wide=False, grids=()) for shape in shapes]
        return assign_types(_graph(plain, real=True))
    gridded = assign_grids(_graph(shapes), {}, placeholder=True).graph
    return assign_types(replace(gridded, tensors=MappingProxyType(_cut(gridded))))


def _cut(graph: Graph) -> dict[str, Tensor]:
    """The tensors, outputs of layers with limits on a grid that reaches beyond them."""
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        held = tensors[node.output]
        if node.op.act != NO_CLAMP and held.type.quant and held.wanted is None:
            tensors[node.output] = replace(held, type=replace(held.type, quant=_BEYOND))
    return tensors


def _count(shapes: Sequence[Shape], program: Program, single_rows: bool = False) -> tuple[Row, ...]:
    plan = make_plan(program, _APART, exact=False)
    feeds = _feeds(program.graph)
    if single_rows:
        alone = frozenset(step.index for step in program.steps if step.kernel.row_by_row)
        plan = replace(plan, runs=whole_runs(program, alone))
        feeds = {n: v & 127 if v.dtype.kind == "i" else np.abs(v) for n, v in feeds.items()}
    subject = Subject(emit(plan, "bench", Stamp("bench", "")), plan)
    core = core_named(program.target.core).with_flags(program.target.flags)
    counts = count_on_core(subject, feeds, core)
    rows = []
    for step, count in zip(program.steps, counts, strict=True):
        shape = shapes[int(step.node.name.removeprefix("n"))]
        rows.append(
            Row(
                op=step.node.op.label,
                shape=shape.name,
                kernel=step.kernel.function,
                macs=step.cost.macs,
                elements=max(step.cost.ops, step.signature.output.elements),
                instructions=count.instructions,
                cycles=count.cycles,
                parts=work_of(step.kernel, step.signature, plan.rows_per_call(step)),
                stalls=count.stalls,
                weights_bytes=constants_of(step.kernel, step.signature).weights_bytes,
            )
        )
    return tuple(rows)


def _graph(shapes: Sequence[Shape], *, real: bool = False) -> Graph:
    """One node per shape, each with inputs and an output of its own."""
    tensors: dict[str, Tensor] = {}
    nodes, inputs, outputs = [], [], []
    for i, shape in enumerate(shapes):
        names = [f"x{i}_{k}" for k in range(len(shape.inputs))]
        for name, kind, read in zip(names, shape.activations, shape.read, strict=True):
            tensors[name] = _activation(name, kind, read)
            inputs.append(_port(name, kind))
            if inputs[-1].state:  # and an output too, for what is kept is written
                outputs.append(inputs[-1])
        for k, size in enumerate(shape.constants):
            integers = _spread(size, k)
            stored = Stored(integers, _UNEVEN) if shape.wide and k == 0 else None
            data = integers.astype(np.float32) / 64
            kind, stays = TensorType(size), all(read.is_float for read in shape.read)
            held = Tensor(f"c{i}_{k}", kind, data=data, stored=stored, real=stays)
            tensors[held.name] = replace(held, wanted=None if k else shape.weights)
            names.append(held.name)
        made = shape.op.infer([tensors[name].type for name in names])
        form = shape.form(real=real) or shape.form(real=not real) or Types.all(DType.FLOAT32)
        results = tuple(f"y{i}_{k}" for k in range(len(made)))
        for name, kind, write in zip(results, made, form.outputs, strict=True):
            kept = _is_state(shape.op.fixed_quant) and write is DType.INT16
            kind = replace(kind, quant=shape.op.fixed_quant) if kept else kind
            tensors[name] = _activation(name, kind, write)
            if write is DType.INT16 and not kept:
                tensors[name] = replace(tensors[name], wanted=write)
            outputs.append(_port(name, kind))
            if kept:
                tensors[f"{name}_0"] = _activation(f"{name}_0", kind, write)
                inputs.append(replace(outputs[-1], tensor=f"{name}_0"))
        nodes.append(Node(f"n{i}", shape.op, tuple(names), results))
    everything = MappingProxyType(tensors)
    return Graph("bench", tuple(inputs), tuple(outputs), tuple(nodes), everything)


def _activation(name: str, kind: TensorType, form: DType) -> Tensor:
    """``form``: a type that says whether real values stay on no grid."""
    origin = Origin(name, tuple(range(len(kind.shape))))
    return Tensor(name, kind, origin=origin, real=form.is_float and kind.dtype.is_float)


def _port(name: str, kind: TensorType) -> Port:
    """An end of the model; of a state where a tensor has a grid for each of its parts."""
    state = name if _is_state(kind.quant) else ""
    return Port(name, name, kind.shape, kind.dtype, state=state, whole=not kind.dtype.is_float)


def _is_state(quant: Quant | None) -> bool:
    return quant is not None and quant.axis is not None


def _feeds(graph: Graph) -> Mapping[str, Array]:
    """Integers of int8, real values within +-8, indices and numbers from 0 to 7, truth values."""
    feeds = {}
    for port in graph.inputs:
        kind, values = graph.tensor(port.tensor).type, _spread(port.shape, 7)
        if kind.dtype.is_float:
            values = values.astype(np.float32) / 16
        elif kind.quant is None:
            values = values & (1 if kind.dtype is DType.BOOL else 7)
        feeds[port.tensor] = values.astype(kind.dtype.numpy)
    return feeds


def _spread(size: Sequence[int], start: int) -> Array:
    """int8 values all over the range without order: top bytes of a multiplicative hash."""
    index = np.arange(start, start + math.prod(size), dtype=np.uint32)
    values: Array = (index * np.uint32(2654435761) >> np.uint32(24)).astype(np.uint8)
    return values.view(np.int8).reshape(size)
