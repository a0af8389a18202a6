# SPDX-License-Identifier: Apache-2.0
"""Shapes that kernels of int16 are counted on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from mcuplan.ir.types import DType, Quant
from mcuplan.ops.conversion import FromGrid, ToGrid, ToType
from mcuplan.ops.fields import INT16_TYPES
from mcuplan.ops.min_pool import MinPool2D
from mcuplan.ops.unary import Lookup, UnaryFn, clip
from mcuplan.prove.layers import Shape

__all__ = ["in_int16"]

_GRID = Quant.per_tensor(2.0**-12, 0, DType.INT16)
_SIZES = ((1, 6, 4, 16), (1, 3, 5, 7), (1, 200), (1, 1, 9, 33))


def in_int16(shapes: Iterable[Shape]) -> Iterator[Shape]:
    """Every second shape of each operator that is there for int16, and what is not among them."""
    seen: dict[object, int] = {}
    for shape in shapes:
        if INT16_TYPES not in shape.op.types or not shape.op.is_wide or shape.types or shape.wide:
            continue
        number = seen[type(shape.op)] = seen.get(type(shape.op), 0) + 1
        if number % 2:
            yield from _wide(shape)
    for size in _SIZES:
        yield Shape(ToType(), (size,))
        yield Shape(ToType(), (size,), grids=(_GRID,))
        yield Shape(FromGrid(), (size,), grids=(_GRID,))
        yield Shape(ToGrid(), (size,), made=DType.INT16)
        for chain in ((clip(0.0, 3.0),), (UnaryFn("sigmoid"),)):
            yield from _wide(Shape(Lookup(chain), (size,)))
    yield from _wide(Shape(MinPool2D((2, 2), (2, 2)), ((1, 6, 8, 12),)))


def _wide(shape: Shape) -> Iterator[Shape]:
    found = replace(shape, grids=(_GRID,) * len(shape.inputs))
    yield found
    if shape.op.weight_inputs:
        yield replace(found, weights=DType.INT8)
