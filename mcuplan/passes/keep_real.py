# SPDX-License-Identifier: Apache-2.0
"""Which layers compute in float32, and the conversions where they meet those of integers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from mcuplan.errors import Problems
from mcuplan.facts import InType
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Origin, Tensor
from mcuplan.ir.op import Op, QuantRule
from mcuplan.ir.types import DType, Quant
from mcuplan.ops.conversion import FromGrid, ToGrid
from mcuplan.ops.quantize import Quantize
from mcuplan.ops.recurrent import Recurrent
from mcuplan.ops.state_parts import StatePart
from mcuplan.passes._edit import convert
from mcuplan.passes.gaps import Gaps
from mcuplan.passes.hidden import hidden
from mcuplan.passes.named import nodes_of_type, not_there
from mcuplan.passes.nearest import nearest

__all__ = ["keep_real"]

_NO_GAPS = Gaps()


def keep_real(
    graph: Graph,
    asked: Collection[str] = (),
    gaps: Gaps = _NO_GAPS,
    *,
    everything: bool = False,
) -> Graph:
    """Mark what stays float32, and convert where it meets what gets a grid.

    Pattern: nodes that are there for float32 alone, those that were asked for, those that look
        for nearest points or hide scores, those that a quantized model does not round or that make
        or read what it does not, and those that lie between such nodes alone.
    Becomes: the same nodes over real tensors; a conversion to a grid, and one from it, at every
        edge to a node of integers. Inputs and outputs of the model that only such nodes read or
        make are float32 in C, too, unless the model has them on a grid.
    Only if: there are such nodes.
    Exact because: before quantization a conversion changes nothing.

    Args:
        graph: after the passes, before grids.
        asked: nodes or tensors of the model file by name.
        gaps: what of a quantized model has no integers.
        everything: every node that is there for float32.

    Raises:
        UsageError, Problems: no layer has a name that was asked for.
        UnsupportedOp: a layer that was asked for is not there for float32.
    """
    around = _around(graph, gaps)
    if everything:
        chosen = _everything(graph)
    else:
        chosen = _chosen(graph, nodes_of_type(graph, asked, DType.FLOAT32) | around)
    if not chosen and not gaps.tensors and not everything:
        return graph
    edit = Editor(graph)
    made = _Islands(graph, edit, chosen)
    for name in [port.tensor for port in graph.inputs] + _made(graph.nodes):
        if graph.tensor(name).type.dtype.is_float:
            made.divide(name)
    for node in tuple(edit.nodes()):
        if node.name in chosen:
            made.own_constants(node)
    if everything:
        return edit.done()
    computed = (n for n in graph.nodes if n.name in chosen and not n.op.passes_grid)
    layers = dict.fromkeys(graph.node_name(node) for node in computed)
    done = edit.done()
    if not layers and not made.conversions:  # outputs that are constants
        return done
    closing = _around(graph, replace(gaps, nodes=gaps.real_weights))
    open_ends = dict.fromkeys(graph.node_name(n) for n in graph.nodes if n.name in closing)
    note = InType(tuple(layers), made.conversions, open_ends=tuple(open_ends))
    return replace(done, notes=(*done.notes, note))


def _made(nodes: Iterable[Node]) -> list[str]:
    return [name for node in nodes for name in node.outputs]


# -- which ------------------------------------------------------------------------------------


def _everything(graph: Graph) -> set[str]:
    """Nodes that read or make real values.

    Raises:
        Problems: some of them are not there for float32.
    """
    real = [node for node in graph.nodes if _is_real(graph, node)]
    wrong = (node for node in real if not graph.signature(node).admits(DType.FLOAT32))
    Problems.raise_if_any([not_there(n.op, graph.node_name(n), DType.FLOAT32) for n in wrong])
    return {node.name for node in real}


def _is_real(graph: Graph, node: Node) -> bool:
    return any(graph.tensor(n).type.dtype.is_float for n in (*node.inputs, *node.outputs))


def _around(graph: Graph, gaps: Gaps) -> set[str]:
    """Nodes without integers, or that make or read values without, and are there for float32."""
    near = (
        node
        for node in graph.nodes
        if node.name in gaps.nodes or not gaps.tensors.isdisjoint((*node.inputs, *node.outputs))
    )
    return {node.name for node in near if graph.signature(node).admits(DType.FLOAT32)}


def _chosen(graph: Graph, asked: Collection[str]) -> set[str]:
    """What was asked for or is better in float32, what there is no other form of, and between."""
    better = nearest(graph) | hidden(graph)
    found, between = set(asked), set()
    for node in graph.nodes:
        sig = graph.signature(node)
        if not _is_real(graph, node) or not sig.admits(DType.FLOAT32):
            continue
        constant = not graph.activations(node) and node.op.on_grids is None
        if not sig.admits(DType.INT8) or constant or node.name in better:
            found.add(node.name)
        elif node.op.quant_rule is not QuantRule.WEIGHTED and not _on_grids(graph, node):
            between.add(node.name)
    if not found:
        return found
    found = _with_states(graph, found)
    return found | _between(graph, found, between - found)


def _with_states(graph: Graph, found: set[str]) -> set[str]:
    """With what makes, goes on with and takes apart the state of a cell of which some is found."""
    producers, consumers = graph.producers(), graph.consumers()
    cells = (node for node in graph.nodes if isinstance(node.op, Recurrent))
    groups = [
        {node.name, producers[node.inputs[1]].name}
        | {part.name for part in consumers.get(node.output, ()) if isinstance(part.op, StatePart)}
        for node in cells
    ]
    while near := [group for group in groups if group & found and not group <= found]:
        found = found.union(*near)
    return found


def _on_grids(graph: Graph, node: Node) -> bool:
    """Whether a quantized model rounds what a node reads or makes."""
    return any(graph.tensor(name).type.quant for name in (*node.inputs, *node.outputs))


def _between(graph: Graph, found: set[str], nodes: set[str]) -> set[str]:
    """Those of some nodes whose every neighbour is one of them or of those found."""
    producers, consumers = graph.producers(), graph.consumers()
    ports = {port.tensor for port in (*graph.inputs, *graph.outputs)}
    near: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.name not in nodes:
            continue
        read = [n for n in graph.activations(node) if graph.tensor(n).type.dtype.is_float]
        around = [producers[n].name for n in read if n in producers]
        around += [reader.name for n in node.outputs for reader in consumers.get(n, ())]
        near[node.name] = around
        if ports.intersection((*read, *node.outputs)) and not node.op.passes_grid:
            nodes = nodes - {node.name}
    while wrong := {name for name in nodes if not nodes | found >= {*near[name]}}:
        nodes = nodes - wrong
    reached = {name for name in nodes if found.intersection(near[name])}
    while more := {n for n in nodes - reached if reached.intersection(near[n])}:
        reached |= more
    return reached


# -- where ------------------------------------------------------------------------------------


class _Islands:
    """The graph while conversions are put in."""

    def __init__(self, graph: Graph, edit: Editor, chosen: set[str]) -> None:
        self._graph, self._edit, self._chosen = graph, edit, chosen
        self._producers, self._consumers = graph.producers(), graph.consumers()
        self._states = {name for s in graph.states for name in (s.read.tensor, s.written.tensor)}
        self._kept = {
            n
            for s in graph.states
            if self._is_kept(s.read.tensor, s.written.tensor)
            for n in (s.read.tensor, s.written.tensor)
        }
        self.conversions = 0

    def _is_kept(self, read: str, written: str) -> bool:
        """Whether both ends of a state are real on all sides."""
        return self._is_made_real(read) and self._is_made_real(written)

    def _is_made_real(self, name: str) -> bool:
        producer, readers = self._producers.get(name), self._consumers.get(name, ())
        if producer is not None:
            return producer.name in self._chosen or self._graph.tensor(name).real
        quant = self._graph.tensor(name).type.quant
        return quant is None and all(self._is_real(reader) for reader in readers)

    def _is_real(self, reader: Node) -> bool:
        """Whether a node reads real values: one in float32, or what rounds them."""
        return reader.name in self._chosen or isinstance(reader.op, Quantize)

    def divide(self, name: str) -> None:
        """Let a tensor's readers find it as they want it."""
        tensor, edit = self._graph.tensor(name), self._edit
        readers = self._consumers.get(name, ())
        quant, origin = tensor.type.quant, tensor.origin
        shown = origin if quant is None else None  # the model shows values of a grid rounded
        real = [node for node in readers if node.name in self._chosen]
        others = [node for node in readers if node.name not in self._chosen]
        if name in self._states and name not in self._kept and name not in self._producers:
            self._convert(name, FromGrid(), real, shown)
            return
        if not self._is_made_real(name):
            self._convert(name, FromGrid(), real, shown)
            return
        kind = replace(tensor.type, quant=None)
        edit.set_tensor(replace(tensor, type=kind, real=True, origin=shown))
        on_grid = quant is not None or (name in self._states and name not in self._kept)
        if not on_grid:
            others = [node for node in others if not self._rounds(node)]
        made = self._convert(name, ToGrid(), others, origin, quant, needed=on_grid)
        if on_grid:
            self._convert(made, FromGrid(), real, shown, read=name)
            self._move_port(name, made)

    def _rounds(self, node: Node) -> bool:
        """Let what rounds real values be the conversion; whether a node is such a one."""
        if not isinstance(node.op, Quantize):
            return False
        now = next(n for n in self._edit.consumers(node.inputs[0]) if n.name == node.name)
        self._edit.replace(now, replace(now, op=ToGrid()))
        self.conversions += 1
        return True

    def _convert(
        self,
        name: str,
        op: Op,
        readers: list[Node],
        origin: Origin | None,
        quant: Quant | None = None,
        *,
        needed: bool = False,
        read: str = "",
    ) -> str:
        """Put a conversion behind a tensor, for some of its readers; what it makes."""
        if not readers and not needed:
            return name
        edit, source = self._edit, self._edit.tensor(name)
        real = isinstance(op, FromGrid)
        made = edit.fresh(f"{name}_{'real' if real else 'grid'}")
        kind = replace(source.type, quant=quant)
        convert(edit, name, op, Tensor(made, kind, origin=origin, real=real), readers, read=read)
        self.conversions += 1
        return made

    def _move_port(self, name: str, made: str) -> None:
        """The model has its output on a grid."""
        self._edit.set_ports(
            None,
            [
                replace(port, tensor=made) if port.tensor == name else port
                for port in self._edit.outputs
            ],
        )

    def own_constants(self, node: Node) -> None:
        """Real constants for a node of float32, its own where others read them, too."""
        names = []
        for name in node.inputs:
            tensor = self._edit.tensor(name)
            if tensor.is_constant and tensor.type.dtype.is_float and not tensor.real:
                fresh = self._edit.fresh(f"{name}_real")
                name = self._edit.set_tensor(replace(tensor, name=fresh, stored=None, real=True))
            names.append(name)
        self._edit.replace(node, replace(node, inputs=tuple(names)))
