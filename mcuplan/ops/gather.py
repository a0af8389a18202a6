# SPDX-License-Identifier: Apache-2.0
"""Gather: by constant indices slices, tables, or nothing but another shape; else as it runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.errors import DamagedModel
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.types import Array
from mcuplan.ops._indexed import index_operand, operand
from mcuplan.ops._read import inner, layout_behind, normal_axis
from mcuplan.ops.indexing import Gather, GatherElements, GatherND
from mcuplan.ops.movement import add_view, read_transpose
from mcuplan.ops.slicing import Range, add_slice
from mcuplan.ops.take import Take

__all__ = ["READERS", "add_taken"]


def read_gather(node: OnnxNode, build: Builder) -> None:
    """Elements of one axis at indices of any shape; constant ones are known to be within it."""
    shape = build.shape(node.input(0))
    axis = normal_axis(node.get_int("axis", 0), len(shape))
    given = build.constant(node.input(1))
    if given is None:
        add_gather(node, build, Gather(axis))
        return
    wanted = given.data.astype(np.int64)
    if wanted.size == 0 or wanted.min() < -shape[axis] or wanted.max() >= shape[axis]:
        raise DamagedModel(f"indices beyond an axis of {shape[axis]} elements")
    wanted = np.where(wanted < 0, wanted + shape[axis], wanted)
    made = (*shape[:axis], *wanted.shape, *shape[axis + 1 :])
    if wanted.ndim == 1:
        add_taken(node, build, axis, wanted)
        return
    taken = inner(node, "taken")
    add_taken(taken, build, axis, wanted.reshape(-1))
    add_view(replace(node, inputs=taken.outputs), build, made)


def add_taken(node: OnnxNode, build: Builder, axis: int, wanted: Array) -> None:
    """Elements of one axis of the first input at a list of indices."""
    shape = build.shape(node.input(0))
    run = _run(wanted)
    if run is not None:
        add_slice(node, build, {axis: run})
        return
    columns = _columns(wanted, shape[axis])
    if columns:
        _regroup(node, build, axis, columns)
        return
    layout = layout_behind(build, [node.input(0)], [axis])
    indices = tuple(tuple(wanted.tolist()) if a == axis else None for a in layout)
    source = build.in_layout(node.input(0), layout)
    build.add(Take(indices), [source], node, layout, quant=build.quant(node.input(0)))


def add_gather(node: OnnxNode, build: Builder, op: Gather | GatherElements | GatherND) -> None:
    """An operator of data and indices, in the model's order of axes."""
    stem, data = node.outputs[0], node.input(0)
    table = build.constant(data)
    if table is not None and table.data.dtype.kind == "f" and table.data.size:
        op = replace(op, table=(float(table.data.min()), float(table.data.max())))
    indices = index_operand(build, node.input(1), f"{stem}_indices")
    quant = None if table is not None else build.quant(data)
    build.add(op, [operand(build, data, f"{stem}_table"), indices], node, quant=quant)


def read_gather_elements(node: OnnxNode, build: Builder) -> None:
    """An element for each index, constant or not."""
    rank = len(build.shape(node.input(0)))
    add_gather(node, build, GatherElements(normal_axis(node.get_int("axis", 0), rank)))


def read_gather_nd(node: OnnxNode, build: Builder) -> None:
    """A block for each tuple of indices, constant or not."""
    add_gather(node, build, GatherND(node.get_int("batch_dims", 0)))


def _regroup(node: OnnxNode, build: Builder, axis: int, columns: int) -> None:
    """All elements, column by column of a matrix of so many columns (shuffled channels)."""
    shape = build.shape(node.input(0))
    rows = shape[axis] // columns
    before, after = shape[:axis], shape[axis + 1 :]
    matrix, turned = inner(node, "matrix"), inner(node, "turned")
    add_view(matrix, build, (*before, rows, columns, *after))
    order = list(range(len(shape) + 1))
    order[axis], order[axis + 1] = axis + 1, axis
    turn = replace(turned, inputs=matrix.outputs, attributes={"perm": tuple(order)})
    read_transpose(turn, build)
    add_view(replace(node, inputs=turned.outputs), build, shape)


def _columns(wanted: Array, size: int) -> int:
    """Columns of the matrix whose transpose the indices are, 0 where they are none."""
    if len(wanted) != size or wanted[0] != 0:
        return 0
    columns = int(wanted[1])
    if columns < 2 or size % columns:
        return 0
    turned = np.arange(size).reshape(-1, columns).T.reshape(-1)
    return columns if np.array_equal(turned, wanted) else 0


def _run(wanted: Array) -> Range | None:
    """Indices as one run of equal steps, if they are one."""
    step = int(wanted[1] - wanted[0]) if len(wanted) > 1 else 1
    first, count = int(wanted[0]), len(wanted)
    return (first, step, count) if step and (np.diff(wanted) == step).all() else None


READERS = {
    "Gather": read_gather,
    "GatherElements": read_gather_elements,
    "GatherND": read_gather_nd,
}
