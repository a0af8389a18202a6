# SPDX-License-Identifier: Apache-2.0
"""Give every activation an int8 grid, and every constant its integers.

A quantized model brings its grids; the rest comes from observed ranges. The result is
still a float graph: `to_integer` retypes it, the exporter writes it as QDQ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mcuplan.errors import McuplanError, MissingCalibration, Problems, ScaleError
from mcuplan.ir.graph import Editor, Graph, Node, Tensor
from mcuplan.ir.op import QuantRule
from mcuplan.ir.types import Quant
from mcuplan.passes._constants import BiasClipped, operand_on_grid, weights_on_grid
from mcuplan.quant.observers import quant_of_range

__all__ = ["Grids", "assign_grids", "needs_range"]

_PLACEHOLDER = Quant.per_tensor(1 / 16, 0)
_PLACEHOLDER_ABOVE_0 = Quant.per_tensor(1 / 16, -128)  # as calibration finds it


@dataclass(frozen=True, slots=True)
class Grids:
    """The annotated float graph, and what had to be clipped to get there."""

    graph: Graph
    clipped: tuple[BiasClipped, ...] = ()


class _Groups:
    """Activations that share one grid: operators that pass it on join input and output."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._root: dict[str, str] = {name: name for name in _activations(graph)}
        for node in graph.nodes:
            passes = node.op.is_view or node.op.quant_rule is QuantRule.PASS_THROUGH
            if passes and node.inputs[0] in self._root:
                self._root[self.root(node.output)] = self.root(node.inputs[0])
        self.members: dict[str, list[str]] = {}
        for name in self._root:
            self.members.setdefault(self.root(name), []).append(name)

    def root(self, name: str) -> str:
        """The representative of a tensor's group."""
        while self._root[name] != name:
            self._root[name] = self._root[self._root[name]]
            name = self._root[name]
        return name

    def given(self) -> dict[str, Quant]:
        """Grid of each group that the model or a FIXED operator gives.

        Raises:
            Problems: members of one group lie on different grids.
        """
        found: dict[str, Quant] = {}
        errors: list[McuplanError] = []
        for root, members in self.members.items():
            grids = dict.fromkeys(q for n in members if (q := self._graph.tensor(n).type.quant))
            if len(grids) > 1:
                where = self._graph.tensor_name(root)
                errors.append(ScaleError("an operator that keeps its grid changes it", where))
            if grids:
                found[root] = next(iter(grids))
        Problems.raise_if_any(errors)
        for node in self._graph.nodes:
            if node.op.fixed_quant is not None:
                found.setdefault(self.root(node.output), node.op.fixed_quant)
        return found


def needs_range(graph: Graph) -> tuple[str, ...]:
    """Activations to observe: those of groups whose grid is not given, in order."""
    groups = _Groups(graph)
    given = groups.given()
    return tuple(n for n in _activations(graph) if groups.root(n) not in given)


def assign_grids(
    graph: Graph,
    ranges: Mapping[str, tuple[float, float]],
    *,
    headroom: float = 1.0,
    placeholder: bool = False,
) -> Grids:
    """Annotate every activation with its grid and store every constant as integers.

    Args:
        graph: float graph after the passes.
        ranges: (min, max) in real units of the activations in :func:`needs_range`.
        headroom: factor by which ranges are widened.
        placeholder: give groups without a range a made-up grid: good for sizes only.

    Raises:
        MissingCalibration: a range is missing and ``placeholder`` is off.
        Problems: several constants or scales are impossible.
    """
    groups = _Groups(graph)
    grids = groups.given()
    positive = {node.output for node in graph.nodes if node.op.act[0] == 0.0}
    bare = []
    for root, members in groups.members.items():
        seen = [ranges[name] for name in members if name in ranges]
        if root in grids:
            continue
        if seen:
            low, high = min(r[0] for r in seen), max(r[1] for r in seen)
            grids[root] = quant_of_range((low, high), headroom=headroom)
        else:
            bare.append(root)
            grids[root] = _PLACEHOLDER_ABOVE_0 if positive & set(members) else _PLACEHOLDER
    if bare and not placeholder:
        raise MissingCalibration(
            f"{len(bare)} activations have no range",
            where=graph.tensor_name(bare[0]),
            hint="--calibration DATA.npz with representative inputs, or a quantized (QDQ) model",
        )
    return _annotated(graph, {name: grids[groups.root(name)] for name in _activations(graph)})


def _annotated(graph: Graph, grids: Mapping[str, Quant]) -> Grids:
    edit = Editor(graph)
    for name, quant in grids.items():
        tensor = edit.tensor(name)
        edit.set_tensor(replace(tensor, type=replace(tensor.type, quant=quant)))
    clipped, errors = [], []
    for node in edit.nodes():
        try:
            if lost := _store(edit, node):
                clipped.append(BiasClipped(graph.node_name(node), lost))
        except McuplanError as error:
            error.where = error.where or graph.node_name(node)
            errors.append(error)
    Problems.raise_if_any(errors)
    return Grids(edit.done(), tuple(clipped))


def _store(edit: Editor, node: Node) -> int:
    """Give the constants of one node their integers; copies of its own where shared.

    Returns how many bias values were clipped.
    """
    constants = {i: edit.tensor(n) for i, n in enumerate(node.inputs) if edit.tensor(n).is_constant}
    if not constants:
        return 0
    weighted = node.op.quant_rule is QuantRule.WEIGHTED
    made: dict[int, Tensor] = {}
    lost = 0
    if weighted:
        w, b = node.op.weight_inputs
        source, output = edit.tensor(node.inputs[0]).type.q, edit.tensor(node.output).type.q
        made[w], made[b], lost = weights_on_grid(constants[w], constants[b], source, output)
    else:
        made = {i: operand_on_grid(tensor) for i, tensor in constants.items()}
    names = list(node.inputs)
    for i, tensor in made.items():
        shared = len(edit.consumers(names[i])) > 1 or names.count(names[i]) > 1
        name = edit.fresh(tensor.name) if shared and weighted else tensor.name
        names[i] = edit.set_tensor(replace(tensor, name=name))
    if tuple(names) != node.inputs:
        edit.replace(node, replace(node, inputs=tuple(names)))
    return lost


def _activations(graph: Graph) -> Iterable[str]:
    names = [port.tensor for port in graph.inputs]
    return names + [name for node in graph.nodes for name in node.outputs]
