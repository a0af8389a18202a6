# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mcuplan.ir.geometry import Spans, column_spans, row_spans
from mcuplan.ir.op import Example, Op
from mcuplan.ir.types import Array, TensorType
from mcuplan.ops import all_ops

_CASES = [(op, i) for op in all_ops() for i, _ in enumerate(op.examples())]


def _rows(array: Array, kind: TensorType, first: int, end: int) -> Array:
    """View of some rows of an array of that type."""
    return array.reshape(kind.rows, -1)[first:end]


def _example(op: type[Op], number: int) -> tuple[Example, list[Array]]:
    example = list(op.examples())[number]
    rng = np.random.default_rng(number)
    return example, [rng.uniform(1, 2, shape).astype(np.float32) for shape in example.inputs]


def _others(spans: Spans, size: int) -> list[int]:
    """Indices that no span has; all spans lie within the axis."""
    assert spans.min() >= 0
    assert spans.max() <= size
    read = {i for span in spans.tolist() for i in range(*span)}
    return sorted(set(range(size)) - read)


@pytest.mark.parametrize(("op", "number"), _CASES)
def test_an_output_row_depends_on_the_rows_read_alone(op: type[Op], number: int) -> None:
    """Whatever stands in other rows of the inputs, the output row stays."""
    example, arrays = _example(op, number)
    kinds = [TensorType(shape) for shape in example.inputs]
    output, *_ = example.op.infer(kinds)
    wanted = example.op.reference(*arrays)[0]
    for y in range(output.rows):
        spoiled = [array.copy() for array in arrays]
        for index, kind in enumerate(kinds):
            if index in example.constants:
                continue
            spans = row_spans(example.op, index, example.inputs, output.shape)
            assert len(spans) == output.rows
            others = _others(spans[y], kind.rows)
            spoiled[index].reshape(kind.rows, -1)[others] = 77
        found = example.op.reference(*spoiled)[0]
        rows = (_rows(made, output, y, y + 1) for made in (wanted, found))
        assert np.array_equal(*rows, equal_nan=True)


@pytest.mark.parametrize(("op", "number"), _CASES)
def test_an_output_column_depends_on_the_columns_read_alone(op: type[Op], number: int) -> None:
    """Whatever stands in other columns of the inputs, the output column stays."""
    example, arrays = _example(op, number)
    kinds = [TensorType(shape) for shape in example.inputs]
    output, *_ = example.op.infer(kinds)
    wanted = example.op.reference(*arrays)[0]
    for x in range(output.shape[2] if len(output.shape) == 4 else 0):
        spoiled = [array.copy() for array in arrays]
        for index in range(len(kinds)):
            spans = column_spans(example.op, index, example.inputs, output.shape)
            if index in example.constants or spans is None:
                continue
            others = _others(spans[x], kinds[index].shape[2])
            spoiled[index][:, :, others] = 77
        found = example.op.reference(*spoiled)[0]
        assert np.array_equal(wanted[:, :, x], found[:, :, x])


@pytest.mark.parametrize(("op", "number"), _CASES)
def test_views_are_bytes_of_the_input(op: type[Op], number: int) -> None:
    """Where an operator gives an offset, its output is that run of the input's elements."""
    example, arrays = _example(op, number)
    kinds = [TensorType(shape) for shape in example.inputs]
    output, *_ = example.op.infer(kinds)
    offset = example.op.view_offset(kinds, output)
    if offset is not None:
        start = offset // output.dtype.nbytes()
        run = arrays[0].reshape(-1)[start : start + output.elements]
        assert np.array_equal(run, example.op.reference(*arrays)[0].reshape(-1))
    joins = example.op.join_offsets(kinds, output)
    if joins is not None:
        whole = example.op.reference(*arrays)[0].reshape(-1)
        for array, start in zip(arrays, joins, strict=True):
            index = start // output.dtype.nbytes()
            assert np.array_equal(array.reshape(-1), whole[index : index + array.size])


def test_some_operators_give_offsets() -> None:
    """The examples hold slices and joins that move nothing, and some that do."""
    views, joins = set(), set()
    for op, number in _CASES:
        example, _ = _example(op, number)
        kinds = [TensorType(shape) for shape in example.inputs]
        output, *_ = example.op.infer(kinds)
        views.add((op.__name__, example.op.view_offset(kinds, output) is not None))
        joins.add((op.__name__, example.op.join_offsets(kinds, output) is not None))
    assert {("Slice", True), ("Slice", False), ("Reshape", True)} <= views
    assert {("Concat", True), ("Concat", False)} <= joins
