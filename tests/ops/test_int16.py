# SPDX-License-Identifier: Apache-2.0
"""Operators in int16: C against the integer meaning, and that against the real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcuplan.ir.op import Kernel, Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops import kernels_of
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import FINE_TYPES, INT16_TYPES
from mcuplan.ops.unary import Lookup, UnaryFn

from .c_program import Program
from .cases import Case, all_examples, make_case


def _cases(seed: int) -> list[tuple[Case, Kernel]]:
    """Every example of every operator that is there for int16, with each of its kernels."""
    return [
        (case, kernel)
        for name, example in all_examples()
        if INT16_TYPES in example.op.types and not example.types and example.op.is_wide
        for types in (INT16_TYPES, FINE_TYPES)
        if types in example.op.types
        for case in [make_case(name, example, seed, types.weights[0], types=types)]
        for kernel in kernels_of().get(type(example.op), ())
        if kernel.runs(case.sig)
    ]


def test_each_operator_has_a_kernel() -> None:
    """For each of its examples that keeps to its meaning."""
    found = {case.name for case, _ in _cases(0)}
    wanted = [
        name
        for name, example in all_examples()
        if INT16_TYPES in example.op.types and not example.types and example.op.is_wide
    ]
    assert [] == [name for name in wanted if name not in found]
    assert {"Conv2D_0", "Dense_0", "Add_0", "AvgPool2D_0", "MaxPool2D_0"} <= found


@pytest.mark.parametrize("seed", [1, 2])
def test_c_equals_the_integer_meaning(seed: int, tmp_path: Path, host_gcc: str) -> None:
    """In every byte, however the rows lie in memory."""
    program = Program(seed)
    for case, kernel in _cases(seed):
        program.add(case, kernel)
    assert [] == program.run(tmp_path)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_results_are_at_most_a_step_off(seed: int) -> None:
    """From the rounded real result of the same integers; lines of a table are a half more."""
    for case in {case.name: case for case, _ in _cases(seed)}.values():
        sig, grid = case.sig, case.sig.output.q
        pairs = zip(case.arrays, sig.inputs, strict=True)
        real = [kind.q.dequantize(array) for array, kind in pairs]
        made = case.integer().astype(np.int64)
        wanted = sig.op.reference(*real)[0].astype(np.float64) / grid.s + grid.z
        inside = np.clip(wanted, DType.INT16.low, DType.INT16.high)
        lines = isinstance(sig.op, Lookup) and sig.op.clamp is None
        if lines and len(sig.op.lines(sig).table) > 4096:
            continue  # the longest table, which is as near as it can be
        off = np.abs(made - inside)
        rounding = 2.0**-23 * np.abs(wanted)  # of the reference
        assert (off <= 0.51 + (1.0 if lines else 0.5) + rounding).all(), (case.name, off.max())


def test_sums_beyond_32_bits(tmp_path: Path, host_gcc: str) -> None:
    """Of 5,000 largest products, in a matrix and in a convolution of one channel."""
    program = Program(0)
    for op, shape, weights in (
        (Dense(), (1, 5000), (2, 5000)),
        (Conv2D((70, 70)), (1, 70, 70, 1), (2, 70, 70, 1)),
    ):
        case = _large(op, shape, weights)
        (found,) = case.integers()
        count = np.prod(weights[1:])
        assert abs(int(found.reshape(-1)[0]) - 127 * 32767 * count * 2.0**-20) <= 1.0
        for kernel in kernels_of()[type(op)]:
            if kernel.runs(case.sig):
                program.add(case, kernel)
    assert [] == program.run(tmp_path)


def _large(op: Dense | Conv2D, shape: tuple[int, ...], weights: tuple[int, ...]) -> Case:
    grid = Quant.per_tensor(2.0**-15, 0, DType.INT16)
    w = np.full(weights, 127, np.int8)
    w[1] = -127
    arrays = (np.full(shape, 32767, np.int16), w, np.array([0, 3], np.int32))
    scale = Quant((2.0**-3,), (0,))
    kinds = (
        TensorType(shape, DType.INT16, grid),
        TensorType(weights, DType.INT8, scale),
        TensorType((2,), DType.INT32, Quant((2.0**-18,), (0,), None, DType.INT32)),
    )
    made = op.infer([TensorType(kind.shape) for kind in kinds])[0]
    out = TensorType(made.shape, DType.INT16, Quant.per_tensor(4.0, 0, DType.INT16))
    case = Case(type(op).__name__, Signature(op, kinds, (out,), (None, *arrays[1:])), arrays)
    return case


def test_tables_are_as_long_as_a_function_asks_for() -> None:
    """The error is that of the shortest table that is near enough, over all values."""
    source = Quant.per_tensor(8.0 / 32767, 0, DType.INT16)
    codes = DType.INT16.codes.astype(np.int16)
    for name, high, longest in (("sigmoid", 1.0, 1025), ("tanh", 1.0, 1025), ("gelu", 8.0, 1025)):
        output = Quant.per_tensor(high / 32767, 0, DType.INT16)
        kinds = (TensorType((1, codes.size), DType.INT16, source),)
        op = Lookup((UnaryFn(name),))
        sig = Signature(op, kinds, (replace(kinds[0], quant=output),), (None,))
        made = op.integer(sig, codes[None])[0]
        wanted = op.value(source.dequantize(codes)) / output.s
        assert np.abs(made[0] - np.clip(wanted, -32768, 32767)).max() <= 1.5
        assert len(op.lines(sig).table) <= longest
