# SPDX-License-Identifier: Apache-2.0
"""Functions between factors of channels, on grids on both sides, become tables by channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.types import Array, DType
from mcuplan.ops.batch_norm import ChannelAffine
from mcuplan.ops.channel_lookup import MOST_TABLES, ChannelLookup
from mcuplan.ops.unary import Lookup
from mcuplan.passes._edit import constant_of

__all__ = ["fuse_channel_lookups"]


def fuse_channel_lookups(graph: Graph) -> Graph:
    """Look up in the table of a channel what a quantized model multiplies, looks up, multiplies.

    Pattern: ChannelAffine without offsets, Lookup, ChannelAffine without offsets, or one of them.
    Becomes: ChannelLookup.
    Only if: what the first reads and the last makes lies on a grid of int8, what is between on
        none and is read once, and factors are above 0.
    Exact because: a table holds any function of one value, computed in double.
    """
    editor = Editor(graph)
    fused = sum(_fuse(editor, node) for node in editor.nodes() if isinstance(node.op, Lookup))
    return editor.done(Rewritten(Rewrite.LOOKUP_FUSED, fused))


def _fuse(editor: Editor, node: Node) -> bool:
    before, behind = editor.producer(node.inputs[0]), editor.only_consumer(node.output)
    read = _factors(editor, before) if editor.only_consumer(node.inputs[0]) is node else None
    made = _factors(editor, behind)
    source = before.inputs[0] if read is not None and before is not None else node.inputs[0]
    last = behind if made is not None and behind is not None else node
    between = [node.inputs[0]] * (read is not None) + [node.output] * (made is not None)
    if not between or any(editor.tensor(name).type.quant is not None for name in between):
        return False
    grids = [editor.tensor(name).type.quant for name in (source, last.output)]
    if any(grid is None or grid.dtype is not DType.INT8 for grid in grids):
        return False
    ones = np.ones(editor.tensor(source).type.channels)
    pair = (tuple((ones if f is None else f).tolist()) for f in (read, made))
    assert isinstance(node.op, Lookup)
    op = ChannelLookup(node.op.chain, *pair)
    if len(op.pairs) > MOST_TABLES:
        return False
    if read is not None and before is not None:
        editor.replace(before)
    if last is not node:
        editor.replace(node)
    editor.replace(last, replace(last, op=op, inputs=(source,)))
    return True


def _factors(editor: Editor, node: Node | None) -> Array | None:
    """Of each channel; None where a node does more or other than multiply."""
    if node is None or not isinstance(node.op, ChannelAffine):
        return None
    scale, offset = (constant_of(editor, name) for name in node.inputs[1:])
    return scale if (scale > 0.0).all() and not offset.any() else None
