# SPDX-License-Identifier: Apache-2.0
"""Two functions of one tensor, joined element by element, are one function of it."""

from __future__ import annotations

from dataclasses import replace

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import NO_CLAMP, Op
from mcuplan.ops.eltwise import Add, Div, Maximum, Minimum, Mul, Sub
from mcuplan.ops.quantize import Quantize
from mcuplan.ops.unary import Chain, Joined, Lookup, clip, rounding
from mcuplan.passes.fuse_lookups import simplified

__all__ = ["join_lookups", "origins"]

_JOINS: dict[type[Op], str] = {
    **{Add: "Add", Div: "Div", Maximum: "Max"},
    **{Minimum: "Min", Mul: "Mul", Sub: "Sub"},
}
_DEPTH = 16  # functions between a tensor and an operand


def join_lookups(graph: Graph) -> Graph:
    """Look up once where both operands come from one tensor.

    Pattern: Add, Sub, Mul, Div, Max or Min of two tensors that are functions (Lookup or
        Quantize, one after the other, or none) of one tensor.
    Becomes: one Lookup of the nearest such tensor; grids on the way stay as roundings.
    Only if: a Quantize that gives a tensor its only grid is left to `fold_quantize`.
    Exact because: a table holds any function of one value, computed in double.
    """
    editor = Editor(graph)
    joined = 0
    for node in editor.nodes():
        if type(node.op) in _JOINS:
            joined += _join(editor, node)
    return editor.done(Rewritten(Rewrite.LOOKUP_JOINED, joined))


def _join(editor: Editor, node: Node) -> bool:
    left, right = (origins(editor, name) for name in node.inputs)
    root = next((name for name in left if name in right), None)
    if root is None:
        return False
    tail = () if node.op.act == NO_CLAMP else (clip(*node.op.act),)
    both = Joined(_JOINS[type(node.op)], left[root], right[root])
    op = Lookup(simplified((both, *tail)))
    editor.replace(node, replace(node, op=op, inputs=(root,)))
    return True


def origins(editor: Editor, name: str) -> dict[str, Chain]:
    """What a tensor is a function of, nearest first, and the function: itself, and so on."""
    chain: Chain = ()
    found: dict[str, Chain] = {}
    for _ in range(_DEPTH):
        if editor.tensor(name).is_constant:
            break
        found[name] = chain
        producer = editor.producer(name)
        if producer is None or not isinstance(producer.op, Lookup | Quantize):
            break
        source, quant = producer.inputs[0], editor.tensor(name).type.quant
        if isinstance(producer.op, Quantize) and editor.tensor(source).type.quant is None:
            break
        between = (rounding(quant),) if quant is not None else ()
        before = producer.op.chain if isinstance(producer.op, Lookup) else ()
        chain = simplified((*before, *between, *chain)) if before or between or chain else ()
        name = source
    return found
