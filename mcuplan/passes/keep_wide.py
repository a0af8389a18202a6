# SPDX-License-Identifier: Apache-2.0
"""Which layers have activations of int16, and the conversions where they meet those of int8."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from mcuplan.errors import Problems
from mcuplan.facts import InType
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.types import DType, Quant
from mcuplan.ops.conversion import FromGrid, ToGrid, ToType
from mcuplan.ops.quantize import Quantize
from mcuplan.ops.state_parts import PackState, StatePart
from mcuplan.passes._edit import convert
from mcuplan.passes.assign_grids import grids_in_model
from mcuplan.passes.named import nodes_of_type, not_there

__all__ = ["able_for_wide", "keep_wide", "widened"]

_WIDE = DType.INT16
_BETWEEN = (Quantize, FromGrid, ToGrid)  # any two types


def keep_wide(graph: Graph, asked: Collection[str] = (), *, everything: bool = False) -> Graph:
    """Mark the activations that become int16, and convert where they meet those of int8.

    Pattern: nodes that make tensors of int16 in the model, those that were asked for, or all.
    Becomes: the same nodes over tensors marked for int16, and a conversion at every edge to or
        from a node of int8. An input that only such nodes read is int16 in C, and so is an output
        that such a node makes, unless the model has them on a grid of int8.
    Only if: there are such nodes. A node whose operator is not there for int16 stays int8.
    Exact because: before quantization a conversion changes nothing.

    Args:
        graph: after `keep_real`, before grids.
        asked: nodes or tensors of the model file by name.
        everything: every node that is there for int16.

    Raises:
        UsageError, Problems: no layer has a name that was asked for.
        UnsupportedOp: a layer that was asked for is not there for int16.
    """
    layers = _Layers(graph)
    chosen = layers.able() if everything else layers.own() | layers.asked(asked)
    chosen = layers.but_moved(chosen) | layers.own()
    if not chosen and not everything:
        return graph
    done, conversions = _divided(graph, layers, chosen)
    told = [n for n in layers.computing() if (n.name in chosen) is not everything]
    said = tuple(dict.fromkeys(map(graph.node_name, told)))
    fact = InType(said, conversions, DType.INT8 if everything else _WIDE)
    return replace(done, notes=(*done.notes, fact)) if said else done


def widened(graph: Graph, chosen: Collection[str], *, weights: DType | None = None) -> Graph:
    """The same of nodes by their own names, of a graph none of which is of int16.

    Those that are not there for int16 stay int8. ``weights``: type of those of the nodes that
    nothing else is asked of; none: as their activations ask for.
    """
    layers = _Layers(graph)
    some = layers.but_moved(layers.able() & set(chosen))
    if not some:
        return graph
    done, conversions = _divided(_with_weights(graph, some, weights), layers, some)
    named = (graph.node_name(node) for node in layers.computing() if node.name in some)
    fact = InType(tuple(dict.fromkeys(named)), conversions, _WIDE)
    return replace(done, notes=(*done.notes, fact))


def _with_weights(graph: Graph, chosen: set[str], weights: DType | None) -> Graph:
    """The graph with a type for weights that only nodes chosen read."""
    tensors, consumers = dict(graph.tensors), graph.consumers()
    for node in graph.nodes if weights is not None else ():
        name = node.inputs[node.op.weight_inputs[0]] if node.op.weight_inputs else ""
        alone = name and chosen.issuperset(reader.name for reader in consumers[name])
        if alone and tensors[name].wanted is None and tensors[name].is_constant:
            tensors[name] = replace(tensors[name], wanted=weights)
    return replace(graph, tensors=tensors)


def able_for_wide(graph: Graph) -> frozenset[str]:
    """Nodes that are there for int16, by their own names."""
    return frozenset(_Layers(graph).able())


def _divided(graph: Graph, layers: _Layers, chosen: set[str]) -> tuple[Graph, int]:
    """The graph with nodes in int16, and how many conversions there are."""
    made = _Borders(graph, chosen)
    for name in layers.activations():
        made.divide(name)
    return made.edit.done(), made.conversions


class _Layers:
    """Nodes of a graph by what they are there for."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._states = {n for s in graph.states for n in (s.read.tensor, s.written.tensor)}

    def activations(self) -> list[str]:
        """Tensors that get a grid: inputs, then what nodes make."""
        names = [port.tensor for port in self._graph.inputs]
        names += [name for node in self._graph.nodes for name in node.outputs]
        return [name for name in names if self._is_real(name)]

    def _is_real(self, name: str) -> bool:
        tensor = self._graph.tensor(name)
        return tensor.type.dtype.is_float and not tensor.real

    def computing(self) -> list[Node]:
        """Nodes that compute values on grids."""
        nodes = (n for n in self._graph.nodes if not n.op.passes_grid)
        return [node for node in nodes if all(map(self._is_real, node.outputs))]

    def _is_able(self, node: Node) -> bool:
        names = (*node.inputs, *node.outputs)
        if isinstance(node.op, _BETWEEN):
            return False
        real = any(map(self._is_real, names)) and not self._states.intersection(names)
        mixed = any(self._graph.tensor(name).real for name in names)
        sig = self._graph.signature(node)
        return real and not mixed and node.op.is_wide and sig.admits(_WIDE)

    def able(self) -> set[str]:
        """Nodes that are there for int16, and lie on no other grid in the model."""
        found = [n for n in self._graph.nodes if self._is_able(n)]
        grids = ((n, [self._graph.tensor(name).type.quant for name in n.outputs]) for n in found)
        return {n.name for n, own in grids if all(q is None or q.dtype is _WIDE for q in own)}

    def own(self) -> set[str]:
        """Nodes that make what the model has in int16."""
        grids, able = grids_in_model(self._graph), self.able()
        made = ((n.name, grids.get(n.output)) for n in self._graph.nodes if n.name in able)
        return {name for name, quant in made if quant is not None and quant.dtype is _WIDE}

    def asked(self, names: Collection[str]) -> set[str]:
        """Nodes by name.

        Raises:
            UsageError, UnsupportedOp, Problems: see `keep_wide`.
        """
        found = nodes_of_type(self._graph, names, _WIDE)
        nodes = [node for node in self._graph.nodes if node.name in found]
        wrong = (node for node in nodes if not self._is_able(node))
        Problems.raise_if_any([not_there(n.op, self._graph.node_name(n), _WIDE) for n in wrong])
        return found

    def but_moved(self, chosen: set[str]) -> set[str]:
        """Without what only moves values between nodes of which none computes in int16."""
        producers, consumers = self._graph.producers(), self._graph.consumers()
        left = set(chosen)
        moving = [n for n in self._graph.nodes if n.name in chosen and n.op.passes_grid]
        ports = {port.tensor for port in (*self._graph.inputs, *self._graph.outputs)}
        while True:
            lone = set()
            for node in (n for n in moving if n.name in left):
                before = [producers[n].name for n in node.inputs if n in producers]
                behind = [r.name for n in node.outputs for r in consumers.get(n, ())]
                at_end = ports.intersection((*node.inputs, *node.outputs))
                if not left.intersection(before) and not (left.intersection(behind) and at_end):
                    lone.add(node.name)
            if not lone:
                return left
            left -= lone


class _Borders:
    """The graph while conversions are put in."""

    def __init__(self, graph: Graph, chosen: set[str]) -> None:
        self.edit = Editor(graph)
        self._graph, self._chosen = graph, chosen
        self._producers, self._consumers = graph.producers(), graph.consumers()
        self._states = {n for s in graph.states for n in (s.read.tensor, s.written.tensor)}
        self.conversions = 0

    def divide(self, name: str) -> None:
        """Let a tensor's readers find it as they want it."""
        taking = (*_BETWEEN, PackState, StatePart)  # that are there for any grid, and for states
        readers = [n for n in self._consumers.get(name, ()) if not isinstance(n.op, taking)]
        wide = [node for node in readers if node.name in self._chosen]
        others = [node for node in readers if node.name not in self._chosen]
        tensor = self._graph.tensor(name)
        if self._is_wide(name, wide, others):
            self.edit.set_tensor(replace(tensor, wanted=_WIDE))
            self._convert(tensor, others, DType.INT8)
        else:
            self._convert(tensor, wide, _WIDE)

    def _is_wide(self, name: str, wide: list[Node], others: list[Node]) -> bool:
        quant = self._graph.tensor(name).type.quant
        if quant is not None:
            return quant.dtype is _WIDE
        if name in self._producers:
            return self._producers[name].name in self._chosen
        return bool(wide) and not others and name not in self._states

    def _convert(self, source: Tensor, readers: list[Node], codes: DType) -> None:
        """Put a conversion behind a tensor for some of its readers."""
        if not readers:
            return
        name = self.edit.fresh(f"{source.name}_{codes}")
        kind = replace(source.type, quant=_refined(source.type.quant, codes))
        shown = source.origin if source.type.quant is None else None  # its integers are others
        made = Tensor(name, kind, origin=shown, wanted=codes)
        convert(self.edit, source.name, ToType(), made, readers)
        self.conversions += 1


def _refined(quant: Quant | None, codes: DType) -> Quant | None:
    """The grid of int16 on which all values of one of int8 lie; None: one is observed."""
    if quant is None or quant.axis is not None or codes is not _WIDE:
        return None
    finer = _WIDE.reach // (quant.dtype.steps + 1)
    return Quant.per_tensor(quant.s / finer, 0, _WIDE)
