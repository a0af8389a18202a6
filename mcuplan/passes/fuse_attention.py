# SPDX-License-Identifier: Apache-2.0
"""Two products around a Softmax are attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.geometry import Shape
from mcuplan.ir.graph import Graph, Node, Stored, Tensor
from mcuplan.ir.op import NO_CLAMP, Op
from mcuplan.ir.types import DType, TensorType
from mcuplan.ops.attention import Attention
from mcuplan.ops.choice import Where
from mcuplan.ops.eltwise import Add
from mcuplan.ops.masked_attention import MaskedAttention
from mcuplan.ops.matmul import MatMul
from mcuplan.ops.movement import Reshape
from mcuplan.ops.rounded_attention import OF_KEYS, OF_VALUES, RoundedAttention
from mcuplan.ops.softmax import Softmax
from mcuplan.ops.unary import Lookup
from mcuplan.passes._edit import add_node

__all__ = ["attention_in_parts", "fuse_attention"]

_KEYS = {4: OF_KEYS, 3: ((0, 1, -1), (0, 2, -1))}
_VALUES = {4: OF_VALUES, 3: ((0, 1, -1), (0, -1, 2))}
_HIDDEN = -1e4  # and below: what a mask adds where a key is not seen


def fuse_attention(graph: Graph) -> Graph:
    """Compute a row of scores, its weights and the mean of values in one step.

    Pattern: MatMul of queries and keys, perhaps times a number, perhaps a mask, Softmax,
        MatMul with values; heads lie within rows, or there is one. Numbers that queries or keys
        are multiplied by before count, too.
    Becomes: Attention, or MaskedAttention; where the model rounds all that lies between,
        RoundedAttention, whatever the functions are, with a mask that is a constant.
    Only if: nobody else reads what lies between, and the model rounds all of it or nothing.
    Exact because: it is the definition of attention, or the same parts one after the other.
    """
    editor = Editor(graph)
    products = (node for node in editor.nodes() if isinstance(node.op, MatMul))
    fused = sum(_fuse(editor, node) or _fuse_rounded(editor, node) for node in products)
    return editor.done(Rewritten(Rewrite.ATTENTION_FUSED, fused))


@dataclass(slots=True)
class _Found:
    """What lies in front of a node: a chain read by nobody else, last node first."""

    editor: Editor
    nodes: list[Node]
    rounded: bool = False  # all of it by the model, otherwise nothing

    def before(self, node: Node, kind: type, index: int = 0) -> Node | None:
        """The maker of an input, if it is of a kind and nobody else reads its output."""
        name = node.inputs[index]
        made = self.editor.producer(name)
        if made is None or not isinstance(made.op, kind):
            return None
        rounded = self.editor.tensor(name).type.quant is not None
        if self.editor.only_consumer(name) is None or rounded != self.rounded:
            return None
        return made

    def step(self, node: Node, kind: type, index: int = 0) -> Node | None:
        """The same, as part of the chain."""
        made = self.before(node, kind, index)
        self.nodes += [made] if made is not None else []
        return made


def _fuse(editor: Editor, last: Node) -> bool:
    values = _shapes(editor, last, _VALUES)
    if values is None:
        return False
    found = _Found(editor, [last])
    softmax = found.step(last, Softmax)
    if softmax is None:
        return False
    behind, causal, scale, mask, index = softmax, False, 1.0, "", 0
    while (made := found.step(behind, Lookup | Add | Where, index)) is not None:  # type: ignore[arg-type]
        factor, index = _factor(made), 0
        if factor is not None:
            scale *= factor
        elif causal or mask:
            return False
        elif not (causal := _is_causal(editor, made)):
            mask = _mask_of(editor, made) if scale == 1.0 else ""
            index = int(isinstance(made.op, Where))
            if not mask:
                return False
        behind = made
    first = found.step(behind, MatMul, index)
    keys = _shapes(editor, first, _KEYS) if first is not None else None
    if first is None or keys is None:
        return False
    shapes = [*keys, values[1]]
    names = []
    for index in (0, 1):
        scaled = found.before(first, Lookup, index)
        factor = _factor(scaled) if scaled is not None else None
        if scaled is not None and factor is not None:
            found.nodes.append(scaled)
            scale *= factor
        names.append(scaled.inputs[0] if scaled is not None and factor else first.inputs[index])
    names.append(last.inputs[1])
    if mask:
        shapes.append(editor.tensor(mask).type.shape)
        return _replace(editor, found.nodes, [*names, mask], shapes, MaskedAttention(scale))
    return _replace(editor, found.nodes, names, shapes, Attention(scale, causal))


def _fuse_rounded(editor: Editor, last: Node) -> bool:
    """The same of a model that rounds scores and weights."""
    found = _Found(editor, [last], rounded=True)
    values = _shapes(editor, last, _VALUES)
    softmax = found.step(last, Softmax) if values is not None else None
    if values is None or softmax is None:
        return False
    behind, mask = softmax, ""
    while (made := found.step(behind, Lookup | Add)) is not None:  # type: ignore[arg-type]
        if isinstance(made.op, Add):
            if behind is not softmax or not _is_mask(editor, made):
                return False
            mask = made.inputs[1]
        behind = made
    first = found.step(behind, MatMul)
    keys = _shapes(editor, first, _KEYS) if first is not None else None
    if first is None or keys is None:
        return False
    inner = [editor.tensor(node.output) for node in reversed(found.nodes[1:])]
    if any(tensor.type.q.dtype is not DType.INT8 for tensor in inner):
        return False
    between = [node.op for node in reversed(found.nodes[1:-1])]
    parts = (MatMul(*OF_KEYS, 4), *between, MatMul(*OF_VALUES, 4, last.op.act))
    names = [*first.inputs, last.inputs[1], *([mask] if mask else [])]
    shapes = [*keys, values[1], *([editor.tensor(mask).type.shape] if mask else [])]
    op = RoundedAttention(
        parts, tuple(t.type.q for t in inner), tuple(tensor.origin for tensor in inner)
    )
    return _replace(editor, found.nodes, names, shapes, op)


def attention_in_parts(graph: Graph) -> Graph:
    """The same graph of integers with the layers of the model where it rounds between them.

    Pattern: RoundedAttention over integers.
    Becomes: its parts, over tensors that the model has.
    Only if: ever.
    Exact because: its integer meaning is theirs, one after the other.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if isinstance(node.op, RoundedAttention):
            _divide(editor, node, node.op)
    return editor.done()


def _divide(editor: Editor, node: Node, op: RoundedAttention) -> None:
    made, keys, values, *masks = node.inputs
    others = [keys, *masks, values]
    origins = op.origins or (None,) * len(op.grids)
    parts: list[Node] = []
    for number, sig in enumerate(op.signatures(editor.signature(node))):
        inputs = (made, others.pop(0)) if len(sig.inputs) == 2 else (made,)
        origin = origins[number] if number < len(op.grids) else None
        if number < len(op.grids):
            name = editor.fresh(f"{node.output}_part")
            made = editor.set_tensor(Tensor(name, sig.output, origin=origin))
        else:
            made = node.output
        own = origin.name if origin else node.origin
        parts.append(Node(f"{node.name}_{number}", sig.op, inputs, (made,), own))
    editor.replace(node, *parts)


def _is_mask(editor: Editor, node: Node) -> bool:
    """Whether a node adds a constant on a grid to scores."""
    mask = editor.tensor(node.inputs[1])
    scores = editor.tensor(node.inputs[0]).type
    return (
        node.op.act == NO_CLAMP
        and mask.stored is not None
        and mask.stored.quant.axis is None
        and len(mask.type.shape) == len(scores.shape)
    )


def _shapes(
    editor: Editor, node: Node, labels: dict[int, tuple[tuple[int, ...], tuple[int, ...]]]
) -> list[Shape] | None:
    """Shapes in which both operands of a product have axes in such an order, if they have it.

    One head, or one key, may stand anywhere: no element of the operand moves for it.
    """
    op = node.op
    if not isinstance(op, MatMul) or op.rank not in labels or op.act != NO_CLAMP:
        return None
    found = list[Shape]()
    for name, own, wanted in zip(node.inputs, op.labels, labels[op.rank], strict=True):
        shape = editor.tensor(name).type.shape
        order = [own.index(label) for label in wanted] if {*own} == {*wanted} else []
        kept = [axis for axis in order if shape[axis] != 1]
        if not order or kept != sorted(kept):
            return None
        found.append(tuple(shape[axis] for axis in order))
    return found


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


def _with_heads(editor: Editor, node: Node, name: str, shape: Shape) -> str:
    """A tensor in another shape, in front of a node."""
    tensor = editor.tensor(name)
    if tensor.data is None:
        kind = tensor.type
        return add_node(editor, node, Reshape(shape), [name], f"{name}_heads", quant=kind.quant)
    stored = tensor.stored and Stored(tensor.stored.values.reshape(shape), tensor.stored.quant)
    kind, data = replace(tensor.type, shape=shape), tensor.data.reshape(shape)
    return editor.set_tensor(Tensor(editor.fresh(f"{name}_heads"), kind, data=data, stored=stored))


def _mask_of(editor: Editor, node: Node) -> str:
    """What hides keys where a node adds to scores or replaces them, as our mask; "": no mask."""
    op = node.op
    if isinstance(op, Where):
        return node.inputs[0] if _hides(editor, node.inputs[2]) else ""
    if not isinstance(op, Add) or op.act != NO_CLAMP:
        return ""
    name = node.inputs[1]
    tensor, chosen = editor.tensor(name), editor.producer(name)
    if tensor.data is not None and np.isinf(tensor.data).all(axis=-1).any():
        return ""  # of no keys at all, a Softmax is NaN
    if tensor.data is not None and ((tensor.data == 0) | (tensor.data <= _HIDDEN)).all():
        data = tensor.data == 0
        kind = TensorType(data.shape, DType.BOOL)
        return editor.set_tensor(Tensor(editor.fresh(f"{name}_seen"), kind, data=data))
    moved = chosen if chosen is not None and isinstance(chosen.op, Reshape) else None
    chosen = editor.producer(moved.inputs[0]) if moved is not None else chosen
    if chosen is not None and isinstance(chosen.op, Where) and not tensor.type.quant:
        seen = editor.tensor(chosen.inputs[1]).data
        if seen is not None and not seen.any() and _hides(editor, chosen.inputs[2]):
            mask, shape = chosen.inputs[0], tensor.type.shape
            if editor.tensor(mask).type.elements != tensor.type.elements:
                return ""
            return _with_heads(editor, node, mask, shape) if moved is not None else mask
    return name


def _hides(editor: Editor, name: str) -> bool:
    """Whether a constant hides every key."""
    data = editor.tensor(name).data
    return data is not None and bool((data <= _HIDDEN).all())


def _replace(
    editor: Editor, nodes: Sequence[Node], names: Sequence[str], shapes: Sequence[Shape], op: Op
) -> bool:
    """Put the operator in the place of the last product; one head has an axis of its own.

    ``shapes`` in which the tensors of these names are read.
    """
    last = nodes[0]
    kinds = [editor.tensor(name).type for name in names]
    plain = len(shapes[0]) == 3
    shapes = [(*shape[:2], 1, shape[2]) if plain else shape for shape in shapes]
    try:
        op.infer([replace(k, shape=shape) for k, shape in zip(kinds, shapes, strict=True)])
    except (UnsupportedOp, ValueError):  # numpy's word for shapes that do not broadcast
        return False
    each = zip(names, kinds, shapes, strict=True)
    inputs = [
        n if k.shape == shape else _with_heads(editor, last, n, shape) for n, k, shape in each
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
