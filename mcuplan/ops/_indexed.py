# SPDX-License-Identifier: Apache-2.0
"""Walks over blocks whose places are indices of another tensor (``mplan_walk.h``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, plain
from mcuplan.ir.op import ConstArray, Field
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ops._strided import MOVED

__all__ = ["Walk", "index_operand", "indexed_types", "operand", "strides", "within"]

_LOOPS = 5
_INDICES = (DType.INT32, DType.INT64)


def indexed_types(inputs: int) -> tuple[Types, ...]:
    """Data of any width, indices of 32 or 64 bits, and so many inputs in all."""
    return tuple(
        replace(types, inputs=(*types.inputs, index, *types.inputs * (inputs - 2)))
        for types in MOVED
        for index in _INDICES
    )


@dataclass(frozen=True, slots=True)
class Walk:
    """Loops of (rounds, elements, indices per round), outermost first, over blocks of elements.

    ``axes``: for each of the indices of a block the size of its axis, and elements from one
    index to the next. ``block``: consecutive elements.
    """

    loops: tuple[tuple[int, int, int], ...]
    axes: tuple[tuple[int, int], ...]
    block: int

    def fields(self, moved: TensorType, index: TensorType, held: TensorType) -> dict[str, Field]:
        """Members of a params struct: blocks of ``moved`` lie in ``held`` where indices say.

        Raises:
            UnsupportedOp: more loops than the kernels have.
        """
        size = held.dtype.nbytes()
        run = math.gcd(self.block * size, held.row_bytes, moved.row_bytes)
        loops = [(n, step * size, indices) for n, step, indices in self.loops]
        table = _merged([*loops, (self.block * size // run, run, 0)])
        if len(table) > _LOOPS:
            raise UnsupportedOp(f"indices along {len(table)} axes", hint=f"up to {_LOOPS} are")
        table = [(1, 0, 0)] * (_LOOPS - len(table)) + table
        axes = [(n, step * size) for n, step in self.axes]
        return {
            "loops": ConstArray(DType.UINT32, np.array(table, np.uint32), "tables"),
            "axes": ConstArray(DType.UINT32, np.array(axes, np.uint32), "tables"),
            "depth": len(axes),
            "run": run,
            "row_blocks": moved.row_bytes // run,
            "in_row_bytes": held.row_bytes,
            "in2_row_bytes": index.row_bytes,
            "index_bytes": index.dtype.nbytes(),
        }


def _merged(loops: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Loops without those of one round, neighbours joined where they are one walk."""
    found: list[tuple[int, int, int]] = []
    for count, step, indices in loops:
        if count == 1:
            continue
        if found and found[-1][1:] == (count * step, count * indices):
            found[-1] = (found[-1][0] * count, step, indices)
        else:
            found.append((count, step, indices))
    return found


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Elements from one index of each axis to the next."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def within(indices: Array, size: int) -> Array:
    """Indices of an axis, from its end where below 0, at an end where beyond it."""
    whole = indices.astype(np.int64)
    return np.clip(np.where(whole < 0, whole + size, whole), 0, size - 1)


def index_operand(build: Builder, name: str, stem: str) -> str:
    """Indices as the kernels read them: in the model's order, constant ones of 32 bits."""
    constant = build.constant(name)
    if constant is None:
        return build.in_layout(name, plain(len(build.shape(name))))
    narrow = np.clip(constant.data, DType.INT32.low, DType.INT32.high).astype(np.int32)
    return build.add_constant(Constant(narrow), stem)


def operand(build: Builder, name: str, stem: str) -> str:
    """Data in the model's order of axes, an activation or a constant."""
    constant = build.constant(name)
    if constant is None:
        return build.in_layout(name, plain(len(build.shape(name))))
    return build.add_constant(constant, stem)
