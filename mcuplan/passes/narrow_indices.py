# SPDX-License-Identifier: Apache-2.0
"""Indices stay as narrow as the operator makes them."""

from __future__ import annotations

from dataclasses import replace

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.types import DType
from mcuplan.ops.cast import Cast
from mcuplan.ops.movement import Transpose
from mcuplan.passes._edit import bypass, rename_output

__all__ = ["narrow_indices"]


def narrow_indices(graph: Graph) -> Graph:
    """Drop casts that only widen what nobody computes with.

    Pattern: Cast of int32 to int64; Cast to the type that the input has.
    Becomes: nothing; outputs of the model are int32 then.
    Only if: the result is only moved, to outputs of the model or to another Cast, and is no state:
        the next call reads that as the model has it.
    Exact because: int64 holds every int32.
    """
    edit = Editor(graph)
    states = {state.written.tensor for state in graph.states}
    for node in edit.nodes():
        if not isinstance(node.op, Cast):
            continue
        source = edit.tensor(node.inputs[0]).type.dtype
        if source is node.op.to:
            bypass(edit, node, node.inputs[0])
        elif (source, node.op.to) == (DType.INT32, DType.INT64):
            reached = _moved(edit, node)
            if not states.isdisjoint(reached):
                continue
            for name in reached:
                tensor = edit.tensor(name)
                edit.set_tensor(replace(tensor, type=replace(tensor.type, dtype=source)))
            if reached:
                _drop(edit, node)
    return edit.done()


def _drop(edit: Editor, node: Node) -> None:
    """Remove a Cast; what is read of it keeps its name where it can."""
    if edit.only_consumer(node.inputs[0]) is not None and edit.producer(node.inputs[0]):
        rename_output(edit, node)
    else:
        bypass(edit, node, node.inputs[0])


def _moved(edit: Editor, node: Node) -> list[str]:
    """Tensors that hold the values of a Cast; none where one is computed with."""
    found = [node.output]
    for name in found:
        for reader in edit.consumers(name):
            if reader.op.is_view or isinstance(reader.op, Transpose):
                found.append(reader.output)
            elif not isinstance(reader.op, Cast):
                return []
    return found
