# SPDX-License-Identifier: Apache-2.0
"""Gather by constant indices: slices, their concatenation, or nothing but another shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ops._read import inner, normal_axis
from mcuplan.ops.concat import Concat
from mcuplan.ops.movement import add_view, read_transpose
from mcuplan.ops.slicing import Range, add_slice

__all__ = ["READERS"]

_PARTS = 64  # slices that one Gather may take


def read_gather(node: OnnxNode, build: Builder) -> None:
    """Elements of one axis at constant indices of any shape."""
    shape = build.shape(node.input(0))
    axis = normal_axis(node.get_int("axis", 0), len(shape))
    given = build.constant(node.input(1))
    if given is None:
        raise UnsupportedOp(
            "Gather by indices that are computed while the model runs",
            hint="make the indices constant, or look up before the model",
        )
    wanted = given.data.astype(np.int64)
    if wanted.size == 0 or wanted.min() < -shape[axis] or wanted.max() >= shape[axis]:
        raise DamagedModel(f"indices beyond an axis of {shape[axis]} elements")
    wanted = np.where(wanted < 0, wanted + shape[axis], wanted)
    made = (*shape[:axis], *wanted.shape, *shape[axis + 1 :])
    if wanted.ndim == 1:
        _take(node, build, axis, wanted)
        return
    taken = inner(node, "taken")
    _take(taken, build, axis, wanted.reshape(-1))
    add_view(replace(node, inputs=taken.outputs), build, made)


def _take(node: OnnxNode, build: Builder, axis: int, wanted: np.ndarray) -> None:
    """Elements of one axis of the first input at a list of indices."""
    shape = build.shape(node.input(0))
    runs = _runs([int(i) for i in wanted])
    if len(runs) == 1:
        add_slice(node, build, {axis: runs[0]})
        return
    columns = _columns(wanted, shape[axis])
    if columns:
        _regroup(node, build, axis, columns)
        return
    if len(runs) > _PARTS:
        raise UnsupportedOp(
            f"Gather of {len(runs)} separate runs of indices",
            hint=f"reorder the weights instead; up to {_PARTS} runs are taken",
        )
    if build.preferred_layout([node.input(0)]).index(axis) == 0:
        _take_first(node, build, axis, wanted)
        return
    parts = [inner(node, f"part{k}") for k in range(len(runs))]
    for part, run in zip(parts, runs, strict=True):
        add_slice(part, build, {axis: run})
    names = [part.outputs[0] for part in parts]
    layout = build.preferred_layout(names)
    tensors = [build.in_layout(name, layout) for name in names]
    quant = build.quant(node.input(0))
    build.add(Concat(layout.index(axis)), tensors, node, layout, quant=quant)


def _take_first(node: OnnxNode, build: Builder, axis: int, wanted: np.ndarray) -> None:
    """The same where the axis comes first: behind a new one of size 1."""
    shape = build.shape(node.input(0))
    wide, taken = inner(node, "wide"), inner(node, "narrow")
    add_view(wide, build, (1, *shape))
    _take(replace(taken, inputs=wide.outputs), build, axis + 1, wanted)
    final = (*shape[:axis], len(wanted), *shape[axis + 1 :])
    add_view(replace(node, inputs=taken.outputs), build, final)


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


def _columns(wanted: np.ndarray, size: int) -> int:
    """Columns of the matrix whose transpose the indices are, 0 where they are none."""
    if len(wanted) != size or wanted[0] != 0:
        return 0
    columns = int(wanted[1])
    if columns < 2 or size % columns:
        return 0
    turned = np.arange(size).reshape(-1, columns).T.reshape(-1)
    return columns if np.array_equal(turned, wanted) else 0


def _runs(wanted: Sequence[int]) -> list[Range]:
    """Indices as runs of one step, each as long as it can be."""
    runs: list[Range] = []
    start = 0
    while start < len(wanted):
        end = start + 1
        step = wanted[end] - wanted[start] if end < len(wanted) else 1
        while step and end < len(wanted) and wanted[end] == wanted[end - 1] + step:
            end += 1
        if end - start == 2 and abs(step) != 1 and end < len(wanted):
            end -= 1  # two of one step by chance: the next run may be longer
        runs.append((wanted[start], step if end - start > 1 else 1, end - start))
        start = end
    return runs


READERS = {"Gather": read_gather}
