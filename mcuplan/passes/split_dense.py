# SPDX-License-Identifier: Apache-2.0
"""A dense layer of which parts are read makes each part by itself."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Stored
from mcuplan.ir.types import Array
from mcuplan.ops.dense import Dense
from mcuplan.ops.movement import Reshape
from mcuplan.ops.slicing import Slice
from mcuplan.passes._edit import add_node, keeps_grid

__all__ = ["split_dense"]


def split_dense(graph: Graph) -> Graph:
    """Let queries, keys and values be layers of their own.

    Pattern: Dense, perhaps behind it a Reshape that divides its outputs, read by Slices alone.
    Becomes: a Dense for each Slice, with the weights of the outputs that it takes.
    Only if: there are several, no output is taken twice, and they take no part of the pixels.
    Exact because: the same products are summed, and rounded to the same grid.
    """
    editor = Editor(graph)
    split = 0
    for node in editor.nodes():
        if isinstance(node.op, Dense):
            split += _split(editor, node)
    return editor.done(Rewritten(Rewrite.DENSE_SPLIT, split))


def _split(editor: Editor, node: Node) -> bool:
    whole, between = node.output, editor.only_consumer(node.output)
    if between is not None and isinstance(between.op, Reshape):
        whole = between.output
    readers = editor.consumers(whole)
    if len(readers) < 2 or editor.is_output(whole) or not keeps_grid(editor, node.output, whole):
        return False
    taken = [_taken(editor, node, reader) for reader in readers]
    columns = [part for part in taken if part is not None]
    if len(columns) < len(readers) or len(set(map(int, np.concatenate(columns)))) < sum(
        map(len, columns)
    ):
        return False
    for reader, part in zip(readers, columns, strict=True):
        _add_part(editor, node, reader, part)
    editor.replace(node)
    if whole != node.output and between is not None:
        editor.replace(between)
    return True


def _taken(editor: Editor, node: Node, reader: Node) -> Array | None:
    """The outputs that a Slice takes for every pixel, None where it does anything else."""
    if not isinstance(reader.op, Slice) or not keeps_grid(editor, node.output, reader.output):
        return None
    made, seen = editor.tensor(node.output).type.shape, editor.tensor(reader.inputs[0]).type.shape
    ends = (k for k in range(len(seen), -1, -1) if math.prod(seen[k:]) == made[-1])
    pixels = next(ends, None)  # axes of the pixels: all that do not divide the outputs
    if pixels is None or any(reader.op.ranges[:pixels]):
        return None
    order = np.arange(made[-1]).reshape((1,) * pixels + seen[pixels:])
    columns: Array = reader.op.reference(order)[0].reshape(-1)
    return columns


def _add_part(editor: Editor, node: Node, reader: Node, columns: Array) -> None:
    """A Dense of some outputs in front of what a Slice made."""
    source, weights, bias = node.inputs
    names = [source]
    for name in (weights, bias):
        tensor = editor.tensor(name)
        assert tensor.data is not None
        names.append(editor.constant(name, tensor.data[columns], _stored(tensor.stored, columns)))
    output, quant = editor.tensor(reader.output), editor.tensor(node.output).type.quant
    shape = (*editor.tensor(node.output).type.shape[:-1], len(columns))
    if output.type.shape == shape:
        editor.set_tensor(replace(output, type=replace(output.type, quant=quant)))
        editor.replace(
            reader, replace(node, name=reader.name, inputs=tuple(names), outputs=reader.outputs)
        )
        return
    made = add_node(editor, reader, node.op, names, f"{reader.output}_part", quant=quant)
    editor.replace(reader, replace(reader, op=Reshape(output.type.shape), inputs=(made,)))


def _stored(stored: Stored | None, rows: Array) -> Stored | None:
    """Stored weights or bias of some outputs; their scales are for each output, or one."""
    if stored is None or stored.quant.axis not in (None, 0) or stored.quant.block is not None:
        return None
    quant = stored.quant
    if quant.axis == 0:
        scale, zero_point = (
            tuple(np.array(each)[rows].tolist()) for each in (quant.scale, quant.zero_point)
        )
        quant = replace(quant, scale=scale, zero_point=zero_point)
    return Stored(stored.values[rows], quant)
