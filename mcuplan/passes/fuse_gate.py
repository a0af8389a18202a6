# SPDX-License-Identifier: Apache-2.0
"""A value times a function of itself is a function of one value."""

from __future__ import annotations

import math
from dataclasses import replace

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import NO_CLAMP
from mcuplan.ops.eltwise import Mul
from mcuplan.ops.unary import Chain, Lookup, UnaryFn, affine, clip
from mcuplan.passes.fuse_lookups import simplified

__all__ = ["fuse_gate"]


def fuse_gate(graph: Graph) -> Graph:
    """Recognize Swish, HardSwish, Mish, Gelu and squares that are written out.

    Pattern: x times a Lookup of x: Sigmoid, HardSigmoid, Clip of x + 3, Tanh of Softplus,
        1 + Erf; or x times x.
    Becomes: one Lookup.
    Only if: nobody else reads the Lookup, nothing rounds it, and its constants are those
        of the function to float32 accuracy.
    Exact because: it is the definition of the function.
    """
    editor = Editor(graph)
    fused = 0
    for node in editor.nodes():
        if isinstance(node.op, Mul):
            fused += _fuse(editor, node, node.op)
    return editor.done(Rewritten(Rewrite.GATE_FUSED, fused))


def _fuse(editor: Editor, node: Node, op: Mul) -> bool:
    (root, left), (other, right) = (_operand(editor, name) for name in node.inputs)
    if node.inputs[0] == node.inputs[1]:
        root = other = node.inputs[0]
        left = right = ()
    if root != other or editor.tensor(root).is_constant:
        return False
    for plain, gate in ((left, right), (right, left)):
        factor = _factor(plain)
        made = _product(gate) if factor is not None else None
        if made is not None and factor is not None:
            tail = () if op.act == NO_CLAMP else (clip(*op.act),)
            chain = simplified((*made, affine(factor, 0.0), *tail))
            for name in dict.fromkeys(node.inputs):
                producer = editor.producer(name)
                if name != root and producer is not None:
                    editor.replace(producer)
            editor.replace(node, replace(node, op=Lookup(chain), inputs=(root,)))
            return True
    return False


def _operand(editor: Editor, name: str) -> tuple[str, Chain]:
    """The tensor and the functions that an operand is made of."""
    producer = editor.producer(name)
    private = editor.only_consumer(name) is not None and editor.tensor(name).type.quant is None
    if producer is None or not isinstance(producer.op, Lookup) or not private:
        return name, ()
    return producer.inputs[0], producer.op.chain


def _factor(chain: Chain) -> float | None:
    """The factor of a chain that only scales."""
    if not chain:
        return 1.0
    if len(chain) == 1 and chain[0].name == "affine" and chain[0].parameters[1] == 0.0:
        return chain[0].parameters[0]
    return None


def _product(chain: Chain) -> Chain | None:
    """What x times a chain of x is, where that has a name."""
    if not chain:
        return (UnaryFn("pow", (2.0,)),)
    *head, last = chain
    if head and last.name == "affine" and last.parameters[1] == 0.0:
        made = _product(tuple(head))
        return None if made is None else (*made, affine(last.parameters[0], 0.0))
    names = tuple(fn.name for fn in chain)
    values = tuple(value for fn in chain for value in fn.parameters)
    if names == ("sigmoid",):
        return (UnaryFn("swish", (1.0,)),)
    if names == ("affine", "sigmoid") and values[1] == 0.0:
        return (UnaryFn("swish", (values[0],)),)
    if names == ("softplus", "tanh"):
        return (UnaryFn("mish"),)
    if names == ("hard_sigmoid",) and _near(values, (1 / 6, 0.5)):
        return (UnaryFn("hard_swish"),)
    if names == ("affine", "clip") and values[2] == 0.0 and 0.0 < values[3] < math.inf:
        high = values[3]
        if _near((values[0] / high, values[1] / high), (1 / 6, 0.5)):
            return (UnaryFn("hard_swish"), affine(high, 0.0))
    if names == ("affine", "erf", "affine") and _near(
        (values[0], values[3]), (math.sqrt(0.5), values[2])
    ):
        return (UnaryFn("gelu"), affine(2.0 * values[2], 0.0)) if values[1] == 0.0 else None
    return None


def _near(found: tuple[float, ...], wanted: tuple[float, ...]) -> bool:
    """Equal but for the rounding of float32 constants."""
    return all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(found, wanted, strict=True))
