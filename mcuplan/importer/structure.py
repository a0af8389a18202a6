# SPDX-License-Identifier: Apache-2.0
"""The nodes of a model file as plain values, checked for form and put in order."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from mcuplan.errors import (
    DamagedModel,
    McuplanError,
    NonFiniteWeights,
    UnknownDomain,
    UnsupportedOp,
)
from mcuplan.importer.hints import way_out
from mcuplan.importer.protofile import BITS, Allowance, ModelFile, read_tensor, shared_bits, text
from mcuplan.ir.builder import Attribute, OnnxNode
from mcuplan.safe_text import shown

__all__ = [
    "BEYOND_ONNX",
    "CLASSICAL",
    "MICROSOFT",
    "SUBGRAPHS",
    "FileNode",
    "captured",
    "check_form",
    "domain_of",
    "live_nodes",
    "node_name",
    "opset_of",
    "place",
    "read_attributes",
    "schema_problem",
]

MICROSOFT = "com.microsoft"
CLASSICAL = "ai.onnx.ml"
OLDEST_OPSET = 7
SUBGRAPHS = ("If", "Loop", "Scan")
"""Operators that run a part of the model."""

_STANDARD = ("", "ai.onnx")

BEYOND_ONNX = frozenset({"GroupNormalization", "SimplifiedLayerNormalization"})
"""What runtimes read although ONNX has withdrawn it (opset 18 to 20), or never had it."""

# AttributeProto.AttributeType -> what a message calls it
_REFUSED_ATTRIBUTES = {
    5: "a subgraph",
    10: "subgraphs",
    11: "a sparse tensor",
    12: "sparse tensors",
    13: "a type",
    14: "types",
    9: "tensors",
}


@dataclass(frozen=True, slots=True)
class FileNode:
    """A node to read, and the node of the file that it comes from.

    One that was ``refused`` is there for the shapes of its outputs. ``captures`` are tensors that
    its subgraphs read. Of a node in a subgraph ``scope`` says what names of it became.
    """

    node: OnnxNode
    source: OnnxNode
    proto: Any
    refused: bool = False
    captures: tuple[str, ...] = ()
    scope: Mapping[str, str] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[str, ...]:
        """Every tensor that it depends on."""
        return tuple(name for name in (*self.node.inputs, *self.captures) if name)


def place(node: OnnxNode) -> str:
    """Where a problem is, in the names of the model file."""
    return f"{shown(node_name(node))} ({shown(node.kind)}, opset {node.opset})"


def node_name(node: OnnxNode) -> str:
    """A node's name, else that of its first output."""
    return node.name or next((o for o in node.outputs if o), "unnamed node")


def _unchanged(graph: Any, version: int) -> bool:
    """Whether all operators of a graph are in an opset what they are in the oldest one known."""
    from onnx.defs import SchemaError, get_schema

    for node in graph.node:
        try:
            old, new = (get_schema(node.op_type, opset) for opset in (version, OLDEST_OPSET))
        except SchemaError:
            return False
        if node.domain or old.since_version != new.since_version:
            return False
    return True


def opset_of(file: ModelFile) -> Mapping[str, int]:
    """Version of every domain; of the standard operators by "".

    Raises:
        DamagedModel: no version, or two for one domain.
        UnsupportedOp: the version is older than 7 or newer than the installed onnx package.
    """
    from onnx import IR_VERSION
    from onnx.defs import onnx_opset_version

    if file.proto.ir_version > IR_VERSION:
        raise UnsupportedOp(
            f"IR version {file.proto.ir_version} is newer than {IR_VERSION}, the newest known here",
            "ir_version",
            "upgrade the onnx package",
        )
    versions: dict[str, int] = {}
    for entry in file.proto.opset_import:
        domain = "" if entry.domain in _STANDARD else text(entry.domain)
        if versions.setdefault(domain, entry.version) != entry.version:
            raise DamagedModel(f"two opset versions for domain {shown(domain)!r}", "opset_import")
    if "" not in versions:
        raise DamagedModel(
            "no opset version for the standard operators", "opset_import", "export again"
        )
    version = int(versions[""])
    if version < OLDEST_OPSET and not _unchanged(file.proto.graph, version):
        raise UnsupportedOp(
            f"opset {version} is older than {OLDEST_OPSET}",
            "opset_import",
            f"convert the model with onnx.version_converter to opset {OLDEST_OPSET} or newer",
        )
    if version > onnx_opset_version():
        raise UnsupportedOp(
            f"opset {version} is newer than {onnx_opset_version()}, the newest known here",
            "opset_import",
            "upgrade the onnx package, or export with an older opset",
        )
    return versions


def domain_of(proto: Any) -> str:
    """Domain of a node's operator, "" for the standard one."""
    return "" if proto.domain in _STANDARD else text(proto.domain)


def plain_nodes(file: ModelFile, versions: Mapping[str, int]) -> list[FileNode]:
    """Every node of the file, in its order, without attributes."""
    nodes = []
    for proto in file.proto.graph.node:
        domain = domain_of(proto)
        node = OnnxNode(
            text(proto.op_type),
            domain,
            int(versions.get(domain, versions[""])),
            text(proto.name),
            tuple(map(text, proto.input)),
            tuple(map(text, proto.output)),
            {},
        )
        nodes.append(FileNode(node, node, proto, captures=captured(proto)))
    return nodes


def captured(proto: Any) -> tuple[str, ...]:
    """Tensors that the subgraphs of a node read and do not make, in order."""
    found: dict[str, None] = {}
    waiting = [(graph, frozenset[str]()) for graph in _subgraphs(proto)]
    while waiting:
        graph, around = waiting.pop()
        own = {value.name for value in graph.input} | {t.name for t in graph.initializer}
        made = around | own | {name for node in graph.node for name in node.output}
        reads = [name for node in graph.node for name in node.input]
        for name in (*reads, *(value.name for value in graph.output)):
            if name and name not in made:
                found[text(name)] = None
        waiting += [(inner, made) for node in graph.node for inner in _subgraphs(node)]
    return tuple(found)


def _subgraphs(proto: Any) -> list[Any]:
    return [g for a in proto.attribute for g in ((a.g,) if a.type == 5 else a.graphs)]


def check_form(
    file: ModelFile, versions: Mapping[str, int]
) -> tuple[list[FileNode], list[McuplanError]]:
    """The nodes of the file in an order in which each reads what was made before.

    Every name must be made exactly once and before it is read, without a cycle.
    """
    nodes = plain_nodes(file, versions)
    graph = file.proto.graph
    constants = [text(t.name) for t in graph.initializer]
    ports = [text(v.name) for v in graph.input]
    errors: list[McuplanError] = []
    errors += _twice(constants, "initializers") + _twice(ports, "inputs")
    errors += _twice([text(v.name) for v in graph.output], "outputs")
    made = dict.fromkeys([*constants, *ports])
    producer: dict[str, int] = {}
    for i, file_node in enumerate(nodes):
        node = file_node.node
        if not any(node.outputs):
            errors.append(DamagedModel("a node without outputs", place(node), "export again"))
        for name in filter(None, node.outputs):
            if name in made or name in producer:
                errors.append(DamagedModel(f"{shown(name)!r} is made twice", place(node)))
            producer[name] = i
    for file_node in nodes:
        missing = [n for n in file_node.reads if n not in made and n not in producer]
        where = place(file_node.node)
        errors += [
            DamagedModel(f"reads {shown(n)!r}, which nothing makes", where, "export again")
            for n in dict.fromkeys(missing)
        ]
    for value in graph.output:
        if value.name not in made and value.name not in producer:
            errors.append(DamagedModel("nothing makes this output", f"output {shown(value.name)}"))
    if errors:
        return [], errors
    try:
        order = _sorted(nodes, producer)
    except CycleError as error:
        places = [place(nodes[i].node) for i in list(dict.fromkeys(error.args[1]))[:4]]
        return [], [DamagedModel("the graph has a cycle", ", ".join(places), "export again")]
    return [nodes[i] for i in order], []


def _twice(names: Sequence[str], what: str) -> list[McuplanError]:
    seen: set[str] = set()
    found: dict[str, None] = {}
    for name in names:
        if name in seen:
            found[name] = None
        seen.add(name)
    return [DamagedModel(f"two {what} of one name", shown(name), "export again") for name in found]


def _sorted(nodes: Sequence[FileNode], producer: Mapping[str, int]) -> Iterable[int]:
    """The order of the file where it will do, else a topological one."""
    reads = [[producer[n] for n in node.reads if n in producer] for node in nodes]
    if all(source < i for i, sources in enumerate(reads) for source in sources):
        return range(len(nodes))
    return tuple(TopologicalSorter(dict(enumerate(reads))).static_order())


def live_nodes(
    file_nodes: Sequence[FileNode], outputs: Collection[str]
) -> tuple[list[FileNode], set[str]]:
    """The nodes that an output depends on, and every name that they or the outputs read."""
    needed = set(outputs)
    kept = []
    for file_node in reversed(file_nodes):
        if any(name in needed for name in file_node.node.outputs if name):
            needed.update(file_node.reads)
            kept.append(file_node)
    return kept[::-1], needed


# -- one node ---------------------------------------------------------------------------


def read_attributes(file_node: FileNode, file: ModelFile, allowance: Allowance) -> FileNode:
    """The same with the attributes of its node in plain values.

    Raises:
        UnknownDomain, UnsupportedOp: the operator or an attribute is beyond us.
        DamagedModel: an attribute does not fit the operator's definition.
    """
    _check_domain(file_node.source)
    values: dict[str, Attribute] = {}
    for proto in file_node.proto.attribute:
        name = text(proto.name)
        if proto.type == 5 and file_node.source.kind in SUBGRAPHS:
            continue
        if proto.type in _REFUSED_ATTRIBUTES:
            way = way_out(file_node.source.kind)
            message = f"attribute {shown(name)!r} holds {_REFUSED_ATTRIBUTES[proto.type]}"
            raise UnsupportedOp(message, hint=way.action, ends=way.ends)
        if name in values or proto.ref_attr_name:
            raise DamagedModel(f"attribute {shown(name)!r} is given twice or by reference")
        values[name] = _value(proto, file, allowance)
        if proto.type == 4 and shared_bits(proto.t):
            values[f"{name}{BITS}"] = shared_bits(proto.t)
        _check_finite(file_node.source, name, values[name])
        if name in _FLAGS and values[name] not in (0, 1):
            message = f"{name}={values[name]} has no meaning, only 0 and 1 have"
            raise UnsupportedOp(message, hint="export again")
    problem = schema_problem(file_node.source, {a.name: a.type for a in file_node.proto.attribute})
    if problem is not None:
        raise problem
    return replace(
        file_node,
        node=replace(file_node.node, attributes=values),
        source=replace(file_node.source, attributes=values),
    )


_FLAGS = (
    *("allowzero", "ceil_mode", "count_include_pad", "exclusive", "fmod", "noop_with_empty_axes"),
    *("input_forget", "largest", "reverse", "select_last_index", "sorted"),
    *("transA", "transB"),
)


def _value(proto: Any, file: ModelFile, allowance: Allowance) -> Attribute:
    match proto.type:
        case 1:
            return float(proto.f)
        case 2:
            return int(proto.i)
        case 3:
            return str(proto.s.decode("utf-8", "backslashreplace"))
        case 4:
            return read_tensor(proto.t, file.folder, allowance)
        case 6:
            return tuple(float(v) for v in proto.floats)
        case 7:
            return tuple(int(v) for v in proto.ints)
        case 8:
            return tuple(v.decode("utf-8", "backslashreplace") for v in proto.strings)
    raise DamagedModel(f"attribute {shown(proto.name)!r} has no type", hint="export again")


def _check_finite(node: OnnxNode, name: str, value: Attribute) -> None:
    """A number given as an attribute is one; limits and fills may be infinite."""
    if node.op_type == "Constant":
        return  # judged where it is read
    judge = math.isnan if node.op_type in ("Clip", "Pad") else lambda v: not math.isfinite(v)
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and judge(number):
            raise NonFiniteWeights(
                f"attribute {shown(name)!r} is {number}", hint="train or export again"
            )


def _check_domain(node: OnnxNode) -> None:
    if node.domain not in ("", MICROSOFT, CLASSICAL):
        way = way_out(node.kind)
        message = f"operator domain {shown(node.domain)!r}"
        raise UnknownDomain(message, hint=way.action, ends=way.ends)


def schema_problem(node: OnnxNode, types: Mapping[str, int]) -> McuplanError | None:
    """What is wrong with a node by the ONNX definition of its operator, if anything."""
    if node.domain not in ("", CLASSICAL) or node.op_type in BEYOND_ONNX:
        return None
    from onnx import defs

    try:
        schema = defs.get_schema(node.op_type, node.opset, node.domain)
    except defs.SchemaError:
        return UnsupportedOp(
            f"{shown(node.kind)} is not an operator of ONNX opset {node.opset}",
            hint="export with standard operators, or a newer opset",
        )
    if schema.deprecated:
        return UnsupportedOp(f"{node.op_type} is deprecated in opset {node.opset}")
    if not schema.min_input <= len(node.inputs) <= schema.max_input:
        return DamagedModel(f"{len(node.inputs)} inputs", hint="export again")
    if not schema.min_output <= len(node.outputs) <= schema.max_output:
        return DamagedModel(f"{len(node.outputs)} outputs", hint="export again")
    optional = defs.OpSchema.FormalParameterOption.Optional
    variadic = defs.OpSchema.FormalParameterOption.Variadic
    if not all(node.outputs) and schema.outputs[-1].option == variadic:
        return DamagedModel(f"output {node.outputs.index('')} has no name", hint="export again")
    for i, formal in enumerate(schema.inputs[: len(node.inputs)]):
        if not node.inputs[i] and formal.option != optional:
            return DamagedModel(f"input {formal.name!r} is missing", hint="export again")
    for name, data_type in types.items():
        known = schema.attributes.get(name)
        if known is None:
            return DamagedModel(
                f"{node.op_type} has no attribute {shown(name)!r} in opset {node.opset}",
                hint="the opset of the file may be wrong; export again",
            )
        kind: Any = known.type
        if kind.value != data_type:
            return DamagedModel(f"attribute {name!r} is not of type {kind.name}")
    missing = [n for n, a in schema.attributes.items() if a.required and n not in types]
    if missing:
        return DamagedModel(f"attribute {missing[0]!r} is missing", hint="export again")
    return None
