# SPDX-License-Identifier: Apache-2.0
"""DepthToSpace and SpaceToDepth: pixels become channels or channels pixels, by a transpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode, rows_layout
from mcuplan.ir.graph import Layout
from mcuplan.ops._read import inner
from mcuplan.ops.movement import Reshape, add_view, read_transpose

__all__ = ["READERS"]


def read_depth_to_space(node: OnnxNode, build: Builder) -> None:
    """Channels become the pixels of blocks: the block first (DCR) or the new channels (CRD)."""
    n, c, h, w = _shape(node, build)
    b, mode = node.get_int("blocksize", 0), node.get_str("mode", "DCR")
    if b < 1 or c % (b * b):
        raise DamagedModel(f"blocksize={b} for {c} channels")
    rest = c // (b * b)
    if mode == "DCR":
        split, order = (n, b, b, rest, h, w), (0, 3, 4, 1, 5, 2)
    elif mode == "CRD":
        split, order = (n, rest, b, b, h, w), (0, 1, 4, 2, 5, 3)
    else:
        raise UnsupportedOp(f"DepthToSpace with mode={mode}")
    _permuted(node, build, split, order, (n, rest, h * b, w * b), (0, 2, 3, 4, 5, 1))


def read_space_to_depth(node: OnnxNode, build: Builder) -> None:
    """The pixels of a block become channels: the block first (DCR) or the old channels (CRD)."""
    n, c, h, w = _shape(node, build)
    b = node.get_int("blocksize", 0)
    if b < 1 or h % b or w % b:
        raise DamagedModel(f"blocksize={b} for {h}x{w} pixels")
    split, mode = (n, c, h // b, b, w // b, b), node.get_str("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise UnsupportedOp(f"SpaceToDepth with mode={mode}")
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    _permuted(node, build, split, order, (n, c * b * b, h // b, w // b), (0, 4, 5, 1, 2, 3))


def _shape(node: OnnxNode, build: Builder) -> tuple[int, ...]:
    shape = build.shape(node.input(0))
    if len(shape) != 4:
        raise DamagedModel(f"{node.op_type} of rank {len(shape)}")
    return shape


def _permuted(
    node: OnnxNode,
    build: Builder,
    split: Sequence[int],
    order: Sequence[int],
    made: tuple[int, int, int, int],
    by_rows: Layout,
) -> None:
    """The input seen with more axes, these in another order, seen with four again.

    ``by_rows`` is the order of the permuted axes in which rows of pixels stay rows.
    """
    wide, turned = inner(node, "blocks"), inner(node, "turned")
    add_view(wide, build, tuple(split))
    turn = replace(turned, inputs=wide.outputs, attributes={"perm": tuple(order)})
    read_transpose(turn, build)
    if build.preferred_layout([node.input(0)]) != rows_layout(4):
        add_view(replace(node, inputs=turned.outputs), build, made)
        return
    pixels = Reshape((made[0], made[2], made[3], made[1]))
    source = build.in_layout(turned.outputs[0], by_rows)
    build.add(pixels, [source], node, rows_layout(4), quant=build.quant(node.input(0)))


READERS = {"DepthToSpace": read_depth_to_space, "SpaceToDepth": read_space_to_depth}
