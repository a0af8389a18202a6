# SPDX-License-Identifier: Apache-2.0
"""What a model file consists of: the files that belong to it, and the operators it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcuplan.importer.external import external_places
from mcuplan.importer.protofile import inside, read_model, text

__all__ = ["Listing", "OnnxOperator", "list_model"]

_STANDARD = ("", "ai.onnx")


@dataclass(frozen=True, slots=True)
class OnnxOperator:
    """An operator of the model, and where its definition is found.

    ``since``: the opset version from which on the definition holds that the model's opset means;
    0: none of ONNX, but of another domain.
    """

    name: str
    domain: str
    opset: int
    since: int
    nodes: int

    @property
    def section(self) -> str:
        """Its section of the operator reference."""
        return f"{self.domain or 'ai.onnx'}::{self.name}" + (f"-{self.since}" if self.since else "")


@dataclass(frozen=True, slots=True)
class Listing:
    """Files beside the model that hold its tensors, operators, and the operator of each node."""

    files: tuple[PurePosixPath, ...]
    operators: tuple[OnnxOperator, ...]
    kinds: Mapping[str, str]  # name of a node -> section


def list_model(path: Path) -> Listing:
    """List a model file's parts, sorted.

    Raises:
        DamagedModel, UsageError, ExternalDataError: it cannot be read, or names files elsewhere.
    """
    file = read_model(path)
    graph, versions = file.proto.graph, {e.domain: e.version for e in file.proto.opset_import}
    places = external_places(file.proto)
    for place in places:
        inside(file.folder, place)
    counted: dict[tuple[str, str], int] = {}
    for node in graph.node:
        key = (text(node.domain), text(node.op_type))
        counted[key] = counted.get(key, 0) + 1
    operators = {
        (domain, name): OnnxOperator(
            name, domain, versions.get(domain, 0), _since(name, domain, versions), nodes
        )
        for (domain, name), nodes in sorted(counted.items())
    }
    kinds = {
        text(node.name): operators[text(node.domain), text(node.op_type)].section
        for node in graph.node
    }
    files = tuple(sorted(map(PurePosixPath, places)))
    return Listing(files, tuple(operators.values()), kinds)


def _since(name: str, domain: str, versions: Mapping[str, int]) -> int:
    """From which opset on the definition holds that a model means; 0: it is none of ONNX."""
    import onnx.defs

    plain = "" if domain in _STANDARD else domain
    opset = versions.get(domain, versions.get("ai.onnx" if not domain else "", 0))
    try:
        return int(onnx.defs.get_schema(name, opset or 1, plain).since_version)
    except onnx.defs.SchemaError:
        return 0
