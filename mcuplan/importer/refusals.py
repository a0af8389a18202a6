# SPDX-License-Identifier: Apache-2.0
"""Problems of a model, one entry for each cause, at the places its author knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mcuplan.errors import (
    DamagedModel,
    DynamicShape,
    ExternalDataError,
    InputTooLarge,
    McuplanError,
    NonFiniteWeights,
    ScaleError,
    UnsupportedOp,
    UnsupportedType,
)
from mcuplan.importer.structure import FileNode, node_name
from mcuplan.safe_text import shown

__all__ = ["Refusals", "source_line"]

_SHOWN = 3  # nodes and lines of source that one entry names
_ACTIONS: tuple[tuple[type[McuplanError], str], ...] = (
    (DamagedModel, "export again; onnx.checker.check_model(path, full_check=True) says more"),
    (NonFiniteWeights, "train or export again"),
    (ExternalDataError, "keep the data files beside the model"),
    (InputTooLarge, "check the shapes of the model"),
    (DynamicShape, "give sizes with --dim, or export with fixed shapes"),
    (ScaleError, "quantize again, with representative data"),
    (UnsupportedType, "export with float32 tensors"),
    (UnsupportedOp, "`mcuplan ops` lists what is supported"),
)


@dataclass(slots=True)
class Refusals:
    """Collects problems; those of one cause become one entry with the nodes that have it."""

    _groups: dict[tuple[str, ...], list[tuple[McuplanError, FileNode | None]]] = field(
        default_factory=dict
    )
    _ends: dict[int, tuple[str, bool]] = field(default_factory=dict)  # by id of a node's message

    def __len__(self) -> int:
        """How many causes there are."""
        return len(self._groups)

    def add(self, error: McuplanError, file_node: FileNode | None = None) -> None:
        """One problem, and the node that has it."""
        key: tuple[str, ...] = (str(len(self._groups)),)
        if file_node is not None and not error.where:
            key = (error.code, error.message, error.hint, file_node.source.kind)
        self._groups.setdefault(key, []).append((error, file_node))

    def extend(self, errors: Iterable[McuplanError]) -> None:
        """Problems of no node, or at a place of their own."""
        for error in errors:
            self.add(error)

    def offer(self, file_node: FileNode, tensor: str, *, late: bool) -> None:
        """Say at which tensor in front of a refused node the model may end.

        One that is not ``late`` is named only where the hint is to end the model.
        """
        self._ends[id(file_node.proto)] = (tensor, late)

    def grouped(self) -> list[McuplanError]:
        """One error for each cause, in the order in which they were met."""
        return [self._joined(group) for group in self._groups.values()]

    def _joined(self, group: Sequence[tuple[McuplanError, FileNode | None]]) -> McuplanError:
        error = group[0][0]
        file_nodes = [file_node for _, file_node in group if file_node is not None]
        where = error.where
        if file_nodes and not where:
            lines = dict.fromkeys(
                line for file_node in file_nodes if (line := source_line(file_node.proto))
            )
            where = ", ".join([_places(file_nodes), *list(lines)[:_SHOWN]])
        many = f": {len(group)} nodes" if len(group) > 1 else ""
        hint = error.hint or next((text for kind, text in _ACTIONS if isinstance(error, kind)), "")
        ends = (self._ends[id(s.proto)] for s in file_nodes if id(s.proto) in self._ends)
        end, late = next(ends, ("", False))
        flag = f"--cut-output {shown(end) or 'TENSOR'}"
        if isinstance(error, UnsupportedOp) and error.ends:
            hint = f"{hint}: {flag}"
        elif late:
            hint = f"{hint}; or {flag}, which ends the model there"
        return replace(error, message=error.message + many, where=where, hint=hint)


def _places(file_nodes: Sequence[FileNode]) -> str:
    names = ", ".join(shown(node_name(file_node.source)) for file_node in file_nodes[:_SHOWN])
    more = f", ... and {len(file_nodes) - _SHOWN} more" if len(file_nodes) > _SHOWN else ""
    node = file_nodes[0].source
    return f"{names}{more} ({shown(node.kind)}, opset {node.opset})"


# -- where the exporter says that a node comes from ---------------------------------------

_FRAME = re.compile(r'File "([^"\n]{1,400})", line (\d{1,7}), in (\w{1,80})')
_CALLER = re.compile(r"([^\s()\"']{1,400}\.py)\((\d{1,7})\): (\w{1,80})")
_LIBRARY = re.compile(r"site-packages|dist-packages|/torch/|\\torch\\")
_CLASS = re.compile(r"'([\w.]{1,200})'")
_LONGEST = 20_000


def source_line(proto: Any) -> str:
    """The author's own line that made a node, or the layer that did; "" where nobody wrote it.

    PyTorch's exporters write stack traces: the dynamo one as metadata, the other one as doc
    string (``verbose=True``); what they say is untrusted text.
    """
    try:
        return _line(proto)
    except UnicodeDecodeError:
        return ""


def _line(proto: Any) -> str:
    metadata = {p.key: p.value[:_LONGEST] for p in list(proto.metadata_props)[:100]}
    trace = metadata.get("pkg.torch.onnx.stack_trace", "")
    frames = _FRAME.findall(trace)[::-1] + _CALLER.findall(str(proto.doc_string)[:_LONGEST])
    own = [frame for frame in frames if not _LIBRARY.search(frame[0])]
    if own:
        file, line, function = own[0]
        name = re.split(r"[/\\]", file)[-1]
        return shown(f"{name}:{line} in {function}")
    layers = [
        name.rsplit(".", 1)[-1]
        for name in _CLASS.findall(metadata.get("pkg.torch.onnx.class_hierarchy", ""))
        if not name.startswith("aten.")
    ]
    return shown(f"in {layers[-1]}") if layers else ""
