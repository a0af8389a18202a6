# SPDX-License-Identifier: Apache-2.0
"""Cycles of every kernel on a table of shapes, counted on the emulator.

Instruction counts are deterministic, so CI can keep the table and see a slowdown in its
diff. Weights and inputs are made up, the same every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.emit import Stamp, emit
from mcuplan.ir.op import Kernel
from mcuplan.ir.types import Array, DType
from mcuplan.memory_system import NO_STALLS, Stalls
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Mul
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.softmax import Softmax
from mcuplan.price import constants_of
from mcuplan.price.cycles import work_of
from mcuplan.prove.cores import core_named
from mcuplan.prove.layers import Shape, made_up_inputs, typed_graph
from mcuplan.prove.proofs import Subject, count_on_core
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.kernels.select import candidates_of, fastest_of, program_of
from mcuplan.schedule.overlap import goes_onward
from mcuplan.schedule.program import Program, Sharing, Step, whole_runs
from mcuplan.targets import Target

__all__ = [
    "SHAPES",
    "Case",
    "Row",
    "bench",
    "case_programs",
    "count_cases",
    "kernel_cases",
    "subject_of",
]


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
    graph = typed_graph(shapes)
    ways = candidates_of(graph, target)
    return _count(shapes, program_of(graph, target, fastest_of(ways)))


def kernel_cases(
    kernels: Sequence[Kernel], shapes: Sequence[Shape], target: Target
) -> tuple[Case, ...]:
    """Each kernel with each of the shapes that it supports; their order is no matter of speed.

    Not with weights of 4 bits that are widened for it: what that takes is priced by itself.
    """
    wanted = [(kernel.op, kernel.function) for kernel in kernels]
    places = {kernel: place for place, kernel in enumerate(kernels)}
    found = []
    for real in (False, True):
        taken = [shape for shape in shapes if shape.form(real=real)]
        graph = typed_graph(taken, real=real)
        ways = candidates_of(graph, target)
        found += [
            Case(shape, way.step.kernel, real)
            for shape, node in zip(taken, graph.nodes, strict=True)
            for way in sorted(ways[node.name], key=lambda w: places.get(w.step.kernel, -1))
            if (way.step.kernel.op, way.step.kernel.function) in wanted
            and (way.step.kernel in places or not _is_widened(way.step.kernel))
        ]
    return tuple(found)


def _is_widened(kernel: Kernel) -> bool:
    """Whether it reads weights of 4 bits from a copy; kernels of 4 bits have no such name."""
    return kernel.staged and kernel.types.weights[0] in (DType.INT4, DType.INT4_BLOCKS)


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
    for taken, program in case_programs(target, cases):
        rows += _count([case.shape for case in taken], program, single_rows)
    return rows


def case_programs(
    target: Target, cases: Sequence[Case]
) -> Iterator[tuple[Sequence[Case], Program]]:
    """Cases on grids, then of real values: a step for each, run by the kernel that it names."""
    for real in (False, True):
        taken = [case for case in cases if case.real == real]
        if not taken:
            continue
        graph = typed_graph([case.shape for case in taken], real=real)
        ways = candidates_of(graph, target)
        chosen = {
            node.name: next(c for c in ways[node.name] if c.step.kernel == case.kernel)
            for node, case in zip(graph.nodes, taken, strict=True)
        }
        yield taken, program_of(graph, target, chosen)


def subject_of(
    program: Program, *, single_rows: bool = False
) -> tuple[Subject, Mapping[str, Array]]:
    """A program of the bench made to run, and one sample of made up inputs."""
    plan = make_plan(program, _APART, exact=False)
    feeds = made_up_inputs(program.graph)
    if single_rows:
        alone = frozenset(step.index for step in program.steps if _in_any_order(step))
        plan = replace(plan, runs=whole_runs(program, alone))
        feeds = {n: v & 127 if v.dtype.kind == "i" else np.abs(v) for n, v in feeds.items()}
    return Subject(emit(plan, "bench", Stamp("bench", "")), plan), feeds


def _in_any_order(step: Step) -> bool:
    """Whether rows may be made from the last to the first."""
    op = step.node.op
    kept = op.gathers or goes_onward(step)  # what rows before it left
    return step.kernel.row_by_row and len(step.node.outputs) == 1 and not kept


def _count(shapes: Sequence[Shape], program: Program, single_rows: bool = False) -> tuple[Row, ...]:
    subject, feeds = subject_of(program, single_rows=single_rows)
    plan = subject.plan
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
