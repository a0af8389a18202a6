# SPDX-License-Identifier: Apache-2.0
"""The map of every operator, held against what changes when an input element does."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from mcuplan.ir.geometry import (
    SAME,
    All,
    AxisMap,
    InputMap,
    Moved,
    Shape,
)
from mcuplan.ir.op import Example, Op
from mcuplan.ir.types import Array, TensorType
from mcuplan.ops import all_ops

_CASES = [(op, i) for op in all_ops() for i, _ in enumerate(op.examples())]

MORE_THAN_READ = {  # operator -> what its map leaves open
    "Attention": "a head reads its own channels, a causal row the keys before it",
    "CumSum": "an element reads those before it",
    "Gather": "indices choose",
    "GatherElements": "indices choose",
    "GatherND": "indices choose",
    "Hardmax": "most changes leave the largest where it is",
    "Resize": "a tap may have the weight 0",
    "Scatter": "indices choose",
    "ScatterReduced": "indices choose",
    "Trees": "a sample takes one way through a tree",
    "Interleave": "the channel picks one plane",
    "MaskedAttention": "a head reads its own channels",
    "Normalize": "a group of channels reads its own",
    "Reshape": "a view, never a step",
    "RoundedAttention": "a head reads its own channels",
}


def _example(op: type[Op], number: int) -> tuple[Example, list[Array]]:
    example = list(op.examples())[number]
    rng = np.random.default_rng(number)
    return example, [rng.uniform(1, 2, shape).astype(np.float32) for shape in example.inputs]


def _may_read(axis_map: AxisMap, axis: int, size: int, output: Shape) -> Array:
    """Which indices of an input axis each output element may read: [*output or 1, size]."""
    if isinstance(axis_map, All):
        return np.ones((*(1 for _ in output), size), bool)
    along = axis_map.axis if isinstance(axis_map, Moved) else axis
    spans = (SAME if isinstance(axis_map, Moved) else axis_map).spans(size, output[along])
    index = np.arange(size)
    read = ((spans[..., :1] <= index) & (index < spans[..., 1:])).any(axis=1)
    return read.reshape(*(n if a == along else 1 for a, n in enumerate(output)), size)


def _said(maps: InputMap, shape: Shape, output: Shape) -> Array:
    """[outputs, inputs]: which elements may depend on which."""
    parts = []
    for axis, (axis_map, size) in enumerate(zip(maps, shape, strict=True)):
        part = _may_read(axis_map, axis, size, output)
        places = [size if a == axis else 1 for a in range(len(shape))]
        parts.append(part.reshape(*part.shape[:-1], *places))
    full = reduce(np.logical_and, parts, np.ones((1,) * (len(output) + len(shape)), bool))
    wide = np.broadcast_to(full, (*output, *shape))
    return wide.reshape(int(np.prod(output)), int(np.prod(shape)))


def _seen(op: Op, arrays: list[Array], index: int, wanted: Array) -> Array:
    """[outputs, inputs]: what changes with each element of one input, up or down."""
    seen = np.zeros((wanted.size, arrays[index].size), bool)
    for element in range(arrays[index].size):
        for value in (-40.0, -0.9, 0.0, 0.6, 3.5, 77.0):
            changed = [array.copy() for array in arrays]
            changed[index].flat[element] = value
            made = op.reference(*changed)[0]
            same = (made == wanted) | ((made != made) & (wanted != wanted))  # no number, as before
            seen[:, element] |= ~same.reshape(-1)
    return seen


@pytest.mark.parametrize(("op", "number"), _CASES)
def test_a_map_says_what_changes(op: type[Op], number: int) -> None:
    """An input element changes the output elements whose maps have it, and no other."""
    example, arrays = _example(op, number)
    output = example.op.infer([TensorType(shape) for shape in example.inputs])[0].shape
    wanted = example.op.reference(*arrays)[0]
    maps = example.op.geometry(example.inputs, output)
    assert len(example.inputs) == len(maps)
    for index, (own, shape) in enumerate(zip(maps, example.inputs, strict=True)):
        said, seen = _said(own, shape, output), _seen(example.op, arrays, index, wanted)
        assert not (seen & ~said).any(), f"input {index}: more changes than the map has"
        if index not in example.constants and op.__name__ not in MORE_THAN_READ:
            varies = seen.any(axis=1)  # not so a softmax of one class, or behind a gain of 0
            more = (said & ~seen)[varies]
            assert not more.any(), f"input {index}: the map has more than changes"
