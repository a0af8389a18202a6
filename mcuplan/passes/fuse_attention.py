# SPDX-License-Identifier: Apache-2.0
"""Two products around a Softmax are attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import NO_CLAMP
from mcuplan.ops.attention import Attention
from mcuplan.ops.eltwise import Add
from mcuplan.ops.matmul import MatMul
from mcuplan.ops.movement import Reshape
from mcuplan.ops.softmax import Softmax
from mcuplan.ops.unary import Lookup
from mcuplan.passes._edit import add_node

__all__ = ["fuse_attention"]

_KEYS = {4: ((0, 1, 2, -1), (0, 3, 2, -1)), 3: ((0, 1, -1), (0, 2, -1))}
_VALUES = {4: ((0, 1, 2, -1), (0, -1, 2, 3)), 3: ((0, 1, -1), (0, -1, 2))}
_HIDDEN = -1e4  # and below: what a mask adds where a key is not seen


def fuse_attention(graph: Graph) -> Graph:
    """Compute a row of scores, its weights and the mean of values in one step.

    Pattern: MatMul of queries and keys, perhaps times a number, perhaps a causal mask, Softmax,
        MatMul with values; heads lie within rows, or there is one. Numbers that queries or keys
        are multiplied by before count, too.
    Becomes: Attention.
    Only if: nobody else reads what lies between, and the model rounds none of it.
    Exact because: it is the definition of attention.
    """
    editor = Editor(graph)
    fused = sum(_fuse(editor, node) for node in editor.nodes() if isinstance(node.op, MatMul))
    return editor.done(Rewritten(Rewrite.ATTENTION_FUSED, fused))


@dataclass(slots=True)
class _Found:
    """What lies in front of a node: a chain read by nobody else, last node first."""

    editor: Editor
    nodes: list[Node]

    def before(self, node: Node, kind: type, index: int = 0) -> Node | None:
        """The maker of an input, if it is of a kind and its output is neither read nor rounded."""
        name = node.inputs[index]
        made = self.editor.producer(name)
        if made is None or not isinstance(made.op, kind):
            return None
        if self.editor.only_consumer(name) is None or self.editor.tensor(name).type.quant:
            return None
        return made

    def step(self, node: Node, kind: type, index: int = 0) -> Node | None:
        """The same, as part of the chain."""
        made = self.before(node, kind, index)
        self.nodes += [made] if made is not None else []
        return made


def _fuse(editor: Editor, last: Node) -> bool:
    if not _is(last, _VALUES):
        return False
    found = _Found(editor, [last])
    softmax = found.step(last, Softmax)
    if softmax is None:
        return False
    behind, causal, scale = softmax, False, 1.0
    while (made := found.step(behind, Lookup | Add)) is not None:  # type: ignore[arg-type]
        factor = _factor(made)
        if factor is None and (causal or not _is_causal(editor, made)):
            return False
        causal, scale = causal or factor is None, scale * (factor or 1.0)
        behind = made
    first = found.step(behind, MatMul)
    if first is None or not _is(first, _KEYS):
        return False
    names = []
    for index in (0, 1):
        scaled = found.before(first, Lookup, index)
        factor = _factor(scaled) if scaled is not None else None
        if scaled is not None and factor is not None:
            found.nodes.append(scaled)
            scale *= factor
        names.append(scaled.inputs[0] if scaled is not None and factor else first.inputs[index])
    return _replace(editor, found.nodes, [*names, last.inputs[1]], Attention(scale, causal))


def _is(node: Node, labels: dict[int, tuple[tuple[int, ...], tuple[int, ...]]]) -> bool:
    op = node.op
    return isinstance(op, MatMul) and labels.get(op.rank) == op.labels and op.act == NO_CLAMP


def _factor(node: Node) -> float | None:
    """The positive number that a node multiplies by, None where it does anything else."""
    if not isinstance(node.op, Lookup) or [fn.name for fn in node.op.chain] != ["affine"]:
        return None
    scale, offset = node.op.chain[0].parameters
    return scale if offset == 0.0 and scale > 0.0 else None


def _is_causal(editor: Editor, node: Node) -> bool:
    """Whether a node adds a constant that hides the keys behind each query, and nothing else."""
    op = node.op
    if not isinstance(op, Add) or op.act != NO_CLAMP:
        return False
    data = editor.tensor(node.inputs[1]).data
    shape = editor.tensor(node.output).type.shape
    if data is None or data.size != shape[1] * shape[-1] or data.shape[1] != shape[1]:
        return False
    mask = data.reshape(shape[1], shape[-1])
    seen = np.tri(*mask.shape, k=shape[-1] - shape[1], dtype=bool)
    return shape[-1] >= shape[1] and bool(
        (mask[seen] == 0).all() and (mask[~seen] <= _HIDDEN).all()
    )


def _replace(editor: Editor, nodes: Sequence[Node], names: Sequence[str], op: Attention) -> bool:
    """Put the operator in the place of the last product; one head has an axis of its own."""
    last = nodes[0]
    kinds = [editor.tensor(name).type for name in names]
    plain = len(kinds[0].shape) == 3
    shapes = [(*k.shape[:2], 1, k.shape[2]) if plain else k.shape for k in kinds]
    try:
        op.infer([replace(k, shape=shape) for k, shape in zip(kinds, shapes, strict=True)])
    except UnsupportedOp:
        return False
    inputs = [
        add_node(editor, last, Reshape(shape), [name], f"{name}_heads", quant=kind.quant)
        if plain
        else name
        for name, shape, kind in zip(names, shapes, kinds, strict=True)
    ]
    if plain:
        output = editor.tensor(last.output).type
        made = add_node(editor, last, op, inputs, f"{last.output}_heads", quant=output.quant)
        editor.replace(last, replace(last, op=Reshape(output.shape), inputs=(made,)))
    else:
        editor.replace(last, replace(last, op=op, inputs=tuple(inputs)))
    for node in nodes[1:]:
        editor.replace(node)
    return True
