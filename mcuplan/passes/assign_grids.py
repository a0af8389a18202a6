# SPDX-License-Identifier: Apache-2.0
"""Give every activation a grid of int8 or int16, and every constant its integers.

A quantized model brings its grids; the rest comes from observed ranges. The result is
still a float graph: `assign_types` retypes it, the exporter writes it as QDQ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mcuplan.errors import McuplanError, MissingCalibration, Problems, ScaleError
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.op import NO_CLAMP, QuantRule
from mcuplan.ir.types import DType, Quant
from mcuplan.ops.concat import Concat
from mcuplan.passes._ranges import hard_limits, hull, usual_headroom, widened
from mcuplan.passes.constants import (
    BiasClipped,
    operand_on_grid,
    rows_on_grids,
    weights_on_grid,
)
from mcuplan.passes.needed import needed
from mcuplan.passes.state_grids import state_grids
from mcuplan.quant.observers import Range, quant_of_range

__all__ = ["Grids", "assign_grids", "grids_in_model", "needs_range", "one_grid"]

_NONE: Mapping[str, Range] = MappingProxyType({})
_PLACEHOLDER = Quant.per_tensor(1 / 16, 0)
_PLACEHOLDER_ABOVE_0 = Quant.per_tensor(1 / 16, DType.INT8.low)  # as calibration finds it
_PLACEHOLDER_WIDE = Quant.per_tensor(1 / 4096, 0, DType.INT16)
_WIDE_HEADROOM = 4.0  # of int16: two bits that are not missed keep what no sample showed


@dataclass(frozen=True, slots=True)
class Grids:
    """The annotated float graph, and the biases that had to be fitted to get there."""

    graph: Graph
    clipped: tuple[BiasClipped, ...] = ()
    made_up: bool = False  # some grids are good for sizes only


class _Groups:
    """Activations that share one grid: operators that pass it on join input and output."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self._producers = graph, graph.producers()
        self._root: dict[str, str] = {name: name for name in _activations(graph)}
        for node in graph.nodes:
            if node.op.passes_grid and self._root.keys() >= {node.inputs[0], node.output}:
                self._root[self.root(node.output)] = self.root(node.inputs[0])
            elif self._joins_wide(node):
                for name in node.inputs:
                    self._root[self.root(name)] = self.root(node.output)
        for state in graph.states:  # what one call leaves, the next one reads
            if state.read.tensor not in self._root:
                continue
            self._root[self.root(state.written.tensor)] = self.root(state.read.tensor)
        real = (state for state in graph.states if state.read.tensor in self._root)
        self._kept = {self.root(state.read.tensor): state for state in real}
        self.members: dict[str, list[str]] = {}
        for name in self._root:
            self.members.setdefault(self.root(name), []).append(name)

    def _joins_wide(self, node: Node) -> bool:
        """Whether a node puts int16 tensors side by side, which 16 bits allow on one grid."""
        names = (*node.inputs, node.output)
        tensors = [self._graph.tensor(name) for name in names]
        wide = all(t.wanted is DType.INT16 and t.type.quant is None for t in tensors)
        return isinstance(node.op, Concat) and wide and self._root.keys() >= {*names}

    def root(self, name: str) -> str:
        """The representative of a tensor's group."""
        while self._root[name] != name:
            self._root[name] = self._root[self._root[name]]
            name = self._root[name]
        return name

    def constants(self, members: Iterable[str]) -> list[Range]:
        """Constants that operators put among the values of a group."""
        makers = (self._producers.get(name) for name in members)
        values = (value for node in makers if node is not None for value in node.op.mixes)
        return [(value, value) for value in values if math.isfinite(value)]

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
                errors.append(self._contradiction(root, grids))
            if grids:
                found[root] = next(iter(grids))
        Problems.raise_if_any(errors)
        for node in self._graph.nodes:
            if node.output in self._root:
                wanted = self._graph.tensor(node.output).wanted or DType.INT8
                fixed = node.op.fixed_grid(wanted)
                if fixed is not None:
                    found.setdefault(self.root(node.output), fixed)
        for tensor, quant in state_grids(self._graph).items():
            if tensor in self._root:
                found.setdefault(self.root(tensor), quant)
        return found

    def _contradiction(self, root: str, grids: Iterable[Quant]) -> ScaleError:
        """Why a group cannot lie on several grids."""
        if root in self._kept:
            said = " and ".join(f"scale {q.s:.9g}, zero point {q.z}" for q in grids)
            hint = "quantize both ends of the state alike, or give the float model"
            name = self._kept[root].name
            return ScaleError(f"a state on several grids: {said}", f"state {name}", hint)
        where = self._graph.tensor_name(root)
        return ScaleError("an operator that keeps its grid changes it", where)

    def of_inputs(self, inputs: Mapping[str, Range]) -> dict[str, Quant]:
        """Grid of each group that holds a model input of known range."""
        limits = hard_limits(self._graph, inputs)
        found = {}
        for name in inputs:
            ends = hull(limits[member] for member in self.members[self.root(name)])
            if all(map(math.isfinite, ends)):
                found[self.root(name)] = self.covering(self.root(name), ends, True)
        return found

    def is_wide(self, root: str) -> bool:
        """Whether a group is of int16."""
        return any(self._graph.tensor(n).wanted is DType.INT16 for n in self.members[root])

    def headroom(self, root: str) -> float:
        """What is usual for as many values as the largest tensor of a group has."""
        sizes = (self._graph.tensor(name).type.elements for name in self.members[root])
        return usual_headroom(max(sizes))

    def covering(self, root: str, ends: Range, limits: bool) -> Quant:
        """The grid of a group for a range; that of int16 is symmetric."""
        if self.is_wide(root):
            return quant_of_range(ends, DType.INT16, symmetric=True)
        return quant_of_range(ends, limits=limits)

    def of_ranges(
        self, ranges: Mapping[str, tuple[Range, bool]], others: Mapping[str, Quant]
    ) -> dict[str, Quant]:
        """Grid of each group for its range, without what no reader tells apart.

        Args:
            ranges: by group, and whether an end is one that values never leave.
            others: grids of other groups.
        """
        whole = {root: self.covering(root, *each) for root, each in ranges.items()}
        every = {**others, **whole}
        grids = {name: every.get(self.root(name)) for name in self._root}
        ends = {name: q.ends for name, q in grids.items() if q is not None and q.axis is None}
        seen = needed(self._graph, ends)
        inputs = {self.root(p.tensor) for p in self._graph.app_inputs if p.tensor in self._root}
        for root, (wide, limits) in ranges.items():
            low, high = hull(seen.get(name, NO_CLAMP) for name in self.members[root])
            cut = min(max(wide[0], low), 0.0), max(min(wide[1], high), 0.0)
            if cut not in (wide, (0.0, 0.0)) and root not in inputs:
                whole[root] = self.covering(root, cut, limits)
        return whole


def needs_range(graph: Graph, inputs: Mapping[str, Range] = _NONE) -> tuple[str, ...]:
    """Activations to observe: those of groups whose grid is not given, in order.

    ``inputs`` are known ranges of model inputs, by tensor.
    """
    groups = _Groups(graph)
    given = groups.given() | groups.of_inputs(inputs)
    return tuple(n for n in _activations(graph) if groups.root(n) not in given)


def one_grid(graph: Graph) -> Mapping[str, tuple[str, ...]]:
    """For each activation those that lie on its grid, itself among them."""
    groups = _Groups(graph)
    return {name: tuple(found) for found in groups.members.values() for name in found}


def grids_in_model(graph: Graph) -> Mapping[str, Quant]:
    """The grid of each activation to which the model gives one, or to what shares it."""
    found = {}
    for name, members in one_grid(graph).items():
        grids = (graph.tensor(member).type.quant for member in members)
        quant = next((grid for grid in grids if grid is not None), None)
        if quant is not None:
            found[name] = quant
    return found


def assign_grids(
    graph: Graph,
    ranges: Mapping[str, tuple[float, float]],
    *,
    headroom: float | None = 1.0,
    inputs: Mapping[str, Range] = _NONE,
    placeholder: bool = False,
    constants: bool = True,
) -> Grids:
    """Annotate every activation with its grid and store every constant as integers.

    Args:
        graph: float graph after the passes.
        ranges: (min, max) in real units of the activations in :func:`needs_range`.
        headroom: factor by which ranges are widened where the graph sets no limit, None for
            what is usual; model inputs lie on the range that was observed.
        inputs: known ranges of model inputs, by tensor.
        placeholder: give groups without a range a made-up grid: good for sizes only.
        constants: off: they stay as they are, which shows what grids of activations cost.

    Raises:
        MissingCalibration: a range is missing and ``placeholder`` is off.
        Problems: several constants or scales are impossible.
    """
    groups = _Groups(graph)
    grids = groups.given() | groups.of_inputs(inputs)
    observed = {p.tensor: ranges[p.tensor] for p in graph.app_inputs if p.tensor in ranges}
    limits = hard_limits(graph, {**observed, **inputs})
    bare, covered = [], dict[str, tuple[Range, bool]]()
    for root, members in groups.members.items():
        seen = [ranges[name] for name in members if name in ranges]
        if root in grids:
            continue
        ends = hull(limits[name] for name in members)
        if seen:
            own = groups.headroom(root) if headroom is None else headroom
            own = max(own, _WIDE_HEADROOM) if groups.is_wide(root) else own
            wide = widened(hull(seen), ends, own)
            wide = hull([wide, *groups.constants(members)])
            clamped = not observed.keys() & members and bool({*wide} & {*ends} - {0.0})
            covered[root] = wide, clamped
        else:
            bare.append(root)
            grids[root] = _PLACEHOLDER_WIDE if groups.is_wide(root) else _placeholder(ends)
    grids |= groups.of_ranges(covered, grids)
    if bare and not placeholder:
        raise MissingCalibration(
            f"{len(bare)} activations have no range",
            where=graph.tensor_name(bare[0]),
            hint="--calibration DATA.npz with representative inputs, or a quantized (QDQ) model",
        )
    each = {name: grids[groups.root(name)] for name in _activations(graph)}
    made = _annotated(graph, each, constants=constants)
    return replace(made, made_up=bool(bare))


def _placeholder(limits: Range) -> Quant:
    """A grid whose ends are those of the limits, as calibration finds them."""
    if all(map(math.isfinite, limits)) and limits != (0.0, 0.0):
        return quant_of_range(limits, limits=True)
    return _PLACEHOLDER_ABOVE_0 if limits[0] >= 0.0 else _PLACEHOLDER


def _annotated(graph: Graph, grids: Mapping[str, Quant], *, constants: bool) -> Grids:
    edit = Editor(graph)
    for name, quant in grids.items():
        tensor = edit.tensor(name)
        edit.set_tensor(replace(tensor, type=replace(tensor.type, quant=quant)))
    clipped, errors = [], []
    for node in edit.nodes() if constants else ():
        try:
            if fitted := _store(edit, node):
                clipped.append(BiasClipped(graph.node_name(node), fitted))
        except McuplanError as error:
            error.where = error.where or graph.node_name(node)
            errors.append(error)
    Problems.raise_if_any(errors)
    return Grids(edit.done(), tuple(clipped))


def _store(edit: Editor, node: Node) -> int:
    """Give the constants of one node their integers; copies of its own where shared.

    Returns how many channels with a bias beyond int32 there were.
    """
    held = ((i, edit.tensor(n)) for i, n in enumerate(node.inputs))
    constants = {i: t for i, t in held if t.is_constant and t.type.dtype.is_float and not t.real}
    if not constants:
        return 0
    weighted = node.op.quant_rule is QuantRule.WEIGHTED
    made: dict[int, Tensor] = {}
    fitted, alone = 0, False
    if weighted:
        w, b = node.op.weight_inputs
        source, output = edit.tensor(node.inputs[0]).type.q, edit.tensor(node.output).type.q
        given = constants[w], constants[b]
        made[w], made[b], fitted = weights_on_grid(*given, source, output, node.op.act)
    elif node.op.matrices:
        made = {i: rows_on_grids(constants[i]) for i in node.op.matrices}
    else:
        result = edit.tensor(node.output)
        codes = result.wanted or DType.INT8
        wanted = result.type.quant if node.op.constants_on_output else None
        made = {i: operand_on_grid(tensor, wanted, codes) for i, tensor in constants.items()}
        alone = node.op.constants_on_output or codes is DType.INT16
    names = list(node.inputs)
    for i, tensor in made.items():
        shared = len(edit.consumers(names[i])) > 1 or names.count(names[i]) > 1
        apart = shared and (weighted or alone)
        name = edit.fresh(tensor.name) if apart else tensor.name
        names[i] = edit.set_tensor(replace(tensor, name=name))
    if tuple(names) != node.inputs:
        edit.replace(node, replace(node, inputs=tuple(names)))
    return fitted


def _activations(graph: Graph) -> Iterable[str]:
    """Those that hold real values and do not stay float32."""
    names = [port.tensor for port in graph.inputs]
    names += [name for node in graph.nodes for name in node.outputs]
    found = ((name, graph.tensor(name)) for name in names)
    return [n for n, tensor in found if tensor.type.dtype.is_float and not tensor.real]
