# SPDX-License-Identifier: Apache-2.0
"""Reductions and global pools: pools whose window is as large as what they reduce."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode, Reader, plain, rows_layout
from mcuplan.ir.graph import Layout
from mcuplan.ir.op import Op, QuantRule
from mcuplan.ops._broadcast import add_broadcast
from mcuplan.ops._read import inner, int_list, layout_behind, normal_axis
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.ops.min_pool import MinPool2D
from mcuplan.ops.movement import Reshape, add_view
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.reductions import Norm, Reduce
from mcuplan.ops.unary import UnaryFn, add_lookup

__all__ = ["READERS"]

_Make = Callable[[tuple[int, int]], Op]
_MAKERS: dict[str, _Make] = {
    "Max": MaxPool2D,
    "Mean": AvgPool2D,
    "Min": MinPool2D,
    "Sum": lambda kernel: AvgPool2D(kernel, divide=False),
}


def _layout_for(build: Builder, name: str, axes: Sequence[int]) -> Layout:
    """A layout in which the reduced axes lie side by side; a held one where possible."""
    shape = build.shape(name)
    candidates = list(build.layouts(name))
    if len(shape) in (3, 4):
        candidates.append(rows_layout(len(shape)))
    for layout in candidates:
        order = [a for a in layout if a is not None and shape[a] > 1]
        at = [i for i, a in enumerate(order) if a in axes]
        if at == list(range(at[0], at[0] + len(at))):
            return layout
    return (*(a for a in range(len(shape)) if a not in axes), *axes)


def _renumbered(layout: Layout, axes: Sequence[int], *, added: bool) -> Layout:
    """Layout of what is left of a tensor without some axes (None in their place if added)."""
    left = [a for a in layout if a is not None and a not in axes]
    names = {axis: k for k, axis in enumerate(sorted(left))}
    if added:
        return tuple(None if a is None else names.get(a) for a in layout)
    return tuple(names[a] for a in left)


def _reduce(node: OnnxNode, build: Builder, axes: Sequence[int], keep: bool, make: _Make) -> None:
    """Reduce ONNX axes of the first input."""
    name = node.input(0)
    shape = build.shape(name)
    dropped = () if keep else tuple(axes)
    real = tuple(a for a in axes if shape[a] > 1)
    if not real:
        kept = tuple(n for a, n in enumerate(shape) if a not in dropped)
        add_view(node, build, kept)
        return
    layout = _layout_for(build, name, real)
    at = [i for i, a in enumerate(layout) if a in real]
    source = build.in_layout(name, layout)
    if len(layout) == 4 and set(at) <= {1, 2} and layout[0] == 0 and shape[0] == 1:
        sizes = [shape[layout[i] or 0] if i in at else 1 for i in (1, 2)]
        op = make((sizes[0], sizes[1]))
        quant = build.quant(name) if op.quant_rule is QuantRule.PASS_THROUGH else None
        made = _renumbered(layout, dropped, added=True) if dropped else layout
        build.add(op, [source], node, made, quant=quant)
        return
    _reduce_run(node, build, source, layout, real, dropped, make)


def _reduce_run(
    node: OnnxNode,
    build: Builder,
    source: str,
    layout: Layout,
    axes: Sequence[int],
    dropped: Sequence[int],
    make: _Make,
) -> None:
    """Axes side by side anywhere: seen as the rows or the pixels of four axes."""
    shape = build.shape(node.input(0))
    sizes = [1 if a is None else shape[a] for a in layout]
    at = [i for i, a in enumerate(layout) if a in axes]
    before, after = math.prod(sizes[: at[0]]), math.prod(sizes[at[-1] + 1 :])
    run = math.prod(sizes[at[0] : at[-1] + 1])
    four = (1, run, 1, after) if before == 1 else (1, before, run, after)
    op = make((run, 1) if before == 1 else (1, run))
    quant = build.quant(node.input(0))
    flat, pooled = inner(node, "flat"), inner(node, "pooled")
    build.add(Reshape(four), [source], flat, quant=quant)
    quant = quant if op.quant_rule is QuantRule.PASS_THROUGH else None
    build.add(op, [build.in_layout(flat.outputs[0], plain(4))], pooled, quant=quant)
    made = _renumbered(layout, dropped, added=False) if dropped else layout
    final = tuple(
        1 if a in axes else n
        for a, n in zip(layout, sizes, strict=True)
        if not dropped or (a is not None and a not in dropped)
    )
    build.add(
        Reshape(final), [build.in_layout(pooled.outputs[0], plain(4))], node, made, quant=quant
    )


def _global(kind: str) -> Reader:
    def read(node: OnnxNode, build: Builder) -> None:
        rank = len(build.shape(node.input(0)))
        if rank < 3:
            raise UnsupportedOp(f"{node.op_type} of rank {rank}")
        _reduce(node, build, tuple(range(2, rank)), True, _MAKERS[kind])

    return read


def _axes(node: OnnxNode, build: Builder) -> tuple[int, ...]:
    """Axes that a node reduces, in order."""
    rank = len(build.shape(node.input(0)))
    given = int_list(node, build, 1, "axes")
    if not given and not node.get_int("noop_with_empty_axes", 0):
        given = tuple(range(rank))
    return tuple(sorted({normal_axis(a, rank) for a in given or ()}))


def _reducer(kind: str) -> Reader:
    """A reader of a reduction that is a pool of real values."""

    def read(node: OnnxNode, build: Builder) -> None:
        if not build.dtype(node.input(0)).is_float:
            read_plain(node, build)
            return
        keep = node.get_int("keepdims", 1) == 1
        _reduce(node, build, _axes(node, build), keep, _MAKERS[kind])

    return read


def read_plain(node: OnnxNode, build: Builder) -> None:
    """A reduction that is no pool, over any axes."""
    name, axes = node.input(0), _axes(node, build)
    shape = build.shape(name)
    layout = layout_behind(build, [name], [a for a in axes if shape[a] != 1])
    places = tuple(i for i, a in enumerate(layout) if i and a in axes)
    form = Norm if node.op_type in Norm.kinds() else Reduce
    keep = node.get_int("keepdims", 1) == 1
    made = node if keep else inner(node, "kept")
    build.add(form(node.op_type, places), [build.in_layout(name, layout)], made, layout)
    if not keep:
        left = tuple(n for a, n in enumerate(shape) if a not in axes)
        add_view(replace(node, inputs=made.outputs), build, left)


def read_log_sum(node: OnnxNode, build: Builder) -> None:
    """The logarithm of a sum."""
    total = inner(node, "total")
    _reducer("Sum")(total, build)
    add_lookup(replace(node, inputs=total.outputs), build, [UnaryFn("log")])


def read_log_sum_exp(node: OnnxNode, build: Builder) -> None:
    """The logarithm of a sum of exponentials, of what is left when the largest is taken away."""
    kept = {**node.attributes, "keepdims": 1}
    largest, below, powers = (inner(node, part) for part in ("largest", "below", "powers"))
    largest = replace(largest, attributes=kept)
    _reducer("Max")(largest, build)
    add_broadcast(Sub(), (node.input(0), *largest.outputs), below, build)
    add_lookup(replace(powers, inputs=below.outputs), build, [UnaryFn("exp")])
    total = replace(inner(node, "total"), inputs=(*powers.outputs, *node.inputs[1:]))
    total = replace(total, attributes=kept)
    read_log_sum(total, build)
    whole = node if node.get_int("keepdims", 1) else inner(node, "whole")
    add_broadcast(Add(), (*total.outputs, *largest.outputs), whole, build)
    if whole is not node:
        axes = _axes(node, build)
        left = tuple(n for a, n in enumerate(build.shape(node.input(0))) if a not in axes)
        add_view(replace(node, inputs=whole.outputs), build, left)


READERS = {
    "GlobalAveragePool": _global("Mean"),
    "GlobalMaxPool": _global("Max"),
    "ReduceL1": read_plain,
    "ReduceL2": read_plain,
    "ReduceLogSum": read_log_sum,
    "ReduceLogSumExp": read_log_sum_exp,
    "ReduceMax": _reducer("Max"),
    "ReduceMean": _reducer("Mean"),
    "ReduceMin": _reducer("Min"),
    "ReduceProd": read_plain,
    "ReduceSum": _reducer("Sum"),
    "ReduceSumSquare": read_plain,
}
