# SPDX-License-Identifier: Apache-2.0
"""Operators that only move elements, in every element type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcuplan.ir.op import Example, Signature
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ops import all_ops, kernels_of
from mcuplan.ops._strided import MOVED

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


def make_typed_case(name: str, example: Example, dtype: DType, seed: int) -> Case:
    """An example over elements of one type, on no grid."""
    rng = np.random.default_rng([seed, *name.encode()])
    arrays = tuple(values(rng, shape, dtype) for shape in example.inputs)
    kinds = tuple(TensorType(array.shape, dtype) for array in arrays)
    constants = tuple(a if i in example.constants else None for i, a in enumerate(arrays))
    sig = Signature(example.op, kinds, example.op.infer(kinds), constants)
    return (FloatCase if dtype.is_float else Case)(name, sig, arrays)


def _moving() -> list[tuple[str, Example]]:
    found = [op for op in all_ops() if op.types == MOVED and not op.is_view]
    return [(f"{op.__name__}_{k}", e) for op in found for k, e in enumerate(op.examples())]


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
