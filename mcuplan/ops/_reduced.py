# SPDX-License-Identifier: Apache-2.0
"""How reductions go: what each element becomes, how two are joined, and which loops reach them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import row_axis
from mcuplan.ir.types import Array

__all__ = ["FORMS", "divided", "first_of", "reduced_loops"]


@dataclass(frozen=True, slots=True)
class Form:
    """How a reduction goes: number of mplan_reduce.h, each element, two of them, the start."""

    number: int
    term: Callable[[Array], Array]
    join: Callable[[Array, Array], Array]
    start: float


def _itself(x: Array) -> Array:
    return x


def _larger(a: Array, b: Array) -> Array:
    return np.where((a > b) | (a != a), a, b)


def _smaller(a: Array, b: Array) -> Array:
    return np.where((a < b) | (a != a), a, b)


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "ReduceSum": Form(0, _itself, np.add, 0.0),
        "ReduceMean": Form(1, _itself, np.add, 0.0),
        "ReduceMax": Form(2, _itself, _larger, -math.inf),
        "ReduceMin": Form(3, _itself, _smaller, math.inf),
        "ReduceProd": Form(4, _itself, np.multiply, 1.0),
        "ReduceL1": Form(5, np.abs, np.add, 0.0),
        "ReduceL2": Form(6, np.square, np.add, 0.0),
        "ReduceSumSquare": Form(7, np.square, np.add, 0.0),
    }
)
_LOOPS = 3


def first_of(real: float, dtype: np.dtype[Any]) -> float | int:
    """What is joined with the first element."""
    if dtype.kind == "f" or math.isfinite(real):
        return real
    return np.iinfo(dtype).max if real > 0 else np.iinfo(dtype).min


def divided(sums: Array, count: int) -> Array:
    """Towards 0."""
    made: Array = np.sign(sums) * (np.abs(sums) // count)
    return made


def _merged(shape: Sequence[int], axes: Iterable[int]) -> list[tuple[int, int]]:
    """Rounds and steps along some axes, neighbours joined where they are one walk."""
    found: list[tuple[int, int]] = []
    for axis in axes:
        count, step = shape[axis], math.prod(shape[axis + 1 :])
        if count == 1:
            continue
        if found and found[-1][1] == count * step:
            found[-1] = (found[-1][0] * count, step)
        else:
            found.append((count, step))
    return found


def reduced_loops(shape: Sequence[int], axes: Sequence[int]) -> list[int]:
    """Loops inside a row, as the kernels have them: along axes that stay, then the others.

    Raises:
        UnsupportedOp: there are more than the kernels have.
    """
    by_row = row_axis(tuple(shape))
    within = [a for a in range(len(shape)) if by_row is None or a > by_row]
    kept = _merged(shape, (a for a in within if a not in axes))
    gone = _merged(shape, (a for a in within if a in axes))
    if max(len(kept), len(gone)) > _LOOPS:
        raise UnsupportedOp(f"axes {list(axes)} of {list(shape)}", hint="use fewer axes")
    padded = ([(1, 0)] * (_LOOPS - len(loops)) + loops for loops in (kept, gone))
    return [number for loops in padded for loop in loops for number in loop]
