# SPDX-License-Identifier: Apache-2.0
"""Operators over several axes of a tensor, which are seen as one."""

from __future__ import annotations

from dataclasses import replace

from mcuplan.ir.builder import Builder, OnnxNode, plain
from mcuplan.ir.op import Op
from mcuplan.ops._read import inner
from mcuplan.ops.movement import add_view

__all__ = ["add_flattened"]


def add_flattened(op: Op, node: OnnxNode, build: Builder, shape: tuple[int, ...]) -> None:
    """An operator over the first input seen in another shape, its result in the input's own."""
    flat, made = inner(node, "flat"), inner(node, "made")
    add_view(flat, build, shape)
    build.add(op, [build.in_layout(flat.outputs[0], plain(len(shape)))], made)
    add_view(replace(node, inputs=made.outputs), build, build.shape(node.input(0)))
