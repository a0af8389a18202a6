# SPDX-License-Identifier: Apache-2.0
"""LRN: each value by what the squares of its neighbouring channels make, read as several steps."""

from __future__ import annotations

import math
from dataclasses import replace

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ops._read import inner
from mcuplan.ops._steps import Steps
from mcuplan.ops.movement import Reshape

__all__ = ["READERS"]

_ROWS = (0, 2, 3, 1)


def read_lrn(node: OnnxNode, build: Builder) -> None:
    """``x / (bias + alpha * mean of squares) ** beta`` over a window of channels.

    The channels are seen as the width of a map, over which an average pool runs.
    """
    shape, size = build.shape(node.input(0)), node.get_int("size", 0)
    if len(shape) < 3 or not 1 <= size <= 2 * shape[1] + 1:
        raise UnsupportedOp(f"size={size} of shape {list(shape)}")
    layout = (0, *range(2, len(shape)), 1)
    rows = tuple(shape[a] for a in layout)
    pixels, channels = math.prod(rows[:-1]), shape[1]
    flat, made = inner(node, "flat"), inner(node, "made")
    source = build.in_layout(node.input(0), layout)
    view = Reshape((1, pixels, channels, 1))
    build.add(view, [source], flat, _ROWS, quant=build.quant(node.input(0)))
    steps = Steps(replace(node, outputs=made.outputs), build)
    x, before = flat.outputs[0], (size - 1) // 2
    mean = steps.add(
        "AveragePool",
        steps.add("Mul", x, x),
        kernel_shape=(1, size),
        pads=(0, before, 0, size - 1 - before),
        count_include_pad=1,
    )
    mean = steps.add("Mul", mean, node.get_float("alpha", 1e-4))
    base = steps.add("Add", mean, node.get_float("bias", 1.0))
    factor = steps.add("Pow", base, -node.get_float("beta", 0.75))
    result = steps.add("Mul", x, factor)
    build.add(Reshape(rows), [build.in_layout(result, _ROWS)], node, layout)


READERS = {"LRN": read_lrn}
