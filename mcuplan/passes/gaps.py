# SPDX-License-Identifier: Apache-2.0
"""Values of a quantized model that it puts on no grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mcuplan.facts import ClosedBy, GapsClosed
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.op import NO_CLAMP, Op, QuantRule, Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops.concat import Concat
from mcuplan.ops.quantize import Quantize
from mcuplan.ops.recurrent import Recurrent
from mcuplan.ops.unary import Lookup
from mcuplan.passes._edit import with_quant
from mcuplan.passes.assign_grids import grids_in_model, needs_range, one_grid
from mcuplan.passes.constants import kept_weights, lies_on_steps
from mcuplan.passes.state_grids import keeps_state
from mcuplan.quant.observers import Range, quant_of_range

__all__ = [
    "Gaps",
    "close_by_limits",
    "closed",
    "inherit_grids",
    "on_no_grid",
    "without_integers",
]

_SUM_END = 2.0**31
_NONE: Mapping[str, Range] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Gaps:
    """What has no integers: tensors on no grid, and nodes that have none for their types.

    ``real_weights``: nodes whose weights a quantized model leaves as they are.
    """

    tensors: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()
    real_weights: frozenset[str] = frozenset()


def without_integers(graph: Graph, *, rounds: bool = False) -> frozenset[str]:
    """Nodes whose weights stay as they are only in float32.

    Those of more bits than a kernel takes, and in a quantized model (``rounds``: all that is to
    be rounded it rounds itself) those that are real. Also, nodes that the model has in int16, and
    that are not there for it.
    """
    found, grids = set(), grids_in_model(graph)
    for node in graph.nodes:
        if _lacks_int16(graph, node, grids):
            found.add(node.name)
        places = (*node.op.weight_inputs[:1], *node.op.matrices)
        weights = [graph.tensor(node.inputs[i]) for i in places if i < len(node.inputs)]
        wide = _is_wide(graph, node)
        if any(w.is_constant and not _has_form(node.op, w, rounds, wide=wide) for w in weights):
            found.add(node.name)
    return frozenset(found)


def _lacks_int16(graph: Graph, node: Node, grids: Mapping[str, Quant]) -> bool:
    """Whether a node reads or makes what lies on a grid of int16, and cannot do so to a step."""
    if isinstance(node.op, Quantize) or keeps_state(graph, node, grids):
        return False
    read, made = (
        [grids[name].dtype is DType.INT16 for name in names if name in grids]
        for names in (graph.activations(node), node.outputs)
    )
    if not any((*read, *made)):
        return False
    there = node.op.is_view or (node.op.is_wide and graph.signature(node).admits(DType.INT16))
    if not (there and made and all(made)) or isinstance(node.op, Recurrent):
        return True
    around = (*graph.activations(node), *node.outputs)
    joined = {grids.get(name) for name in around if graph.tensor(name).type.dtype.is_float}
    moves = node.op.quant_rule is QuantRule.PASS_THROUGH or isinstance(node.op, Concat)
    if moves and len(joined) > 1:
        return True
    if isinstance(node.op, Lookup):
        source = grids.get(node.inputs[0])  # none: it is read in float32, or gets a grid
        return source is not None and _is_off(node.op, source, grids[node.output])
    return _is_too_long(graph, node, grids)


def _is_off(op: Lookup, source: Quant, output: Quant) -> bool:
    """Whether a function that is interpolated is more than a step off for some integer."""
    codes = source.dtype.codes.astype(source.dtype.numpy)
    kinds = [TensorType(codes.shape, quant.dtype, quant) for quant in (source, output)]
    mine = op.integer(Signature(op, (kinds[0],), (kinds[1],), (None,)), codes)[0]
    real = op.reference(source.dequantize(codes).astype(np.float32))[0]
    apart = mine.astype(np.int64) - output.quantize(real).astype(np.int64)
    return bool(np.abs(apart).max() > 1)


def _is_too_long(graph: Graph, node: Node, grids: Mapping[str, Quant]) -> bool:
    """Whether sums with weights of the model might not stay in int32."""
    if not node.op.weight_inputs:
        return False
    source, (w, b) = grids.get(node.inputs[0]), node.op.weight_inputs
    weights, bias = (graph.tensor(node.inputs[i]) for i in (w, b))
    kept = kept_weights(weights, DType.INT16.high)
    if source is None or kept is None or bias.data is None:
        return False
    flat = kept.values.astype(np.int64).reshape(len(kept.values), -1)
    up, down = (np.maximum(flat * sign, 0).sum(axis=1) for sign in (1, -1))
    above, below = source.dtype.high - source.z, source.z - source.dtype.low
    most = np.maximum(up * above + down * below, up * below + down * above)
    steps = np.abs(bias.data.astype(np.float64)) / (np.array(kept.quant.scale) * source.s)
    return bool((most + steps).max(initial=0.0) >= _SUM_END)


def _is_wide(graph: Graph, node: Node) -> bool:
    """Whether the model has a node's activations in int16."""
    quants = [graph.tensor(name).type.quant for name in (node.inputs[0], node.output)]
    return all(quant is not None and quant.dtype is DType.INT16 for quant in quants)


def _has_form(op: Op, weights: Tensor, rounds: bool, *, wide: bool) -> bool:
    if weights.stored is None:
        one_each = weights.type.elements == weights.type.shape[0]  # on a grid of its own, exactly
        return one_each or not rounds or lies_on_steps(weights)
    kept = kept_weights(weights, DType.INT16.high) if wide else kept_weights(weights)
    if kept is None or not op.weight_inputs:
        return kept is not None
    return any(types.weights[0] is kept.quant.dtype for types in op.types)


def on_no_grid(graph: Graph, inputs: Mapping[str, Range] = _NONE) -> frozenset[str]:
    """Activations that a quantized model does not round, as far as their ranges are not known.

    What an operator with a grid of its own (Softmax, Sigmoid) makes of such values is one of them,
    too: the file does not round it there either.

    Args:
        graph: of a quantized model.
        inputs: known ranges of model inputs, by tensor.
    """
    found, grids = {*needs_range(graph, inputs)}, grids_in_model(graph)
    for node in graph.nodes:
        if not found.isdisjoint(graph.activations(node)):
            real = (name for name in node.outputs if graph.tensor(name).type.dtype.is_float)
            found.update(name for name in real if name not in grids)
    return frozenset(found)


def inherit_grids(graph: Graph) -> Graph:
    """Give what a Relu or Clip makes of values on a grid that grid.

    Pattern: a node that keeps values within limits and does nothing else, its output on no grid.
    Becomes: the output lies on the grid of the input.
    Only if: each limit is a value of the grid, or beyond its ends.
    Exact because: then all that the node gives are values of the grid.
    """
    edit, found = Editor(graph), []
    for node in graph.nodes:
        output, limits = edit.tensor(node.output), node.op.clamp
        if limits is None or output.type.quant is not None:
            continue
        quant = edit.tensor(node.inputs[0]).type.quant
        if quant is not None and all(quant.keeps(end) for end in limits):
            found.append(edit.set_tensor(with_quant(output, quant)))
    return closed(edit.done(), found, ClosedBy.NEIGHBOUR)


def close_by_limits(graph: Graph, inputs: Mapping[str, Range] = _NONE) -> Graph:
    """Put values on the grid of the range that the grids in front of them leave.

    Pattern: activations of a quantized model on no grid.
    Becomes: each lies on a grid that its limits fill.
    Only if: these are finite: behind functions of one value, pools and what moves values.
    Exact because: it is not; values are rounded that the model does not round.

    Args:
        graph: of a quantized model.
        inputs: known ranges of model inputs, by tensor.
    """
    edit, found, known = Editor(graph), list[str](), dict[str, Range]()
    open_ends, together = {*needs_range(graph, inputs)}, one_grid(graph)
    for node in edit.nodes():
        limits = _reach(edit, node, known)
        for name in node.outputs:
            known[name] = limits
            if name in open_ends and math.isfinite(limits[0]) and limits[0] < limits[1] < math.inf:
                quant = _covering(edit, node, limits)
                found.append(edit.set_tensor(with_quant(edit.tensor(name), quant)))
                open_ends.difference_update(together[name])
    return closed(edit.done(), found, ClosedBy.LIMITS)


def _covering(edit: Editor, node: Node, limits: Range) -> Quant:
    """The grid of limits, of 16 bits behind values that have as many."""
    quants = (edit.tensor(name).type.quant for name in node.inputs)
    if any(quant is not None and quant.dtype is DType.INT16 for quant in quants):
        return quant_of_range(limits, DType.INT16, symmetric=True)
    return quant_of_range(limits, limits=True)


def _reach(edit: Editor, node: Node, known: Mapping[str, Range]) -> Range:
    """Real values that a node makes of those of grids, and of others within known limits."""
    tensors = [edit.tensor(name) for name in node.inputs]
    quant = tensors[0].type.quant if tensors else None
    if isinstance(node.op, Lookup) and quant is not None:
        values = node.op.reference(quant.dequantize(quant.dtype.codes).astype(np.float32))[0]
        return float(values.min()), float(values.max())
    return node.op.limits([_limits(tensor, known) for tensor in tensors])


def _limits(tensor: Tensor, known: Mapping[str, Range]) -> Range:
    if tensor.data is not None:
        return float(tensor.data.min(initial=0)), float(tensor.data.max(initial=0))
    quant = tensor.type.quant
    ends = known.get(tensor.name, NO_CLAMP)
    if quant is None or quant.axis is not None:
        return ends
    return max(quant.ends[0], ends[0]), min(quant.ends[1], ends[1])


def closed(graph: Graph, tensors: Iterable[str], by: ClosedBy) -> Graph:
    """The graph with a note of tensors that got a grid."""
    names = tuple(dict.fromkeys(map(graph.tensor_name, tensors)))
    return replace(graph, notes=(*graph.notes, GapsClosed(names, by))) if names else graph
