# SPDX-License-Identifier: Apache-2.0
"""Operators that only move elements, in every element type."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from mcuplan.ir.op import Example, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ops import all_ops, kernels_of
from mcuplan.ops._strided import MOVED
from mcuplan.ops.indexing import Indexed
from mcuplan.ops.scatter import Scatter

from .c_program import Program
from .cases import Case, FloatCase

WIDE = [types.inputs[0] for types in MOVED[1:]]


def values(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    """Elements that use all bytes of their type."""
    if dtype.is_float:
        return (rng.standard_normal(shape) * 10 ** rng.uniform(-9, 9, shape)).astype(np.float32)
    if dtype is DType.BOOL:
        return rng.random(shape) < 0.5
    return rng.integers(dtype.low, dtype.high, size=shape, dtype=dtype.numpy, endpoint=True)


def _indices(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    """Indices of any sort: of an axis, from its end, just beyond, and the ends of the type."""
    near = rng.integers(-9, 9, shape)
    ends = rng.choice([dtype.low, dtype.high], shape)
    return np.where(rng.random(shape) < 0.1, ends, near).astype(dtype.numpy)


def make_typed_case(
    name: str, example: Example, dtype: DType, seed: int, indices: DType | None = None
) -> Case:
    """An example over elements of one type, on no grid; ``indices``: that of input 1."""
    rng = np.random.default_rng([seed, *name.encode()])
    arrays = tuple(
        values(rng, shape, dtype)
        if index != 1 or indices is None
        else _indices(rng, shape, indices)
        for index, shape in enumerate(example.inputs)
    )
    kinds = tuple(TensorType(array.shape, DType.of(array)) for array in arrays)
    constants = tuple(a if i in example.constants else None for i, a in enumerate(arrays))
    sig = Signature(example.op, kinds, example.op.infer(kinds), constants)
    return (FloatCase if dtype.is_float else Case)(name, sig, arrays)


def _moving() -> list[tuple[str, Example]]:
    return _named(op for op in all_ops() if op.types == MOVED and not op.is_view)


def _named(ops: Iterable[type[Op]]) -> list[tuple[str, Example]]:
    return [(f"{op.__name__}_{k}", e) for op in ops for k, e in enumerate(op.examples())]


@pytest.mark.parametrize("dtype", WIDE)
def test_bytes_arrive_whole(dtype: DType, tmp_path: Path, host_gcc: str) -> None:
    """C moves every byte of elements of any width as numpy does, however the rows lie."""
    program, seen = Program(1), set()
    for name, example in _moving():
        case = make_typed_case(name, example, dtype, 1)
        kernels = [k for k in kernels_of()[type(example.op)] if k.runs(case.sig)]
        assert kernels, f"{name} in {dtype}"
        seen.add(type(example.op).__name__)
        for kernel in kernels:
            program.add(case, kernel)
    assert {"Concat", "Pad", "Slice", "Take", "Tile", "Transpose"} <= seen
    assert [] == program.run(tmp_path)


@pytest.mark.parametrize("indices", [DType.INT32, DType.INT64])
def test_indices_of_any_value_are_defined(indices: DType, tmp_path: Path, host_gcc: str) -> None:
    """What indices read or write is the same in C and numpy, and within the tensors."""
    program, seen = Program(2), set()
    for dtype in WIDE:
        for name, example in _named(op for op in all_ops() if issubclass(op, Indexed | Scatter)):
            case = make_typed_case(name, example, dtype, 2, indices)
            if not any(types.admit(case.sig.types) for types in example.op.types):
                continue
            (kernel,) = (k for k in kernels_of()[type(example.op)] if k.runs(case.sig))
            program.add(case, kernel)
            seen.add((type(example.op), dtype))
    assert 4 * len(WIDE) + 3 == len(seen)  # three Gathers and Scatter; reductions of three types
    assert [] == program.run(tmp_path)
