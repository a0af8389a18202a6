# SPDX-License-Identifier: Apache-2.0
"""The figures that depend on the network alone: no plan, no chip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mcuplan.ir.geometry import ALL, AxisMap, InputMap, Shape, Window
from mcuplan.ir.graph import Graph, Node
from mcuplan.record import Totals

__all__ = ["Field", "network_totals", "receptive_fields"]


def network_totals(graph: Graph) -> Totals:
    """Totals of the float graph after the passes, batch 1.

    A feature map counts once: an activation function that was fused has none of its own, a
    view or another layout of a map is that map. Parameters are the constants that nodes
    read, each once.
    """
    maps = _feature_maps(graph)
    layers = [node for node in graph.nodes if maps[node.output] not in _inputs(graph, maps, node)]
    costs = []
    for node in layers:
        sig = graph.signature(node)
        costs.append(node.op.cost(sig.inputs, sig.outputs))
    macs = sum(cost.macs for cost in costs)
    parameters = _parameters(graph)
    peak = max((_in_and_out(graph, maps, node) for node in layers), default=0)
    return Totals(
        activations=_elements(graph, maps.values()),
        peak_activation=peak,
        parameters=parameters,
        macs=macs,
        flops=2 * macs,
        ops=sum(cost.ops for cost in costs),
        model_bytes_fp32=4 * parameters,
        model_bytes_int8=parameters,
        receptive_field=_widest(graph),
    )


def _feature_maps(graph: Graph) -> Mapping[str, str]:
    """For each activation the tensor that stands for its feature map.

    Tensors that hold the values of one ONNX tensor, in whatever layout, share one map, and
    so do a view and what it looks at.
    """
    first: dict[str, str] = {}
    maps: dict[str, str] = {}

    def add(tensor: str) -> None:
        origin = graph.tensor(tensor).origin
        maps[tensor] = first.setdefault(origin.name, tensor) if origin is not None else tensor

    for port in graph.inputs:
        add(port.tensor)
    for node in graph.nodes:
        source = node.inputs[0] if node.inputs else ""
        for name in node.outputs:
            if node.op.is_view and source in maps:
                maps[name] = maps[source]
                origin = graph.tensor(name).origin
                if origin is not None:
                    first.setdefault(origin.name, maps[source])
            else:
                add(name)
    return maps


def _inputs(graph: Graph, maps: Mapping[str, str], node: Node) -> tuple[str, ...]:
    return tuple(dict.fromkeys(maps[name] for name in graph.activations(node)))


def _elements(graph: Graph, tensors: Iterable[str]) -> int:
    return sum(graph.tensor(name).type.elements for name in dict.fromkeys(tensors))


def _in_and_out(graph: Graph, maps: Mapping[str, str], node: Node) -> int:
    outputs = tuple(maps[name] for name in node.outputs)
    return _elements(graph, (*_inputs(graph, maps, node), *outputs))


def _parameters(graph: Graph) -> int:
    read = dict.fromkeys(name for node in graph.nodes for name in node.inputs)
    constants = (graph.tensor(name) for name in read)
    return sum(tensor.type.elements for tensor in constants if tensor.is_constant)


@dataclass(frozen=True, slots=True)
class Field:
    """How one element of a tensor sees the model's input, per axis (rows, columns).

    ``size`` input elements wide; neighbours start ``jump`` input elements apart; the tensor
    has ``extent`` positions (None: not yet known to be rows and columns).
    """

    size: tuple[int, int] = (1, 1)
    jump: tuple[int, int] = (1, 1)
    extent: tuple[int, int] | None = None


def receptive_fields(graph: Graph) -> Mapping[str, Field]:
    """The field of every activation, the widest over all paths from the inputs.

    Theoretical: padding counts as input, so a field may be wider than the input. Layers
    that see everything (dense, global pooling) span all positions of what they read.

    Source: size += (kernel - 1) * jump, jump *= stride; Araujo et al., "Computing Receptive
    Fields of Convolutional Neural Networks", Distill 2019.
    """
    fields = {port.tensor: Field() for port in graph.inputs}
    for node in graph.nodes:
        sources = [n for n in graph.activations(node) if n in fields]
        made = _widest_of([_seen(graph, node, fields[n], n) for n in sources])
        for name in node.outputs:
            fields[name] = made
    return fields


def _seen(graph: Graph, node: Node, field: Field, source: str) -> Field:
    """The field of the node's output on the path through one of its inputs."""
    shape, sig = graph.tensor(source).type.shape, graph.signature(node)
    maps = sig.maps[node.inputs.index(source)]
    if not node.op.is_view and _sees_all(maps, shape):
        known = (shape[1], shape[2]) if len(shape) == 4 else None
        rows, columns = field.extent or known or (1, graph.tensor(source).type.elements)
        sees = ((rows - 1) * field.jump[0], (columns - 1) * field.jump[1])
        return Field((field.size[0] + sees[0], field.size[1] + sees[1]), field.jump, (1, 1))
    windows = [_window(m) for m in maps[1:3]] if len(shape) == 4 else [Window(1)] * 2
    spatial = windows != [Window(1)] * 2 or bool(node.op.weight_inputs)
    size = tuple(
        s + (w.reach - 1) * j for s, w, j in zip(field.size, windows, field.jump, strict=True)
    )
    jump = tuple(j * abs(w.stride) for j, w in zip(field.jump, windows, strict=True))
    made = graph.tensor(node.output).type.shape
    extent = (made[1], made[2]) if spatial and len(made) == 4 else field.extent
    return Field((size[0], size[1]), (jump[0], jump[1]), extent)


def _sees_all(maps: InputMap, shape: Shape) -> bool:
    """Whether one output element sees all of a vector, or all rows and columns."""
    if len(shape) != 4:
        return len(shape) <= 2 and maps[-1:] == (ALL,)
    return all(
        m == ALL or (isinstance(m, Window) and m.before == 0 and m.reach == size)
        for m, size in zip(maps[1:3], shape[1:3], strict=True)
    )


def _window(axis_map: AxisMap) -> Window:
    """How an output sees along an axis; where elements only change places, one at a time."""
    return replace(axis_map, before=0) if isinstance(axis_map, Window) else Window(1)


def _widest_of(paths: list[Field]) -> Field:
    if not paths:
        return Field((0, 0))
    extents = [field.extent for field in paths if field.extent is not None]
    return Field(
        (max(f.size[0] for f in paths), max(f.size[1] for f in paths)),
        (max(f.jump[0] for f in paths), max(f.jump[1] for f in paths)),
        extents[0] if extents else None,
    )


def _widest(graph: Graph) -> tuple[int, int]:
    fields = receptive_fields(graph)
    sizes = [fields[port.tensor].size for port in graph.outputs if port.tensor in fields]
    return (
        max((size[0] for size in sizes), default=0),
        max((size[1] for size in sizes), default=0),
    )
