# SPDX-License-Identifier: Apache-2.0
"""MaxUnpool: values where the indices of a MaxPool say, in a tensor of zeros."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode
from mcuplan.ops._read import inner, int_list
from mcuplan.ops._windows import read_windows
from mcuplan.ops.movement import add_view
from mcuplan.ops.scatter import read_scatter

__all__ = ["READERS"]


def read_max_unpool(node: OnnxNode, build: Builder) -> None:
    """A scatter into all elements of the output, in the model's order."""
    values, indices = node.input(0), node.input(1)
    made = _made(node, build)
    if build.shape(values) != build.shape(indices):
        raise UnsupportedOp(f"indices of shape {list(build.shape(indices))}")
    flat = [inner(node, suffix) for suffix in ("values", "indices", "zeros", "scattered")]
    count = math.prod(build.shape(values))
    for name, one in zip((values, indices), flat, strict=False):
        add_view(replace(one, inputs=(name,)), build, (count,))
    zeros = flat[2].outputs[0]
    build.constants[zeros] = Constant(np.zeros(math.prod(made), np.float32))
    names = (zeros, flat[1].outputs[0], flat[0].outputs[0])
    scatter = replace(flat[3], op_type="ScatterElements", inputs=names, attributes={"axis": 0})
    read_scatter(scatter, build)
    add_view(replace(node, inputs=scatter.outputs), build, made)


def _made(node: OnnxNode, build: Builder) -> tuple[int, ...]:
    """The shape that is given, or that of the input of a pool without a rest."""
    shape = build.shape(node.input(0))
    given = int_list(node, build, 2, "output_shape")
    read = read_windows(node, shape, node.get_ints("kernel_shape", ()))
    half = len(read.size)
    whole = zip(read.size, read.kernel, read.stride, read.pads, read.pads[half:], strict=False)
    spatial = [(n - 1) * s - before - after + k for n, k, s, before, after in whole]
    made = tuple(given or (*shape[:2], *spatial[: len(shape) - 2]))
    if len(made) != len(shape) or made[:2] != shape[:2] or min(made) < 1:
        raise UnsupportedOp(f"MaxUnpool of shape {list(shape)} to {list(made)}")
    return made


READERS = {"MaxUnpool": read_max_unpool}
