# SPDX-License-Identifier: Apache-2.0
"""Transposes move towards the outputs until they meet their inverse or a dense layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.builder import Constant
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.types import Array, TensorType
from mcuplan.ops.dense import Dense
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.passes._edit import add_node, stored_columns

__all__ = ["fold_flatten", "sink_transposes"]


def sink_transposes(graph: Graph) -> Graph:
    """Let element-wise nodes work in the layout in front of a Transpose.

    Pattern: an element-wise node that reads Transposes of the same axes; its other
        activations exist in the layout in front of them too, or it has constants.
    Becomes: the same node on what was transposed, with its constants permuted, and one
        Transpose behind it.
    Only if: all shapes have the rank of the output, and a Transpose is saved: nobody else
        reads those in front, or all readers undo the one behind.
    Exact because: an element-wise node treats every position alike.
    """
    editor = Editor(graph)
    sunk = 0
    for node in editor.nodes():
        if editor.signature(node).is_elementwise:
            sunk += _sink(editor, node)
    return editor.done(Rewritten(Rewrite.TRANSPOSE_SUNK, sunk))


def _sink(editor: Editor, node: Node) -> bool:
    axes = _axes(editor, node)
    if axes is None or not _saves(editor, node, axes):
        return False
    sources = [_source(editor, name, axes) for name in node.inputs]
    if any(source is None for source in sources):
        return False
    try:
        kinds = [source.type for source in sources if source is not None]
        made = node.op.infer(kinds)[0]
    except UnsupportedOp:  # a broadcast that only the other layout allows
        return False
    inputs = tuple(editor.set_tensor(source) for source in sources if source is not None)
    output = editor.tensor(node.output)
    origin = output.origin
    if origin is not None:
        layout = tuple(origin.layout[axes.index(a)] for a in range(len(axes)))
        origin = replace(origin, layout=layout)
    name = editor.fresh(f"{node.output}_rows")
    editor.set_tensor(Tensor(name, replace(made, quant=output.type.quant), None, origin))
    moved = replace(node, inputs=inputs, outputs=(name,))
    last = Node(editor.fresh(f"{node.name}_t"), Transpose(axes), (name,), node.outputs)
    editor.replace(node, moved, last)
    return True


def _transposed(editor: Editor, name: str) -> Transpose | None:
    """The Transpose that makes a tensor."""
    producer = editor.producer(name)
    return producer.op if producer is not None and isinstance(producer.op, Transpose) else None


def _axes(editor: Editor, node: Node) -> tuple[int, ...] | None:
    """Axes of the first Transpose in front of a node."""
    found = (_transposed(editor, name) for name in node.inputs)
    return next((op.axes for op in found if op is not None), None)


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axes.index(a) for a in range(len(axes)))


def _saves(editor: Editor, node: Node, axes: tuple[int, ...]) -> bool:
    """Whether a Transpose in front has no other reader, or all behind undo it."""
    if any(_transposed(editor, n) and editor.only_consumer(n) is not None for n in node.inputs):
        return True
    readers = editor.consumers(node.output)
    undone = all(isinstance(r.op, Transpose) and r.op.axes == _inverse(axes) for r in readers)
    return undone and bool(readers) and not editor.is_output(node.output)


def _source(editor: Editor, name: str, axes: tuple[int, ...]) -> Tensor | None:
    """A tensor (or new constant) that becomes this one by a Transpose, None where there is none."""
    tensor = editor.tensor(name)
    if len(tensor.type.shape) != len(axes):
        return None
    if tensor.data is not None:
        inverse = _inverse(axes)
        moved = Constant(tensor.data, tensor.stored).transpose(inverse)
        kind = TensorType(moved.data.shape, tensor.type.dtype)
        return Tensor(editor.fresh(f"{name}_rows"), kind, moved.data, None, moved.stored)
    op = _transposed(editor, name)
    if op is not None and op.axes == axes:
        producer = editor.producer(name)
        assert producer is not None
        return editor.tensor(producer.inputs[0])
    for reader in editor.consumers(name):
        if isinstance(reader.op, Transpose) and reader.op.axes == _inverse(axes):
            return editor.tensor(reader.output)
    return None


def fold_flatten(graph: Graph) -> Graph:
    """Let a dense layer read its input in the order in which it lies.

    Pattern: Dense behind data movements that end in one row, a Transpose among them.
    Becomes: Dense with permuted columns of its weights behind one Reshape.
    Only if: the input of the movements is one sample, whole, and no rounding to another
        grid lies between.
    Exact because: the same products are summed.
    """
    editor = Editor(graph)
    folded = 0
    for node in editor.nodes():
        if isinstance(node.op, Dense) and len(editor.tensor(node.inputs[0]).type.shape) == 2:
            folded += _fold_flatten(editor, node)
    return editor.done(Rewritten(Rewrite.FLATTEN_FOLDED, folded))


def _fold_flatten(editor: Editor, node: Node) -> bool:
    chain: list[Node] = []
    source = node.inputs[0]
    while (made_by := editor.producer(source)) is not None:
        if not isinstance(made_by.op, Reshape | Transpose):
            break
        if editor.tensor(made_by.inputs[0]).type.quant != editor.tensor(source).type.quant:
            break
        chain.append(made_by)
        source = made_by.inputs[0]
    while chain and not isinstance(chain[-1].op, Transpose):
        source = chain.pop().output
    kind = editor.tensor(source).type
    if not chain or kind.elements != editor.tensor(node.inputs[0]).type.shape[1]:
        return False
    order = _order(chain, kind.shape)
    quant = kind.quant
    if kind.shape != (1, kind.elements):
        source = add_node(
            editor, node, Reshape((1, kind.elements)), [source], f"{source}_flat", quant=quant
        )
    weights = _with_columns(editor, node.inputs[1], np.argsort(order))
    editor.replace(node, replace(node, inputs=(source, weights, *node.inputs[2:])))
    return True


def _order(chain: list[Node], shape: tuple[int, ...]) -> Array:
    """Element of the source that arrives at each place of the row; chain is last node first."""
    index = np.arange(int(np.prod(shape))).reshape(shape)
    for movement in reversed(chain):
        if isinstance(movement.op, Transpose):
            index = index.transpose(movement.op.axes)
        elif isinstance(movement.op, Reshape):
            index = index.reshape(movement.op.shape)
    return index.reshape(-1)


def _with_columns(editor: Editor, weights: str, order: Array) -> str:
    """A constant matrix with its columns in an order, as stored too."""
    tensor = editor.tensor(weights)
    assert tensor.data is not None
    stored = stored_columns(tensor.stored, order)
    return editor.constant(weights, tensor.data.take(order, axis=1), stored)
