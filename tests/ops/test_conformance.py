# SPDX-License-Identifier: Apache-2.0
"""Every operator, by discovery: shapes, costs, and C against the integer meaning."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcuplan.ir.op import Example
from mcuplan.ir.types import TensorType
from mcuplan.ops import all_kernels, all_ops, kernels_of
from mcuplan.price.structs import kernel_struct

from .c_program import Program
from .cases import all_examples, drawn, grid_examples, make_case, weight_types

EXAMPLES = [pytest.param(name, example, id=name) for name, example in all_examples()]

REWRITTEN = ("ChannelAffine",)
"""Operators that a pass always turns into others."""


def _samples(example: Example, count: int) -> list[np.ndarray]:
    """Random float arrays, activations with some samples on axis 0."""
    rng = np.random.default_rng(3)
    arrays = []
    for index, kind in enumerate(example.kinds):
        fixed, shape = index in example.constants or index in example.op.weight_inputs, kind.shape
        wanted = shape if fixed else (shape[0] * count, *shape[1:])
        arrays.append(drawn(rng, kind.dtype, wanted))
    return arrays


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_inferred_shape_is_that_of_the_reference(name: str, example: Example) -> None:
    """The shape an operator infers is the shape its float meaning has."""
    with np.errstate(all="ignore"):
        results = example.op.reference(*_samples(example, 1))
    kinds = example.op.infer(example.kinds)
    assert [kind.shape for kind in kinds] == [result.shape for result in results]
    assert [kind.dtype.numpy for kind in kinds] == [result.dtype for result in results]


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_samples_are_independent(name: str, example: Example) -> None:
    """Three samples evaluated together give what each gives alone."""
    op = example.op
    kinds = example.kinds
    if not op.batchable(kinds, op.infer(kinds)) or kinds[0].shape[:1] != (1,):
        pytest.skip("one sample at a time")
    if len(example.constants) == len(example.inputs):
        pytest.skip("of no sample")
    arrays = _samples(example, 3)
    with np.errstate(all="ignore"):
        together, *_ = op.reference(*arrays)
        for k in range(3):
            one = [a if i in example.constants else a[k : k + 1] for i, a in enumerate(arrays)]
            np.testing.assert_allclose(op.reference(*one)[0][0], together[k], 1e-5, 1e-6)


@pytest.mark.parametrize("op", all_ops(), ids=lambda op: op.__name__)
def test_cost_does_not_fall_with_size(op: type) -> None:
    """An operator whose every size doubles costs at least as much."""
    for example in op.examples():
        kinds = example.kinds
        outputs = example.op.infer(kinds)
        small = example.op.cost(kinds, outputs)
        wide = [replace(k, shape=tuple(2 * n for n in k.shape)) for k in kinds]
        large = example.op.cost(wide, [TensorType(tuple(2 * n for n in o.shape)) for o in outputs])
        assert min(small.macs, small.ops) >= 0
        assert large.macs >= small.macs
        assert large.ops >= small.ops


def test_every_kernel_has_a_params_struct() -> None:
    """Each kernel's header defines a struct that begins with the rows of inputs and output."""
    for kernel in all_kernels():
        members = list(kernel_struct(kernel.function).members.values())
        rows = [member.name for member in members if member.dtype is None]
        assert rows == [member.name for member in members[: len(rows)]]
        made = [name for name in rows if name.startswith("out")]
        assert rows[0] == "in_rows"
        assert rows[-len(made) :] == made == ["out_rows", "out2_rows"][: len(made)]


def test_every_operator_runs() -> None:
    """An operator that is no view has a portable kernel for each of its examples."""
    for name, example in grid_examples():
        if example.op.is_view or name.split("_")[0] in REWRITTEN:
            continue
        for dtype in weight_types(example):
            case = make_case(name, example, 0, dtype)
            found = [k for k in kernels_of().get(type(example.op), ()) if k.runs(case.sig)]
            assert found, (name, dtype)


@pytest.mark.parametrize("seed", [1, 2])
def test_c_equals_the_integer_meaning(seed: int, tmp_path: Path) -> None:
    """Every kernel gives every byte of the integer meaning, however the rows lie in memory."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    program = Program(seed)
    for name, example in grid_examples():
        if type(example.op) not in kernels_of():
            continue
        for dtype in weight_types(example):
            case = make_case(f"{name}_{dtype}", example, seed, dtype)
            for kernel in kernels_of()[type(example.op)]:
                if kernel.runs(case.sig):
                    program.add(case, kernel)
    assert [] == program.run(tmp_path)
