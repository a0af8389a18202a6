# SPDX-License-Identifier: Apache-2.0
"""A choice by a comparison of one tensor, between functions of it, is a function of it."""

from __future__ import annotations

from dataclasses import replace

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.types import DType
from mcuplan.ops.cast import Cast
from mcuplan.ops.choice import Where
from mcuplan.ops.compare import Compare, Logic
from mcuplan.ops.unary import Chain, Conditional, Lookup, UnaryFn, affine
from mcuplan.passes.fuse_lookups import simplified
from mcuplan.passes.join_lookups import origins

__all__ = ["join_choices"]

# Functions of one value, with the number behind it and in front of it.
_FUNCTIONS = {
    "Equal": ("equal", "equal"),
    "Greater": ("greater", "less"),
    "GreaterOrEqual": ("greater_equal", "less_equal"),
    "Less": ("less", "greater"),
    "LessOrEqual": ("less_equal", "greater_equal"),
}


def join_choices(graph: Graph) -> Graph:
    """Look up once where truth values of one tensor choose between functions of it.

    Pattern: Where, or a Cast to real values, whose condition compares a function of a tensor
        with one number; what is chosen between are functions of that tensor, or numbers.
    Becomes: one Lookup of the nearest such tensor.
    Only if: tensor and numbers are real.
    Exact because: a table holds any function of one value.
    """
    editor = Editor(graph)
    joined = 0
    for node in editor.nodes():
        if isinstance(node.op, Where):
            joined += _join(editor, node)
        elif isinstance(node.op, Cast) and node.op.to is DType.FLOAT32:
            truths = _truths(editor, node.inputs[0])
            root = next(iter(truths), None)
            joined += root is not None
            if root is not None:
                editor.replace(node, replace(node, op=Lookup(truths[root]), inputs=(root,)))
    return editor.done(Rewritten(Rewrite.LOOKUP_JOINED, joined))


def _join(editor: Editor, node: Node) -> bool:
    conditions = _truths(editor, node.inputs[0])
    for root in conditions:
        then, other = (_function(editor, name, root) for name in node.inputs[1:])
        if then is not None and other is not None:
            op = Lookup((Conditional(conditions[root], then, other),))
            editor.replace(node, replace(node, op=op, inputs=(root,)))
            return True
    return False


def _truths(editor: Editor, name: str) -> dict[str, Chain]:
    """What truth values are functions of, nearest first, and the functions: 0 and 1."""
    producer = editor.producer(name)
    if producer is not None and isinstance(producer.op, Cast):
        return _truths_of_values(editor, producer.inputs[0])
    if producer is None or not isinstance(producer.op, Compare | Logic):
        return {}
    numbers = [_number(editor, operand) for operand in producer.inputs]
    side = next((i for i, number in enumerate(numbers) if number is not None), None)
    if side is None:
        return {}
    number = numbers[side]
    other = producer.inputs[1 - side]
    if isinstance(producer.op, Logic):
        turned = producer.op.name == "Xor" and number == 1.0
        found = _truths(editor, other) if turned else {}
        return {root: (*chain, affine(-1.0, 1.0)) for root, chain in found.items()}
    if not editor.tensor(other).type.dtype.is_float:
        return {}
    assert number is not None
    function = UnaryFn(_FUNCTIONS[producer.op.relation][1 - side], (number,))
    return {root: (*chain, function) for root, chain in origins(editor, other).items()}


def _truths_of_values(editor: Editor, name: str) -> dict[str, Chain]:
    """The same of 0 and 1 that a comparison gave as real values."""
    if not editor.tensor(name).type.dtype.is_float:
        return {}
    compared = {each for both in _FUNCTIONS.values() for each in both}
    found = origins(editor, name)
    return {
        root: chain
        for root, chain in found.items()
        if chain and getattr(chain[-1], "name", "") in compared
    }


def _function(editor: Editor, name: str, root: str) -> Chain | None:
    """A tensor or number as a function of another tensor; None where it is none."""
    if not editor.tensor(name).type.dtype.is_float:
        return None
    number = _number(editor, name)
    if number is not None:
        return (affine(0.0, number),)
    chain = origins(editor, name).get(root)
    return None if chain is None else simplified(chain) if chain else chain


def _number(editor: Editor, name: str) -> float | None:
    """The value of a constant of one element."""
    data = editor.tensor(name).data
    return float(data.reshape(-1)[0]) if data is not None and data.size == 1 else None
