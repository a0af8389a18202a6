# SPDX-License-Identifier: Apache-2.0
"""Transposes move towards the outputs until they meet their inverse or a dense layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.ir.graph import Editor, Graph, Node, Origin, Tensor
from mcuplan.ir.types import Array, TensorType
from mcuplan.ops.dense import Dense
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.passes._edit import add_node, counted, stored_columns

__all__ = ["fold_flatten", "sink_transposes"]


def sink_transposes(graph: Graph) -> Graph:
    """Let element-wise nodes work in the layout in front of a Transpose.

    Pattern: an element-wise node whose activations all come from Transposes of the same
        axes that nobody else reads; other operands are constants.
    Becomes: the same node on what was transposed, with its constants permuted, and one
        Transpose behind it.
    Only if: all shapes have the rank of the output.
    Exact because: an element-wise node treats every position alike.
    """
    editor = Editor(graph)
    sunk = 0
    for node in editor.nodes():
        axes = _common_axes(editor, node) if node.op.is_elementwise else None
        if axes is not None:
            _sink(editor, node, axes)
            sunk += 1
    return editor.done(
        counted("sink_transposes", sunk, "transposes moved behind element-wise nodes")
    )


def _common_axes(editor: Editor, node: Node) -> tuple[int, ...] | None:
    """Axes of the Transposes in front of every activation, None where they differ."""
    rank = len(editor.tensor(node.output).type.shape)
    found: set[tuple[int, ...]] = set()
    for name in node.inputs:
        tensor = editor.tensor(name)
        if len(tensor.type.shape) != rank:
            return None
        if tensor.is_constant:
            continue
        made_by = editor.producer(name)
        only = editor.only_consumer(name) is not None
        if made_by is None or not isinstance(made_by.op, Transpose) or not only:
            return None
        found.add(made_by.op.axes)
    return found.pop() if len(found) == 1 else None


def _sink(editor: Editor, node: Node, axes: tuple[int, ...]) -> None:
    inputs = []
    for name in node.inputs:
        tensor, made_by = editor.tensor(name), editor.producer(name)
        if made_by is not None:
            inputs.append(made_by.inputs[0])
            continue
        assert tensor.data is not None
        inverse = tuple(int(a) for a in np.argsort(axes))
        stored = tensor.stored
        if stored is not None and stored.quant.axis is not None:
            stored = None
        if stored is not None:
            stored = replace(stored, values=stored.values.transpose(inverse))
        inputs.append(editor.constant(name, tensor.data.transpose(inverse), stored))
    output = editor.tensor(node.output)
    shape = node.op.infer([editor.tensor(name).type for name in inputs])[0].shape
    origin = output.origin
    if origin is not None:
        origin = Origin(origin.name, tuple(origin.layout[axes.index(a)] for a in range(len(axes))))
    rows = Tensor(
        editor.fresh(f"{node.output}_rows"),
        TensorType(shape, quant=output.type.quant),
        None,
        origin,
    )
    editor.set_tensor(rows)
    moved = replace(node, inputs=tuple(inputs), outputs=(rows.name,))
    last = Node(editor.fresh(f"{node.name}_t"), Transpose(axes), (rows.name,), node.outputs)
    editor.replace(node, moved, last)


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
    return editor.done(counted("fold_flatten", folded, "transposes folded into dense weights"))


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
    return editor.constant(weights, tensor.data[:, order], stored)
