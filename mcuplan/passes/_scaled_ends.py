# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs in float32 whose channels lie on one grid by factors of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mcuplan.facts import InType
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Origin, Port, Tensor
from mcuplan.ir.op import Op
from mcuplan.ir.types import Array, DType
from mcuplan.ops.conversion import FromGrid, ToGrid
from mcuplan.ops.eltwise import Mul

__all__ = ["is_scaled_input", "scalable_ends", "scaled_ends"]


def scalable_ends(
    graph: Graph, known: Mapping[str, Array], *, inputs: bool, outputs: bool
) -> tuple[str, ...]:
    """Tensors of inputs or outputs that are real values on a grid of ours, of several channels.

    Args:
        graph: float, after the passes.
        known: tensors whose channels are known, by name.
        inputs: some of them.
        outputs: some of them, but what is an input, too.
    """
    read = [port.tensor for port in graph.inputs]
    used = graph.consumers()
    found = [p.tensor for p in graph.inputs if inputs and used.get(p.tensor)]
    ports = {p.tensor: p for p in (*graph.inputs, *graph.outputs)}
    found += [p.tensor for p in graph.outputs if outputs and p.tensor not in read]
    return tuple(name for name in dict.fromkeys(found) if _is_ours(graph, ports[name], known))


def _is_ours(graph: Graph, port: Port, known: Mapping[str, Array]) -> bool:
    tensor = graph.tensor(port.tensor)
    plain = not (port.state or port.is_choice or port.on_grid or tensor.real)
    kind = tensor.type
    ours = kind.dtype.is_float and kind.quant is None and tensor.wanted is not DType.INT16
    return plain and ours and port.tensor in known and kind.channels > 1 and len(kind.shape) > 1


def scaled_ends(graph: Graph, factors: Mapping[str, Array]) -> Graph:
    """Put a product in float32 between ends of the model and their tensors, now multiplied.

    Args:
        graph: float; layers that read and make the ends have taken the factors.
        factors: of each channel, by the tensor of an input or output.
    """
    some = {name: own for name, own in factors.items() if (own != 1.0).any()}
    if not some:
        return graph
    edit, inputs = Editor(graph), {port.tensor for port in graph.inputs}
    for name, own in some.items():
        (_scale_input if name in inputs else _scale_output)(edit, name, own)
    names = {port.tensor: port.name for port in (*graph.inputs, *graph.outputs)}
    done = edit.done()
    fact = InType(tuple(names[name] for name in some), len(some))
    return replace(done, notes=(*done.notes, fact))


def is_scaled_input(graph: Graph, node: Node) -> bool:
    """Whether a node puts an input on a grid whose channels have factors."""
    if not isinstance(node.op, ToGrid):
        return False
    product = graph.producers().get(node.inputs[0])
    inputs = {port.tensor for port in graph.inputs}
    return product is not None and isinstance(product.op, Mul) and product.inputs[0] in inputs


def _scale_input(edit: Editor, name: str, factors: Array) -> None:
    """Let readers of an input find what of it is multiplied, on a grid."""
    tensor = edit.tensor(name)
    inner = edit.set_tensor(replace(tensor, name=edit.fresh(f"{name}_scaled")))
    ports = edit.outputs
    edit.rewire(name, inner)
    edit.set_ports(None, ports)
    edit.set_tensor(replace(tensor, real=True, origin=_plain(tensor)))
    real = _real(edit, tensor, f"{inner}_real")
    first = next(edit.nodes())
    product = _node(edit, Mul(), (name, _constant(edit, name, factors)), real)
    edit.replace(first, product, _node(edit, ToGrid(), (real,), inner), first)


def _scale_output(edit: Editor, name: str, factors: Array) -> None:
    """Let what makes an output make it multiplied, on a grid; its readers read that."""
    tensor, ports = edit.tensor(name), edit.outputs
    inner = replace(tensor, name=edit.fresh(f"{name}_scaled"))
    edit.rename(name, inner)
    edit.rewire(name, inner.name)
    edit.set_ports(None, ports)
    edit.set_tensor(replace(tensor, real=True, origin=_plain(tensor)))
    real = _real(edit, tensor, f"{inner.name}_real")
    producer = edit.producer(inner.name)
    assert producer is not None
    product = _node(edit, Mul(), (real, _constant(edit, name, 1.0 / factors)), name)
    edit.replace(producer, producer, _node(edit, FromGrid(), (inner.name,), real), product)


def _plain(tensor: Tensor) -> Origin | None:
    """The origin without factors."""
    origin = tensor.origin
    return None if origin is None else replace(origin, factors=(), axis=None)


def _real(edit: Editor, like: Tensor, stem: str) -> str:
    """A real tensor of that shape, which the model does not have."""
    return edit.set_tensor(replace(like, name=edit.fresh(stem), real=True, origin=None))


def _constant(edit: Editor, name: str, factors: Array) -> str:
    """One for each channel."""
    shape = (1,) * (len(edit.tensor(name).type.shape) - 1) + (-1,)
    made = edit.constant(f"{name}_factors", np.asarray(factors, np.float32).reshape(shape))
    return edit.set_tensor(replace(edit.tensor(made), real=True))


def _node(edit: Editor, op: Op, inputs: tuple[str, ...], output: str) -> Node:
    return Node(edit.fresh(f"{output}_node"), op, inputs, (output,))
