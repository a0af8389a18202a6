# SPDX-License-Identifier: Apache-2.0
"""Chains of functions of one value become one table."""

from __future__ import annotations

import math
from dataclasses import replace

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.types import DType
from mcuplan.ops.quantize import Quantize
from mcuplan.ops.unary import Chain, Link, Lookup, affine, rounding

__all__ = ["fuse_lookups", "simplified"]


def fuse_lookups(graph: Graph) -> Graph:
    """Look up once where functions follow each other.

    Pattern: Lookup or Quantize behind a Lookup or Quantize that nobody else reads, one of
        them a Lookup.
    Becomes: one Lookup with both chains; a grid between them stays as a rounding.
    Only if: the tensor between is read once; a Quantize that gives a tensor its only grid
        is left to `fold_quantize`, and so is one from or to int16.
    Exact because: a table holds any function of one value, computed in double.
    """
    editor = Editor(graph)
    fused = 0
    for node in editor.nodes():
        name = node.inputs[0] if node.inputs else ""
        if _chain(node) is None or editor.only_consumer(name) is None:
            continue
        first = editor.producer(name)
        if first is None or _chain(first) is None:
            continue
        if isinstance(node.op, Quantize) and isinstance(first.op, Quantize):
            continue
        if isinstance(first.op, Quantize) and editor.tensor(first.inputs[0]).type.quant is None:
            continue
        between = editor.tensor(first.output).type.quant
        if between is not None and _is_wide(editor, first.inputs[0], first.output, node.output):
            continue  # no table of 256 entries
        editor.replace(first)
        chain = _joined(editor, first, node)
        editor.replace(node, replace(node, op=Lookup(chain), inputs=first.inputs))
        fused += 1
    return editor.done(Rewritten(Rewrite.LOOKUP_FUSED, fused))


def _is_wide(editor: Editor, *names: str) -> bool:
    """Whether one of some tensors lies on a grid of int16."""
    quants = (editor.tensor(name).type.quant for name in names)
    return any(quant is not None and quant.dtype is DType.INT16 for quant in quants)


def _chain(node: Node) -> Chain | None:
    """The functions of a node, None where it is another operator."""
    if isinstance(node.op, Lookup):
        return node.op.chain
    return () if isinstance(node.op, Quantize) else None


def _joined(editor: Editor, first: Node, second: Node) -> Chain:
    """Both chains; the last rounding is the grid of the output, not part of the chain."""
    before, after = _chain(first), _chain(second)
    assert before is not None
    assert after is not None
    quant = editor.tensor(first.output).type.quant
    between = (rounding(quant),) if quant is not None else ()
    return simplified((*before, *between, *after))


def simplified(chain: Chain) -> Chain:
    """The chain with neighbouring affine steps joined and those that do nothing left out."""
    made: list[Link] = []
    for fn in chain:
        if fn.name == "affine" and made and made[-1].name == "affine":
            (a, b), (c, d) = made.pop().parameters, fn.parameters
            fn = affine(a * c, b * c + d)
        made.append(fn)
    kept = [fn for fn in made if not _does_nothing(fn)]
    return tuple(kept) or (made[0],)


def _does_nothing(fn: Link) -> bool:
    """An affine step that is the identity but for rounding in float32."""
    if fn.name != "affine":
        return False
    scale, offset = fn.parameters
    return offset == 0.0 and math.isclose(scale, 1.0, rel_tol=2.0**-22)
