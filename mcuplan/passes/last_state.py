# SPDX-License-Identifier: Apache-2.0
"""Recurrent cells give what is read of them: outputs of all steps, the last state, or both."""

from __future__ import annotations

from dataclasses import replace

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.op import Op
from mcuplan.ir.types import TensorType
from mcuplan.ops.movement import Reshape
from mcuplan.ops.recurrent import LastState, Recurrent
from mcuplan.ops.slicing import Slice
from mcuplan.ops.state_parts import StatePart

__all__ = ["last_state"]


def last_state(graph: Graph) -> Graph:
    """Run every cell once, and hold no sequence of which only the end is read.

    Pattern: a Recurrent of one step, or of which a Slice alone reads the last one; two nodes of
        one cell with the same inputs.
    Becomes: LastState and the outputs in it; one node, which gives both where both are read.
    Only if: all sequences have all steps.
    Exact because: the outputs of the last step are what the state holds of them.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if type(node.op) is Recurrent and not node.op.final and not node.op.lengths:
            _end_alone(editor, node, node.op)
    known: dict[object, Node] = {}
    for node in editor.nodes():
        if isinstance(node.op, Recurrent) and not node.op.final:
            _once(editor, node, known)
    return editor.done()


def _end_alone(editor: Editor, node: Node, op: Recurrent) -> None:
    """Replace outputs of all steps by those of the last, if nobody reads others."""
    kind = editor.tensor(node.output).type
    steps, reader = kind.shape[1], editor.only_consumer(node.output)
    if steps == 1:
        _from_state(editor, node, op, node.output)
        return
    last = (0 if op.reverse else steps - 1, 1, 1)
    if reader is not None and isinstance(reader.op, Slice):
        taken = reader.op.ranges
        if taken[1] == last and all(r is None for a, r in enumerate(taken) if a != 1):
            editor.replace(reader)
            _from_state(editor, node, op, reader.output)


def _from_state(editor: Editor, node: Node, op: Recurrent, output: str) -> None:
    """Nodes in the place of one, which make a tensor of one step out of the last state."""
    made = editor.tensor(output).type
    state = editor.tensor(node.inputs[1]).type
    _, _, batch, _, hidden = state.shape
    names = [editor.fresh(f"{output}_{what}") for what in ("last", "part")]
    kinds = (state, TensorType((1, batch, hidden), quant=made.quant))
    for name, kind in zip(names, kinds, strict=True):
        editor.set_tensor(Tensor(name, kind))
    last = LastState(op.cell, op.reverse)
    editor.replace(
        node,
        replace(node, op=last, outputs=(names[0],)),
        _node(editor, node, "part", StatePart(0, op.on_grids), names[0], names[1]),
        _node(editor, node, "step", Reshape(made.shape), names[1], output),
    )


def _node(editor: Editor, of: Node, what: str, op: Op, source: str, output: str) -> Node:
    return Node(editor.fresh(f"{of.name}_{what}"), op, (source,), (output,), of.origin)


def _once(editor: Editor, node: Node, known: dict[object, Node]) -> None:
    """Let one node do what two of one cell would do."""
    op = node.op
    assert isinstance(op, Recurrent)
    first = editor.producer(node.inputs[1])
    if first is None:
        return
    what = (op.cell, op.reverse, op.lengths, node.inputs[0], node.inputs[2:])
    key = (what, first.op, first.inputs)
    other = known.setdefault(key, node)
    if other is node or other not in editor:
        return
    if type(other.op) is type(op):
        editor.replace(node)
        editor.rewire(node.output, other.output)
        return
    steps, last = (node, other) if isinstance(other.op, LastState) else (other, node)
    both = Recurrent(op.cell, op.reverse, op.lengths, final=True)
    editor.replace(node)
    editor.replace(other, replace(other, op=both, outputs=(last.output, steps.output)))
