# SPDX-License-Identifier: Apache-2.0
"""Which layers have weights of other bits than their activations ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcuplan.errors import McuplanError, Problems, UnsupportedOp, UsageError
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.types import DType
from mcuplan.passes.named import nodes_named

__all__ = ["narrow_weights"]

_OPTION = "--weight-dtype"


def narrow_weights(
    graph: Graph,
    asked: Mapping[str, DType],
    *,
    block: int | None = None,
    quantized: bool = False,
) -> Graph:
    """Mark the weights whose integers are of a type that was asked for.

    Pattern: layers with weights of their own: convolutions, matrices.
    Becomes: the same over weights that want to be of that type.
    Only if: it is asked for, and they do not stay float32. Integers of a quantized model stay.
    Exact because: real values are as they were.

    Args:
        graph: after the passes, before grids.
        asked: types by layer of the model file; of all others under the empty name.
        block: how many weights of 4 bits along the inputs share a scale; None, and of fewer
            inputs or activations of 16 bits: all of an output.
        quantized: whether integers that the model file has are those of the layers.

    Raises:
        Problems: no layer has a name that was asked for, or it has no weights of such a type.
        UsageError: integers of a quantized model are all that this was asked of.
    """
    if not asked:
        return graph
    options = {name: f"{_OPTION} {name}={dtype}" for name, dtype in asked.items() if name}
    named = nodes_named(graph, options)
    errors: list[McuplanError] = [
        _missing(graph, node, name, asked[name])
        for name, nodes in named.items()
        for node in nodes[:1]
        if not any(_has(graph, each, asked[name]) for each in nodes)
    ]
    Problems.raise_if_any(errors)
    wanted = {node.name: asked[name] for name, nodes in named.items() for node in nodes}
    types = {node.name: wanted.get(node.name, asked.get("")) for node in graph.nodes}
    found = [(n, t) for n in graph.nodes if (t := types[n.name]) and _has(graph, n, t)]
    open_to_it = [(n, t) for n, t in found if not (quantized and _is_other(graph, n, t))]
    refused = [n for n, _ in found if n.name in wanted and (n, wanted[n.name]) not in open_to_it]
    if refused or (found and not open_to_it):
        what = f"{_OPTION}: weights of a quantized model stay the integers that they are"
        where = graph.node_name((refused or [found[0][0]])[0])
        raise UsageError(what, where, "give it for the float model")
    edit = Editor(graph)
    for node, dtype in open_to_it:
        wide = graph.tensor(node.output).wanted is DType.INT16
        _mark(edit, node, dtype, None if wide else block)
    return edit.done()


def _missing(graph: Graph, node: Node, name: str, dtype: DType) -> UnsupportedOp:
    read = graph.tensor(node.output).wanted or DType.INT8
    if not node.op.weight_inputs or read is DType.INT8:
        return UnsupportedOp(f"{node.op.label} has no weights of {dtype}", name, "name a layer")
    what = f"{node.op.label} has no weights of {dtype} where it computes in {read}"
    return UnsupportedOp(what, name, "one of the two for this layer")


def _has(graph: Graph, node: Node, dtype: DType) -> bool:
    """Whether a node has weights that may be of a type."""
    if not node.op.weight_inputs:
        return False
    weights = graph.tensor(node.inputs[node.op.weight_inputs[0]])
    read = graph.tensor(node.output).wanted or DType.INT8
    forms = [types.weights[0] for types in node.op.types if types.inputs[0] is read]
    there = dtype in forms and not (read is DType.INT8 and dtype is DType.INT16)
    return there and weights.is_constant and not weights.real


def _is_other(graph: Graph, node: Node, dtype: DType) -> bool:
    """Whether the model file has integers of another type for the weights."""
    stored = graph.tensor(node.inputs[node.op.weight_inputs[0]]).stored
    return stored is not None and stored.quant.dtype is not dtype


def _mark(edit: Editor, node: Node, dtype: DType, block: int | None) -> None:
    index = node.op.weight_inputs[0]
    weights = edit.tensor(node.inputs[index])
    inputs = weights.type.shape[-1]
    if dtype is not DType.INT4 or block is None or inputs < block:
        block = None
    wanted = dtype if block is None else DType.INT4_BLOCKS
    if (weights.wanted, weights.block) == (wanted, block):
        return
    marked = replace(weights, name=edit.own_name(weights.name), wanted=wanted, block=block)
    name = edit.set_tensor(marked)
    names = (*node.inputs[:index], name, *node.inputs[index + 1 :])
    if names != node.inputs:
        edit.replace(node, replace(node, inputs=names))
