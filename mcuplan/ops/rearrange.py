# SPDX-License-Identifier: Apache-2.0
"""Operators that are tables of places when generating: Compress, Trilu, ReverseSequence, OneHot."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mcuplan.errors import DamagedModel, InputTooLarge, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.types import Array
from mcuplan.ops._classical import Standard
from mcuplan.ops._read import inner, int_list, layout_behind, normal_axis
from mcuplan.ops._taken import FILLED
from mcuplan.ops.gather import add_taken
from mcuplan.ops.movement import add_view
from mcuplan.ops.take import Take

__all__ = ["READERS"]

_PLACES = 1 << 16


def _constant(node: OnnxNode, build: Builder, index: int, what: str) -> Array:
    """The value of an input that must be known.

    Raises:
        UnsupportedOp: it is computed.
    """
    given = build.constant(node.input(index))
    if given is None:
        raise UnsupportedOp(
            f"{what} of {node.op_type} is computed while the model runs",
            hint="make it a constant",
        )
    return given.data


def _check_size(places: int) -> None:
    """Refuse a table before it is made.

    Raises:
        InputTooLarge: it has more places than any kernel takes.
    """
    if places > _PLACES:
        raise InputTooLarge(f"a table of {places:,} places", hint=f"up to {_PLACES:,} are taken")


def _in_line(node: OnnxNode, build: Builder, first: int, count: int) -> tuple[OnnxNode, OnnxNode]:
    """``count`` axes from one on seen as one.

    Returns:
        The node reading that, making an intermediate result, and one that reads this.
    """
    shape = build.shape(node.input(0))
    wide, taken = inner(node, "wide"), inner(node, "taken")
    line = math.prod(shape[first : first + count])
    add_view(wide, build, (*shape[:first], line, *shape[first + count :]))
    return replace(taken, inputs=wide.outputs), replace(node, inputs=taken.outputs)


def read_compress(node: OnnxNode, build: Builder) -> None:
    """Elements of an axis, or of all of them in line, where a constant condition holds."""
    shape = build.shape(node.input(0))
    wanted = np.flatnonzero(_constant(node, build, 1, "condition").reshape(-1))
    if "axis" in node.attributes:
        axis = normal_axis(node.get_int("axis", 0), len(shape))
    else:
        flat = inner(node, "flat")
        add_view(flat, build, (math.prod(shape),))
        node, axis = replace(node, inputs=flat.outputs), 0
    if not len(wanted) or wanted[-1] >= build.shape(node.input(0))[axis]:
        raise DamagedModel("a condition that takes nothing, or more than there is")
    add_taken(node, build, axis, wanted)


def read_reverse_sequence(node: OnnxNode, build: Builder) -> None:
    """The first elements of each sequence backwards; how many is constant."""
    shape = build.shape(node.input(0))
    time, batch = node.get_int("time_axis", 0), node.get_int("batch_axis", 1)
    if sorted((time, batch)) != [0, 1] or len(shape) < 2:
        raise DamagedModel(f"time_axis={time}, batch_axis={batch} of rank {len(shape)}")
    lengths = _constant(node, build, 1, "sequence_lens").reshape(-1)
    if len(lengths) != shape[batch] or not ((lengths >= 0) & (lengths <= shape[time])).all():
        raise DamagedModel(f"sequence_lens={lengths.tolist()} of {shape[time]} steps")
    _check_size(math.prod(shape[:2]))
    steps = np.arange(shape[time])
    backwards = [np.where(steps < n, n - 1 - steps, steps) for n in lengths.astype(np.int64)]
    places = np.stack(backwards) + np.arange(shape[batch])[:, None] * shape[time]
    if time == 0:
        places = (np.stack(backwards) * shape[batch] + np.arange(shape[batch])[:, None]).T
    taken, last = _in_line(node, build, 0, 2)
    add_taken(taken, build, 0, places.reshape(-1))
    add_view(last, build, shape)


def read_trilu(node: OnnxNode, build: Builder) -> None:
    """The upper or lower triangle of each matrix; zeros elsewhere."""
    shape = build.shape(node.input(0))
    if len(shape) < 2:
        raise DamagedModel(f"Trilu of rank {len(shape)}")
    _check_size(math.prod(shape[-2:]))
    (k,) = int_list(node, build, 1, "k") or (0,)
    matrix = np.ones(shape[-2:], bool)
    keeps = np.triu(matrix, k) if node.get_int("upper", 1) else np.tril(matrix, k)
    places = np.where(keeps.reshape(-1), np.arange(keeps.size), FILLED)
    taken, last = _in_line(node, build, len(shape) - 2, 2)
    name, axis = taken.input(0), len(shape) - 2
    layout = layout_behind(build, [name], [axis])
    indices = tuple(tuple(places.tolist()) if a == axis else None for a in layout)
    source = build.in_layout(name, layout)
    build.add(Take(indices), [source], taken, layout, quant=build.quant(name))
    add_view(last, build, shape)


def read_one_hot(node: OnnxNode, build: Builder) -> None:
    """Where the index of a position is that of the new axis, counted from either end."""
    shape, values = build.shape(node.input(0)), _constant(node, build, 2, "values").reshape(-1)
    depth = int(_constant(node, build, 1, "depth").reshape(-1)[0])
    if depth < 1 or len(values) != 2:
        raise DamagedModel(f"depth={depth}, {len(values)} values")
    _check_size(depth)
    axis = normal_axis(node.get_int("axis", -1), len(shape) + 1)
    given = build.constant(node.input(0))
    x = Standard(node, build)
    wide = x.op("Unsqueeze", [node.input(0), x.constant(np.array([axis], np.int64))])
    place = [depth if a == axis else 1 for a in range(len(shape) + 1)]
    kind = build.dtype(node.input(0)).numpy if given is None else given.data.dtype
    ends = [np.arange(depth).reshape(place), np.arange(-depth, 0).reshape(place)]
    hits = [x.op("Equal", [wide, x.constant(end.astype(kind))]) for end in ends]
    off, on = (x.constant(np.asarray(value)) for value in values)
    x.op("Where", [x.op("Or", hits), on, off], node.outputs[0])


READERS = {
    "Compress": read_compress,
    "OneHot": read_one_hot,
    "ReverseSequence": read_reverse_sequence,
    "Trilu": read_trilu,
}
