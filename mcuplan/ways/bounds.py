# SPDX-License-Identifier: Apache-2.0
"""What every plan of a graph needs, whatever its order, kernels and places."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.types import DType

__all__ = ["Bound", "least_flash", "least_ram"]


@dataclass(frozen=True, slots=True)
class Bound:
    """Bytes that no plan is below, and what they are of."""

    nbytes: int
    of: str


def least_flash(graph: Graph, bits: int) -> Bound:
    """The weights of all layers in elements of at least so many bits, each array once."""
    weights = {}
    for node in graph.nodes:
        for index in node.op.weight_inputs[:1]:
            data = graph.tensor(node.inputs[index]).data
            if data is not None:
                weights[data.tobytes()] = data.size
    total = sum(size * bits // 8 for size in weights.values())
    return Bound(total, f"weights of {bits} bits")


def least_ram(graph: Graph, dtype: DType, *, fed: bool) -> Bound:
    """What must be held at once: the rows that a row is computed from; inputs, unless fed.

    Args:
        graph: lowered, or float and then of elements of the type.
        dtype: of activations.
        fed: rows of the input come one by one.
    """
    found = [_outputs(graph, dtype)]
    if not fed:
        inputs = sum(_nbytes(graph, port.tensor, dtype) for port in graph.app_inputs)
        found.append(Bound(inputs, "the input"))
    found += [_rows(graph, node, dtype) for node in graph.nodes if _has_windows(graph, node)]
    return max(found, key=lambda bound: bound.nbytes)


def _outputs(graph: Graph, dtype: DType) -> Bound:
    names = dict.fromkeys(port.tensor for port in graph.app_outputs)
    return Bound(sum(_nbytes(graph, name, dtype) for name in names), "the output")


def _nbytes(graph: Graph, name: str, dtype: DType) -> int:
    """Bytes of an activation: of its own type, or of that it is to have."""
    kind = graph.tensor(name).type
    return dtype.nbytes(kind.elements) if kind.dtype.is_float else kind.nbytes


def _has_windows(graph: Graph, node: Node) -> bool:
    """Whether rows are sums over several rows: all of them are there at once.

    Not of lines, which may become rows of one pixel.
    """
    shape = graph.tensor(node.inputs[0]).type.shape
    return bool(node.op.weight_inputs) and len(shape) == 4 and shape[1] > 1


def _rows(graph: Graph, node: Node, dtype: DType) -> Bound:
    """The rows of its input that one row of a layer reads."""
    kind = graph.tensor(node.inputs[0]).type
    spans = graph.signature(node).rows_read(0)
    most = int((spans[..., 1] - spans[..., 0]).clip(0).sum(axis=1).max(initial=0))
    held = min(most, kind.shape[1]) * _nbytes(graph, node.inputs[0], dtype) // kind.shape[1]
    return Bound(held, f"{most} rows that one row of {graph.node_name(node)} reads")
