# SPDX-License-Identifier: Apache-2.0
"""Steps that several passes share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Node, Stored, Tensor
from mcuplan.ir.op import Op
from mcuplan.ir.types import Array, Quant

__all__ = [
    "add_node",
    "bypass",
    "constant_of",
    "convert",
    "keeps_grid",
    "moved_axes",
    "rename_output",
    "stored_columns",
    "with_quant",
]


def keeps_grid(editor: Editor, source: str, output: str) -> bool:
    """Whether a tensor's values lie on every grid that the other one is rounded to."""
    wanted = editor.tensor(output).type.quant
    return wanted is None or wanted == editor.tensor(source).type.quant


def moved_axes(tensor: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A tensor whose axis i is axis ``axes[i]`` of the one given."""
    kind = replace(tensor.type, shape=tuple(tensor.type.shape[a] for a in axes))
    origin = tensor.origin
    if origin is not None:
        origin = replace(origin, layout=tuple(origin.layout[a] for a in axes))
    return replace(tensor, type=kind, origin=origin)


def bypass(editor: Editor, node: Node, source: str) -> None:
    """Remove a node of one output and let its readers read another tensor."""
    editor.replace(node)
    editor.rewire(node.output, source)


def rename_output(editor: Editor, node: Node) -> None:
    """Remove a node; what made its only activation makes its output instead."""
    source, output = node.inputs[0], editor.tensor(node.output)
    editor.replace(node)
    editor.rename(source, output)


def constant_of(editor: Editor, name: str) -> Array:
    """Value of a constant in double."""
    data = editor.tensor(name).data
    assert data is not None, f"{name} is not a constant"
    return data.astype(np.float64)


def add_node(
    editor: Editor,
    before: Node,
    op: Op,
    inputs: Sequence[str],
    stem: str,
    *,
    quant: Quant | None = None,
) -> str:
    """Put a new node in front of another one; returns its output."""
    kind = op.infer([editor.tensor(name).type for name in inputs])[0]
    name = editor.fresh(stem)
    editor.set_tensor(Tensor(name, replace(kind, quant=quant)))
    made = Node(editor.fresh(f"{before.name}_{stem}"), op, tuple(inputs), (name,), before.origin)
    editor.replace(before, made, before)
    return name


def convert(
    editor: Editor, source: str, op: Op, made: Tensor, readers: Iterable[Node], *, read: str = ""
) -> None:
    """Put a conversion behind what makes a tensor, or in front of all, for some of its readers.

    Args:
        editor: of the graph.
        source: the tensor that is converted.
        op: the conversion.
        made: what it makes.
        readers: nodes, perhaps as they were; others, and outputs of the graph, read what they did.
        read: what the readers have read; none: the source.
    """
    editor.set_tensor(made)
    node = Node(editor.fresh(f"{made.name}_node"), op, (source,), (made.name,))
    producer = editor.producer(source)
    if producer is not None:
        editor.replace(producer, producer, node)
    else:
        first = next(editor.nodes())
        editor.replace(first, node, first)
    old = read or source
    for reader in readers:
        now = next(node for node in editor.consumers(old) if node.name == reader.name)
        inputs = tuple(made.name if name == old else name for name in now.inputs)
        editor.replace(now, replace(now, inputs=inputs))


def with_quant(tensor: Tensor, quant: Quant | None) -> Tensor:
    """The tensor on another grid."""
    return replace(tensor, type=replace(tensor.type, quant=quant))


def stored_columns(stored: Stored | None, order: Array) -> Stored | None:
    """Stored weights [O, K] with their columns taken in an order; None where it has none."""
    if stored is None or stored.quant.axis not in (None, 0):
        return None
    return Stored(stored.values.take(order, axis=1), stored.quant)
