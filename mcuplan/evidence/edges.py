# SPDX-License-Identifier: Apache-2.0
"""Layers and inputs that reach what a model's own do not.

For every kernel that a model calls: the layers that kernels are counted on, the examples of the
conformance tests, and others of odd sizes, strides and paddings; on grids that are even, uneven and
coarse, with limits on either side, row by row and all at once. Inputs are extremes, constants,
alternating and random values of their types.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mcuplan.backends import kernels_for
from mcuplan.evidence.odd import ODD
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import NO_CLAMP, Kernel, Op
from mcuplan.ir.types import Array, Quant, TensorType
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.ops.row_sum import MeanOfSum, RowSum
from mcuplan.passes.gather_rows import gather_rows
from mcuplan.prove.bench import Case, case_programs, kernel_cases, subject_of
from mcuplan.prove.fit.shapes import sweep
from mcuplan.prove.layers import Shape, typed_graph
from mcuplan.prove.subject import Subject
from mcuplan.resources import codegen_dir
from mcuplan.schedule.kernels.select import candidates_of, fastest_of, program_of
from mcuplan.schedule.program import Program
from mcuplan.targets import Target

__all__ = ["Edge", "callers_of", "edge_inputs", "edge_layers"]

_MOST_MACS = 20_000  # of a layer: sizes are odd, not large
_PER_KERNEL = 56  # layers at most, from all of those there are
_ROOMY = 1 << 24  # bytes of a region that holds all of them
_RANDOM = 2  # samples
_SEED = 1
_FACTORS = (0.0, -1.0, 64.0, -64.0, 2.0**-130, -8.0, 1e-4)  # of real values
_ENDS = (math.nan, -1.0, -2.0, 20.0, 40.0, 90.0, -20.0, -90.0, -110.0, 3e38, -3e38)
"""Where functions of one real value end, change, or are none."""
_PROGRAM_BYTES = 1 << 20  # of values in one program: a core is emulated with a few MB

_UNEVEN = Quant.per_tensor(1 / 8, -77)
_COARSE = Quant.per_tensor(8.0, 3)
_ABOVE, _BELOW = (float("-inf"), 1.0), (-1.0, float("inf"))

Edge = tuple[Subject, Mapping[str, Array]]
"""Generated code of some layers, and integers of their inputs by tensor name."""


def edge_layers(kernels: Sequence[Kernel], target: Target) -> Iterator[Edge]:
    """Layers that the kernels of a model run, with samples for them.

    Args:
        kernels: that the model calls.
        target: whose core runs them; its memory is taken to be large.
    """
    roomy = replace(target, regions=tuple(replace(r, bytes=_ROOMY) for r in target.regions))
    kernels = _all_uses(kernels, roomy)
    ops = {kernel.op for kernel in kernels}
    gathered = ops & {RowSum, MeanOfSum}
    wanted = [kernel for kernel in kernels if kernel.op not in gathered]
    for cases in _portions(_cases(wanted, roomy)):
        for _, program in case_programs(roomy, cases):
            for single in (False, True):
                yield _edge(program, single_rows=single)
    if gathered:
        graph = gather_rows(typed_graph(_on_grids(AvgPool2D, _layers(AvgPool2D))))
        ways = candidates_of(graph, roomy)
        yield _edge(program_of(graph, roomy, fastest_of(ways)))


def callers_of(functions: Collection[str], target: Target) -> tuple[Kernel, ...]:
    """Few kernels that the target may call whose sources name some functions of headers.

    All of those that name as many: they call them for other values.
    """
    offered = kernels_for(frozenset(target.features), target.backend).values()
    by_function = {kernel.function: kernel for group in offered for kernel in group}
    root, wanted = codegen_dir() / "kernels", set(functions)
    named = {
        name: _words(root / kernel.backend / f"{name}.c") & wanted
        for name, kernel in sorted(by_function.items())
    }
    found: list[Kernel] = []
    while any(words & wanted for words in named.values()):
        most = max(len(words & wanted) for words in named.values())
        best = [name for name, words in named.items() if len(words & wanted) == most]
        found += [by_function[name] for name in best]
        wanted -= set().union(*(named[name] for name in best))
    return tuple(found)


def _words(file: Path) -> set[str]:
    return set(re.findall(r"\w+", file.read_text(encoding="ascii")))


def _portions(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    """Cases in turn, as many as a program holds."""
    portion: list[Case] = []
    size = 0
    for case in cases:
        shape = case.shape
        kinds = [*shape.activations, *map(TensorType, shape.constants)]
        made = sum(kind.elements for kind in (*kinds, *shape.op.infer(kinds)))
        if portion and size + 4 * made > _PROGRAM_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(case)
        size += 4 * made
    if portion:
        yield portion


def _all_uses(kernels: Sequence[Kernel], target: Target) -> tuple[Kernel, ...]:
    """Kernels with the functions of those: some are called for several operators."""
    functions = {kernel.function for kernel in kernels}
    offered = kernels_for(frozenset(target.features), target.backend).values()
    return tuple(kernel for found in offered for kernel in found if kernel.function in functions)


def edge_inputs(graph: Graph, like: Mapping[str, Array]) -> Mapping[str, Array]:
    """Samples of a graph in the types of C, by tensor name.

    Args:
        graph: lowered.
        like: one sample or more of each input, which come first. Real values and numbers on no
            grid, as indices are, stay those.
    """
    rng = np.random.Generator(np.random.PCG64(_SEED))
    found = {}
    for port in graph.app_inputs:
        given, kind = like[port.tensor], graph.tensor(port.tensor).type
        found[port.tensor] = np.concatenate([given, *_samples(kind, given[:1], rng)])
    return found


def _samples(kind: TensorType, one: Array, rng: np.random.Generator) -> list[Array]:
    """Least, most, the zero point, both ends in turn, and any values; of real values multiples."""
    if kind.dtype.is_float:
        return [(one * factor).astype(one.dtype) for factor in _FACTORS]
    if kind.quant is None:
        return [one] * len(_FACTORS)
    low, high, shape = kind.dtype.low, kind.dtype.high, one.shape
    turns = np.where(np.arange(one.size).reshape(shape) % 2 == 1, high, low)
    plain = [np.full(shape, value) for value in (low, high, kind.quant.zero_point[0])]
    drawn = [rng.integers(low, high + 1, shape) for _ in range(_RANDOM)]
    return [a.astype(one.dtype) for a in (*plain, turns, low + high - turns, *drawn)]


def _edge(program: Program, *, single_rows: bool = False) -> Edge:
    subject, feeds = subject_of(program, single_rows=single_rows)
    graph, found = subject.graph, dict(edge_inputs(subject.graph, feeds))
    readers = {name: node for node in graph.nodes for name in graph.activations(node)}
    for name, values in found.items():
        node = readers[name]
        alone = len(graph.activations(node)) == 1 and graph.signature(node).is_elementwise
        made = np.resize(np.array(_ENDS), values[:1].shape) if alone else values[:1]
        if values.dtype.kind == "f":
            found[name] = np.concatenate([values, made.astype(values.dtype)])
        else:
            found[name] = np.concatenate([values, values[:1]])
    return subject, found


def _cases(kernels: Sequence[Kernel], target: Target) -> list[Case]:
    """Layers for each kernel: as many as allowed, from all over their table."""
    shapes = [s for op in sorted({k.op for k in kernels}, key=_name) for s in _forms(op)]
    by_kernel: dict[Kernel, list[Case]] = {}
    for case in kernel_cases(kernels, shapes, target):
        by_kernel.setdefault(case.kernel, []).append(case)
    return [case for found in by_kernel.values() for case in _thinned(found)]


def _name(op: type[Op]) -> str:
    return op.__name__


def _thinned(cases: list[Case]) -> list[Case]:
    """As many as allowed: half of them odd ones, others from all over the table."""
    odd = [case for case in cases if case.shape in ODD][: _PER_KERNEL // 2]
    rest = [case for case in cases if case.shape not in ODD]
    count = min(len(rest), _PER_KERNEL - len(odd))
    return [*odd, *(rest[(2 * i + 1) * len(rest) // (2 * count)] for i in range(count))]


def _forms(op: type[Op]) -> tuple[Shape, ...]:
    """Layers of an operator, on grids and of real values."""
    every = list(_layers(op))
    real = (s for s in every if not s.form(real=False) and s.form(real=True))
    return (*_on_grids(op, every), *real)


def _on_grids(op: type[Op], every: Iterable[Shape]) -> tuple[Shape, ...]:
    """Those in integers, and the same on other grids and with limits."""
    plain = [s for s in every if s.form(real=False)]
    bare = [s for s in plain if not s.grids and not s.types]
    limited = [s for s in bare if op.fuses_activation and s.op.act == NO_CLAMP]
    return (
        *plain,
        *(_on(shape, _UNEVEN) for shape in bare[::2]),
        *(_on(shape, _COARSE) for shape in bare[1::3]),
        *(_limited(shape, _ABOVE) for shape in limited[::4]),
        *(_limited(shape, _BELOW) for shape in limited[2::4]),
    )


def _on(shape: Shape, grid: Quant) -> Shape:
    return replace(shape, grids=(grid,) * len(shape.inputs))


def _limited(shape: Shape, act: tuple[float, float]) -> Shape:
    op: Any = shape.op  # with a field of that name, since it fuses one
    return replace(shape, op=replace(op, act=act))


def _layers(op: type[Op]) -> Iterator[Shape]:
    """Odd ones, the examples of the conformance tests, then those that are counted."""
    yield from (shape for shape in ODD if type(shape.op) is op)
    for example in op.examples():
        shown = len(example.inputs) - len(example.constants)
        last = example.constants == tuple(range(shown, len(example.inputs)))
        single = all(size[:1] == (1,) for size in example.inputs[:shown])  # axis 0 is of samples
        if shown and last and single and not example.types:  # a constant alone is no layer
            yield Shape(example.op, example.inputs[:shown], example.inputs[shown:])
    yield from (s for s in sweep() if type(s.op) is op and _macs(s) <= _MOST_MACS)


def _macs(shape: Shape) -> int:
    kinds = [*shape.activations, *map(TensorType, shape.constants)]
    return shape.op.cost(kinds, shape.op.infer(kinds)).macs
