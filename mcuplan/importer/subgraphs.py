# SPDX-License-Identifier: Apache-2.0
"""If, Loop and Scan: the branch that is taken, or the body as often as it runs.

Both must follow from constants: a condition on data has no place in a plan. Turns of a Scan
that do not need each other are made at once (:mod:`mcuplan.importer.turns`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from mcuplan.errors import DamagedModel, InputTooLarge, UnsupportedOp
from mcuplan.importer.protofile import NODES_LIMIT, Allowance, ModelFile, read_tensor, text
from mcuplan.importer.qoperator import Names, expand
from mcuplan.importer.structure import SUBGRAPHS, FileNode, domain_of, read_attributes
from mcuplan.importer.turns import AllTurns, independent
from mcuplan.ir.builder import Attribute, Builder, Constant, OnnxNode
from mcuplan.ir.types import Array
from mcuplan.safe_text import shown

__all__ = ["Subgraphs", "has_subgraph"]

_STATIC = "export with fixed sizes, and with the branch that is taken at inference only"
_ORDERS = ("input_axes", "input_directions", "output_axes", "output_directions")
_DEEPEST = 20  # subgraphs in subgraphs


def has_subgraph(node: OnnxNode) -> bool:
    """Whether a node is one of those that are read here."""
    return node.kind in SUBGRAPHS


@dataclass(slots=True)
class Subgraphs:
    """Makes the nodes of subgraphs, under names that the model does not use.

    ``versions`` are the opset versions of the model by domain.
    """

    file: ModelFile
    versions: Mapping[str, int]
    allowance: Allowance
    names: Names
    build: Builder
    _made: int = 0
    _depth: int = 0

    def nodes(self, file_node: FileNode) -> Iterator[FileNode]:
        """The nodes that take the place of one, each to be read before the next is asked for.

        Raises:
            UnsupportedOp: what is to run depends on data.
            DamagedModel: the subgraph does not fit the node.
            InputTooLarge: far too many nodes.
        """
        self._depth += 1
        try:
            if self._depth > _DEEPEST:
                raise InputTooLarge(f"more than {_DEEPEST} subgraphs in one another")
            kinds = {"If": self._branch, "Loop": self._loop, "Scan": self._scan}
            yield from kinds[file_node.node.op_type](file_node)
        finally:
            self._depth -= 1

    # -- the three operators --------------------------------------------------------------

    def _branch(self, file_node: FileNode) -> Iterator[FileNode]:
        taken = self._value(file_node.node.input(0), "the condition")
        if taken.size != 1:
            raise DamagedModel(f"a condition of shape {list(taken.shape)}")
        wanted = "then_branch" if bool(taken.reshape(-1)[0]) else "else_branch"
        body = self._body(file_node, wanted)
        if body.graph.input or len(body.graph.output) < len(file_node.node.outputs):
            raise DamagedModel(f"{wanted} does not fit its node")
        yield from body.nodes(self)
        yield from self._named(file_node, body.outputs[: len(file_node.node.outputs)])

    def _loop(self, file_node: FileNode) -> Iterator[FileNode]:
        node = file_node.node
        most = self._value(node.inputs[0], "the trip count") if node.input(0) else None
        goes_on = self._value(node.input(1), "the condition") if node.input(1) else None
        carried = list(node.inputs[2:])
        body = self._body(file_node, "body")
        scans = len(body.graph.output) - 1 - len(carried)
        if len(body.graph.input) != 2 + len(carried) or scans < 0:
            raise DamagedModel("a body that does not fit its Loop")
        rows: list[list[str]] = [[] for _ in range(scans)]
        count = 0
        while (most is None or count < int(most.reshape(-1)[0])) and (
            goes_on is None or bool(goes_on.reshape(-1)[0])
        ):
            given = [self.constant(np.array(count, np.int64)), self.constant(np.array(True))]
            turn = self._body(file_node, "body", [*given, *carried])
            yield from turn.nodes(self)
            carried = list(turn.outputs[1 : 1 + len(carried)])
            for row, name in zip(rows, turn.outputs[1 + len(carried) :], strict=True):
                row.append(name)
            goes_on = self._value(turn.outputs[0], "the condition of the next turn")
            count += 1
        yield from self._ends(file_node, carried, rows, [0] * scans)

    def _scan(self, file_node: FileNode) -> Iterator[FileNode]:
        node = file_node.node
        width = node.get_int("num_scan_inputs", 0)
        if node.opset < 9 or not 1 <= width <= len(node.inputs):
            raise UnsupportedOp(f"Scan of opset {node.opset} with {width} sequences")
        carried = list(node.inputs[: len(node.inputs) - width])
        sources = node.inputs[len(carried) :]
        axes = self._axes(node, "scan_input_axes", [self.build.shape(name) for name in sources])
        back = node.get_ints("scan_input_directions", (0,) * width)
        counts = {self.build.shape(n)[a] for n, a in zip(sources, axes, strict=True)}
        body = self._body(file_node, "body")
        scans = len(body.graph.output) - len(carried)
        if len(counts) != 1 or len(body.graph.input) != len(node.inputs) or scans < 0:
            raise DamagedModel("sequences or a body that do not fit their Scan")
        (count,) = counts
        plain = not any(any(node.get_ints(f"scan_{key}", ())) for key in _ORDERS)
        if plain and count and independent(body.graph, len(carried)):
            yield from self._at_once(file_node, carried, sources)
            return
        rows: list[list[str]] = [[] for _ in range(scans)]
        for turn_number in range(count):
            slices = []
            for name, axis, reverse in zip(sources, axes, back, strict=True):
                at = count - 1 - turn_number if reverse else turn_number
                index = self.constant(np.array(at, np.int64))
                made = self._node(file_node, "Gather", [name, index], {"axis": axis})
                yield made
                slices.append(made.node.outputs[0])
            turn = self._body(file_node, "body", [*carried, *slices])
            yield from turn.nodes(self)
            carried = list(turn.outputs[: len(carried)])
            for row, name in zip(rows, turn.outputs[len(carried) :], strict=True):
                row.append(name)
        for row, reverse in zip(rows, node.get_ints("scan_output_directions", ()), strict=False):
            if reverse:
                row.reverse()
        ranks = [(0,) * (len(self.build.shape(row[0])) + 1) if row else (0,) for row in rows]
        yield from self._ends(file_node, carried, rows, self._axes(node, "scan_output_axes", ranks))

    def _at_once(
        self, file_node: FileNode, carried: Sequence[str], sources: Sequence[str]
    ) -> Iterator[FileNode]:
        """A Scan whose turns are independent, and whose sequences lie along axis 0."""
        alike = [self._node(file_node, "Identity", [name], {}) for name in sources]
        yield from alike  # the body may know a sequence as a whole, too
        names = [made.node.outputs[0] for made in alike]
        body = self._body(file_node, "body", [*carried, *names])
        yield from AllTurns(self, set(names)).nodes(body.nodes(self))
        yield from self._named(file_node, [*carried, *body.outputs[len(carried) :]])

    # -- pieces ---------------------------------------------------------------------------

    def _ends(
        self,
        file_node: FileNode,
        carried: Sequence[str],
        rows: Sequence[Sequence[str]],
        axes: Sequence[int],
    ) -> Iterator[FileNode]:
        """What is left at the end, and what each turn gave, stacked."""
        stacked = []
        for row, axis in zip(rows, axes, strict=True):
            if not row:
                raise UnsupportedOp("a body that never runs gives no sequence")
            shape = self.build.shape(row[0])
            sizes = [(1, *shape[:axis], 1, *shape[axis:])] * len(row)  # joined behind a batch of 1
            parts = []
            for name, size in zip(row, sizes, strict=True):
                made = self.reshape(file_node, name, size)
                yield made
                parts.append(made.node.outputs[0])
            joined = self._node(file_node, "Concat", parts, {"axis": axis + 1})
            yield joined
            final = (*shape[:axis], len(row), *shape[axis:])
            made = self.reshape(file_node, joined.node.outputs[0], final)
            yield made
            stacked.append(made.node.outputs[0])
        yield from self._named(file_node, [*carried, *stacked])

    def _named(self, file_node: FileNode, values: Sequence[str]) -> Iterator[FileNode]:
        """The outputs of the node, under the names that the model has for them."""
        for output, value in zip(file_node.node.outputs, values, strict=False):
            if output:
                yield self._node(file_node, "Identity", [value], {}, output)

    def _value(self, name: str, what: str) -> Array:
        given = self.build.constant(name)
        if given is None:
            raise UnsupportedOp(f"{what} is computed while the model runs", hint=_STATIC)
        return given.data

    def constant(self, values: Array) -> str:
        """The name of a new constant."""
        name = self.names.fresh("turn")
        self.build.constants[name] = Constant(values)
        return name

    def _axes(self, node: OnnxNode, key: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        """An axis for each tensor, counted from the front."""
        given = node.get_ints(key, (0,) * len(shapes))
        pairs = list(zip(given, shapes, strict=True))
        if any(not -len(shape) <= axis < len(shape) for axis, shape in pairs):
            raise DamagedModel(f"{key}={list(given)} that its tensors do not have")
        return tuple(axis % len(shape) for axis, shape in pairs)

    def _node(
        self,
        file_node: FileNode,
        op_type: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Attribute],
        output: str = "",
    ) -> FileNode:
        """A standard node beside those of the body."""
        made = OnnxNode(
            op_type,
            "",
            max(13, self.versions[""]),
            file_node.node.name,
            tuple(inputs),
            (output or self.names.fresh(f"{file_node.node.outputs[0]}_{op_type.lower()}"),),
            dict(attributes),
        )
        self.count()
        return replace(file_node, node=made)

    def reshape(self, file_node: FileNode, name: str, shape: Sequence[int]) -> FileNode:
        """A Reshape beside the nodes of the body."""
        sizes = self.constant(np.array(shape, np.int64))
        return self._node(file_node, "Reshape", [name, sizes], {})

    def count(self) -> None:
        """One node or turn more.

        Raises:
            InputTooLarge: they are too many.
        """
        self._made += 1
        if self._made > NODES_LIMIT:
            raise InputTooLarge(
                f"more than {NODES_LIMIT:,} nodes, once every turn is one of its own",
                hint="check the trip count; no microcontroller runs such a model",
            )

    def _body(self, file_node: FileNode, key: str, inputs: Sequence[str] = ()) -> _Body:
        """A subgraph with values for its inputs; counted, as it may have no nodes."""
        self.count()
        found = [a.g for a in file_node.proto.attribute if a.name == key and a.type == 5]
        if len(found) != 1:
            raise DamagedModel(f"{key} is missing", hint="export again")
        ports = [text(port.name) for port in found[0].input]
        scope = {**file_node.scope, **dict(zip(ports, inputs, strict=False))}
        return _Body(found[0], file_node, scope)


@dataclass(slots=True)
class _Body:
    """One run of a subgraph. ``scope``: what its names are called outside of it."""

    graph: Any
    caller: FileNode
    scope: dict[str, str]
    outputs: tuple[str, ...] = field(default=())

    def nodes(self, owner: Subgraphs) -> Iterator[FileNode]:
        """Its nodes, renamed; ``outputs`` are there behind the last."""
        for proto in self.graph.initializer:
            values = read_tensor(proto, owner.file.folder, owner.allowance)
            name = owner.names.fresh(text(proto.name))
            owner.build.constants[name] = Constant(values)
            self.scope[text(proto.name)] = name
        for proto in self.graph.node:
            yield from self._renamed(proto, owner)
        self.outputs = tuple(self._known(text(value.name)) for value in self.graph.output)

    def _known(self, name: str) -> str:
        return self.scope.get(name, name) if name else ""

    def _renamed(self, proto: Any, owner: Subgraphs) -> Iterator[FileNode]:
        inputs = tuple(self._known(text(name)) for name in proto.input)
        scope = MappingProxyType(dict(self.scope))
        for name in filter(None, map(text, proto.output)):
            self.scope[name] = owner.names.fresh(name)
        domain = domain_of(proto)
        version = int(owner.versions.get(domain, owner.versions[""]))
        outputs = tuple(self._known(text(name)) for name in proto.output)
        if not any(outputs):
            raise DamagedModel(f"a node of a subgraph without outputs: {shown(proto.op_type)}")
        kind = text(proto.op_type)
        node = OnnxNode(kind, domain, version, text(proto.name), inputs, outputs, {})
        plain = FileNode(node, node, proto, scope=scope)
        full = read_attributes(plain, owner.file, owner.allowance)
        for made in expand(full.node, owner.names):
            owner.count()
            yield replace(full, node=made)
