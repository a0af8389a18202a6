# SPDX-License-Identifier: Apache-2.0
"""Nodes without effect."""

from __future__ import annotations

from dataclasses import replace

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.passes._edit import bypass, keeps_grid, moved_axes

__all__ = ["drop_dead"]


def drop_dead(graph: Graph) -> Graph:
    """Remove nodes that change nothing, and nodes that nobody reads.

    Pattern: Reshape to the same shape; Transpose that keeps or moves nothing; Transpose
        of Transpose; Reshape of Reshape; any node without readers; Transpose of a Reshape
        that only adds axes of one to an input.
    Becomes: nothing; a Reshape; one Transpose; one Reshape; nothing; Reshape of a Transpose,
        which is what rows of an input are looked for in.
    Only if: the grid of the output, if any, is that of the input.
    Exact because: the same elements arrive in the same order.
    """
    editor = Editor(graph)
    changed = 0
    for node in editor.nodes():
        if isinstance(node.op, Reshape | Transpose):
            changed += _simplify(editor, node)
    dead = 0
    for node in reversed(tuple(editor.nodes())):
        if not any(map(editor.is_read, node.outputs)):
            editor.replace(node)
            dead += 1
    return editor.done(
        Rewritten(Rewrite.MOVEMENT_DROPPED, changed), Rewritten(Rewrite.UNREAD_DROPPED, dead)
    )


def _simplify(editor: Editor, node: Node) -> bool:
    """Apply one rule to a data movement; True if one applied."""
    source = node.inputs[0]
    if not keeps_grid(editor, source, node.output):
        return False
    shape = editor.tensor(source).type.shape
    made = editor.tensor(node.output).type.shape
    if isinstance(node.op, Reshape) and shape == made:
        bypass(editor, node, source)
        return True
    if isinstance(node.op, Transpose) and _moves_nothing(node.op.axes, shape):
        editor.replace(node, Node(node.name, Reshape(made), node.inputs, node.outputs, node.origin))
        return True
    before = editor.producer(source)
    if before is None or not keeps_grid(editor, before.inputs[0], node.output):
        return False
    if isinstance(node.op, Transpose) and isinstance(before.op, Reshape):
        return _moves_first(editor, node, node.op, before)
    if type(before.op) is not type(node.op):
        return False
    op: Reshape | Transpose = Reshape(made)
    if isinstance(node.op, Transpose) and isinstance(before.op, Transpose):
        op = Transpose(tuple(before.op.axes[a] for a in node.op.axes))
    _keep_origin(editor, node, before)
    editor.replace(node, Node(node.name, op, before.inputs, node.outputs, node.origin))
    return True


def _keep_origin(editor: Editor, node: Node, before: Node) -> None:
    """Let what a dropped Reshape reads, where it is nothing of the model's, show what it made."""
    inner, shown = editor.tensor(before.inputs[0]), editor.tensor(node.inputs[0])
    own = _axes_of(shown.type.shape, inner.type.shape)
    if inner.origin is not None or shown.origin is None or own is None:
        return
    if isinstance(before.op, Reshape) and editor.only_consumer(shown.name) is not None:
        layout = tuple(None if axis is None else shown.origin.layout[axis] for axis in own)
        editor.set_tensor(replace(inner, origin=replace(shown.origin, layout=layout)))


def _moves_first(editor: Editor, node: Node, op: Transpose, before: Node) -> bool:
    """Let a Transpose read an input itself, in front of the axes that are added."""
    source = editor.tensor(before.inputs[0])
    own = _axes_of(source.type.shape, editor.tensor(node.inputs[0]).type.shape)
    first = editor.producer(source.name) is None and editor.only_consumer(source.name) is before
    if own is None or not first or editor.only_consumer(before.output) is not node:
        return False
    axes = tuple(axis for axis in (own[a] for a in op.axes) if axis is not None)
    name = editor.fresh(f"{source.name}_moved")
    moved = editor.set_tensor(replace(moved_axes(source, axes), name=name))
    made = Reshape(editor.tensor(node.output).type.shape)
    turned = Node(editor.fresh(f"{node.name}_first"), Transpose(axes), before.inputs, (moved,))
    editor.replace(before)
    editor.replace(node, turned, Node(node.name, made, (moved,), node.outputs, node.origin))
    return True


def _axes_of(shape: tuple[int, ...], wider: tuple[int, ...]) -> list[int | None] | None:
    """The axis of a shape that each axis of a wider one is; None where one of one was added."""
    left, own = list(range(len(shape))), list[int | None]()
    for size in wider:
        same = bool(left) and shape[left[0]] == size
        if not same and size != 1:
            return None
        own.append(left.pop(0) if same else None)
    return None if left else own


def _moves_nothing(axes: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether the axes of more than one element stay in order."""
    moved = [a for a in axes if shape[a] != 1]
    return moved == sorted(moved)
