# SPDX-License-Identifier: Apache-2.0
"""A grid of their own for values among which a constant is put."""

from __future__ import annotations

import math
from dataclasses import replace

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import QuantRule
from mcuplan.ir.types import Quant
from mcuplan.ops.quantize import Quantize
from mcuplan.passes._edit import add_node, with_quant
from mcuplan.passes._ranges import hull
from mcuplan.quant.observers import quant_of_range

__all__ = ["pad_grids"]


def pad_grids(graph: Graph) -> Graph:
    """Requantize in front of a border that the input's grid would cut.

    Pattern: Pad with a constant, of values that lie on a grid which the model or a FIXED
        operator gives, and whose ends the constant is beyond.
    Becomes: a Quantize to a grid that holds both, then the Pad.
    Only if: no Quantize of the model says what the grid of the Pad's output is.
    Exact because: copying elements commutes with rounding; the constant is rounded once.
    """
    editor = Editor(graph)
    many = 0
    for node in editor.nodes():
        if node.op.mixes and node.op.quant_rule is QuantRule.PASS_THROUGH:
            many += _apart(editor, node)
    return editor.done(Rewritten(Rewrite.BORDER_REGRIDDED, many))


def _apart(editor: Editor, node: Node) -> bool:
    given = _given(editor, node.inputs[0])
    values = [value for value in node.op.mixes if math.isfinite(value)]
    said = editor.tensor(node.output).type.quant is not None
    if said or given is None or all(map(given.covers, values)):
        return False
    quant = quant_of_range(hull([given.ends, *((value, value) for value in values)]), given.dtype)
    op = Quantize(quant.s, quant.z, quant.dtype)
    source = add_node(editor, node, op, node.inputs[:1], f"{node.inputs[0]}_wide", quant=quant)
    editor.set_tensor(with_quant(editor.tensor(node.output), quant))
    editor.replace(node, replace(node, inputs=(source,)))
    return True


def _given(editor: Editor, name: str) -> Quant | None:
    """The grid on which a tensor lies whatever is observed."""
    while True:
        quant, producer = editor.tensor(name).type.quant, editor.producer(name)
        if quant is not None or producer is None:
            return quant
        if producer.op.fixed_quant is not None:
            return producer.op.fixed_quant
        if not producer.op.passes_grid:
            return None
        name = producer.inputs[0]
