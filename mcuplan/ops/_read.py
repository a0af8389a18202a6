# SPDX-License-Identifier: Apache-2.0
"""What readers of ONNX nodes share: values that moved from attributes to inputs, axes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode
from mcuplan.ir.graph import Layout

__all__ = [
    "add_empty",
    "channels_last",
    "constant_float",
    "held_ending_with",
    "inner",
    "int_list",
    "layout_behind",
    "normal_axis",
]


def int_list(node: OnnxNode, build: Builder, index: int, key: str) -> tuple[int, ...] | None:
    """Integers from a constant input (newer opsets) or an attribute; None where absent.

    Raises:
        UnsupportedOp: the input is computed while the model runs.
    """
    if node.input(index):
        given = build.constant(node.input(index))
        if given is None:
            raise UnsupportedOp(
                f"{key} of {node.op_type} is computed while the model runs",
                hint="export with fixed shapes, so that it becomes a constant",
            )
        return tuple(int(v) for v in given.data.reshape(-1))
    return node.get_ints(key, ()) if key in node.attributes else None


def constant_float(node: OnnxNode, build: Builder, index: int, key: str, default: float) -> float:
    """One float from a constant input (newer opsets) or an attribute.

    Raises:
        UnsupportedOp: the input is computed, or holds several values.
    """
    if not node.input(index):
        return node.get_float(key, default)
    given = build.constant(node.input(index))
    if given is None or given.data.size != 1:
        raise UnsupportedOp(
            f"{key} of {node.op_type} is not one constant", hint="make it a constant"
        )
    return float(given.data.reshape(-1)[0])


def normal_axis(axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        UnsupportedOp: the tensor has no such axis.
    """
    if not -rank <= axis < rank:
        raise UnsupportedOp(f"axis={axis} of a tensor of rank {rank}")
    return axis + rank if axis < 0 else axis


def held_ending_with(build: Builder, name: str, axis: int) -> Layout | None:
    """The first layout in which an activation is held whose last axis is the given one."""
    return next((layout for layout in build.layouts(name) if layout[-1] == axis), None)


def channels_last(build: Builder, name: str, axis: int) -> Layout | None:
    """A layout whose last axis is the channel axis: held, or rows where that is ONNX's."""
    rank = len(build.shape(name))
    held = held_ending_with(build, name, axis)
    rows = (0, *range(2, rank), 1) if axis == 1 and rank > 2 else None
    return rows if held is None else held


def layout_behind(build: Builder, names: Sequence[str], axes: Collection[int]) -> Layout:
    """The layout of the largest of some activations, with none of its ``axes`` in the first place.

    That is where samples lie: what is moved along it stands behind a new axis of size 1.
    """
    layout = build.preferred_layout(names)
    return (None, *layout) if layout and layout[0] in axes else layout


def add_empty(node: OnnxNode, build: Builder, shape: Sequence[int], output: int = 0) -> None:
    """An output without elements, which is therefore a constant."""
    kind = build.dtype(node.input(0)).numpy
    build.constants[node.outputs[output]] = Constant(np.zeros(shape, kind))


def inner(node: OnnxNode, suffix: str) -> OnnxNode:
    """The node as the maker of an intermediate result that the model does not name."""
    name = f"{node.outputs[0]}:{suffix}"
    return replace(node, outputs=(name,), name=node.name or node.outputs[0])
