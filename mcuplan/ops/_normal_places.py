# SPDX-License-Identifier: Apache-2.0
"""Where a normalization runs: a layout that is held, and the view of it whose last axes count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant
from mcuplan.ir.geometry import Shape
from mcuplan.ir.graph import Layout
from mcuplan.ir.types import Array

__all__ = ["Place", "along", "place_of", "spread", "wide"]


@dataclass(frozen=True, slots=True)
class Place:
    """A layout, and the view of it in which `Normalize` does what is wanted."""

    layout: Layout
    view: tuple[int, ...]
    whole: bool
    last: tuple[int, ...]  # axes of the model's tensor that the last one of the view is made of


def wide(build: Builder, value: Constant | str, default: float, rank: int) -> Array | None:
    """A constant with as many axes as the tensor, those of one value of size 1."""
    known = build.constant(value) if isinstance(value, str) else value
    if known is None:
        return np.full((1,) * rank, default) if value == "" else None
    if known.data.ndim > rank:
        return None
    data = known.data.astype(np.float64)
    if data.size and bool((data == data.reshape(-1)[0]).all()):
        data = data.reshape(-1)[0]
    return data.reshape((1,) * (rank - data.ndim) + data.shape)


def along(values: Sequence[Array | None]) -> frozenset[int]:
    """Axes along which constants vary."""
    return frozenset(
        axis
        for value in values
        if value is not None
        for axis, size in enumerate(value.shape)
        if size > 1
    )


def spread(value: Array | None, shape: Shape, last: Sequence[int]) -> tuple[float, ...] | None:
    """A constant for each index of the last axis of a view; None where it varies along others."""
    if value is None or not along([value]) <= frozenset(last):
        return None
    others = [axis for axis in range(len(shape)) if axis not in last]
    moved = value.transpose([*others, *last]).reshape([value.shape[a] for a in last])
    full = np.broadcast_to(moved, [shape[a] for a in last])
    return tuple(float(v) for v in full.reshape(-1))


def place_of(
    build: Builder, name: str, axes: frozenset[int], groups: int, varying: frozenset[int]
) -> Place:
    """Where the axes are normalized without moving data, else where they come last.

    ``varying``: axes along which gains vary, which the operator takes if it can.
    """
    shape = build.shape(name)
    rank = len(shape)
    rows = (0, *range(2, rank), 1) if rank > 1 else (0,)
    last = (*(a for a in range(rank) if a not in axes), *sorted(axes))
    layouts = (*build.layouts(name), rows, last)
    for wanted in (varying, frozenset[int]()):
        for layout in layouts:
            place = _seen(layout, shape, axes, groups)
            if place is not None and wanted <= frozenset(place.last):
                return place
    raise UnsupportedOp(f"{groups} groups of axis 1 of shape {list(shape)}")


def _seen(layout: Layout, shape: Shape, axes: frozenset[int], groups: int) -> Place | None:
    """The view of a layout that has the axes last, or in front of the last."""
    sizes = tuple(1 if a is None else shape[a] for a in layout)
    order = [a for a in layout if a is not None and shape[a] != 1]
    values = math.prod(shape[a] for a in axes)
    before = _in_front(order, axes)
    if groups == 1 and before is not None:
        view = sizes if sizes[-1:] == (values,) else (1, *(shape[a] for a in before), values)
        return Place(layout, view, False, tuple(a for a in layout if a in axes))
    last = layout[-1] if layout else None
    if last is None or (last in axes) != (groups > 1) or (groups > 1 and last != 1):
        return None
    before = _in_front([a for a in order if a != last], axes)
    if before is None:
        return None
    pixels = values // (shape[last] if groups > 1 else 1)
    view = (1, math.prod(shape[a] for a in before), pixels, shape[last])
    return Place(
        layout, sizes if sizes[-2:] == view[-2:] and len(sizes) > 3 else view, True, (last,)
    )


def _in_front(order: Sequence[int], axes: frozenset[int]) -> Sequence[int] | None:
    """The axes in front of those given, which are the last ones; None where they are not."""
    inside = [a in axes for a in order]
    count = len(order) - sum(inside)
    return None if any(inside[:count]) else order[:count]
