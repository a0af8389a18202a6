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

_VALUES = [-40.0, -0.9, 0.0, 0.6, 3.5, 77.0]

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


def _seen(example: Example, arrays: list[Array], index: int, wanted: Array) -> Array:
    """[outputs, inputs]: what changes with each element of one input, up or down."""
    size = arrays[index].size
    varied = np.repeat(arrays[index].reshape(1, size), len(_VALUES) * size, axis=0)
    varied[np.arange(len(varied)), np.repeat(np.arange(size), len(_VALUES))] = _VALUES * size
    if _together(example, index):
        made, before = (_of_samples(example, arrays, index, x) for x in (varied, arrays[index]))
    else:
        shape = arrays[index].shape
        each = ([*arrays[:index], x.reshape(shape), *arrays[index + 1 :]] for x in varied)
        made = np.stack([example.op.reference(*changed)[0] for changed in each])
        before = wanted
    same = (made == before) | ((made != made) & (before != before))  # no number, as before
    return ~same.reshape(size, len(_VALUES), -1).all(axis=1).T


def _together(example: Example, index: int) -> bool:
    """Whether an input may have many samples, none of which knows of the others."""
    kinds = example.kinds
    given = [k for i, k in enumerate(kinds) if i not in _fixed(example)]
    alone = all(kind.shape[:1] == (1,) for kind in given) and index not in _fixed(example)
    return alone and example.op.batchable(kinds, example.op.infer(kinds))


def _fixed(example: Example) -> set[int]:
    """Inputs that have no samples."""
    return {*example.constants, *example.op.weight_inputs}


def _of_samples(example: Example, arrays: list[Array], index: int, samples: Array) -> Array:
    """The first output for samples of one input, or for one as often, on axis 0."""
    count = len(_VALUES) * arrays[index].size
    given = [
        array if k in _fixed(example) else np.repeat(array, count, axis=0)
        for k, array in enumerate(arrays)
    ]
    if len(samples) == count:
        given[index] = samples.reshape(count, *arrays[index].shape[1:])
    return example.op.reference(*given)[0]


@pytest.mark.parametrize(("op", "number"), _CASES)
def test_a_map_says_what_changes(op: type[Op], number: int) -> None:
    """An input element changes the output elements whose maps have it, and no other."""
    example, arrays = _example(op, number)
    output = example.op.infer([TensorType(shape) for shape in example.inputs])[0].shape
    wanted = example.op.reference(*arrays)[0]
    maps = example.op.geometry(example.inputs, output)
    assert len(example.inputs) == len(maps)
    for index, (own, shape) in enumerate(zip(maps, example.inputs, strict=True)):
        said, seen = _said(own, shape, output), _seen(example, arrays, index, wanted)
        assert not (seen & ~said).any(), f"input {index}: more changes than the map has"
        if index not in example.constants and op.__name__ not in MORE_THAN_READ:
            varies = seen.any(axis=1)  # not so a softmax of one class, or behind a gain of 0
            more = (said & ~seen)[varies]
            assert not more.any(), f"input {index}: the map has more than changes"
