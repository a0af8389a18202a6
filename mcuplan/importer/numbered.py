# SPDX-License-Identifier: Apache-2.0
"""Classical models whose results are tensors of numbers: no maps, no texts."""

from __future__ import annotations

from typing import Any

from mcuplan.importer.structure import CLASSICAL

__all__ = ["number_classes"]

_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
_INT64 = 7
_FLOAT = 1


def number_classes(graph: Any) -> None:
    """Change a GraphProto as the importer reads it: the classes of a model by their index.

    A ZipMap passes the scores on; labels that are texts become their indices.
    """
    types: dict[str, int] = {}
    for node in graph.node:
        if node.domain != CLASSICAL:
            continue
        if node.op_type == "ZipMap":
            node.op_type, node.domain = "Identity", ""
            del node.attribute[:]
            types.update(dict.fromkeys(node.output, _FLOAT))
        for attribute in node.attribute:
            if attribute.name == _LABELS[0] and attribute.strings:
                count = len(attribute.strings)
                attribute.ClearField("strings")
                attribute.name = next(n for n in _LABELS[1:] if n in _known(node.op_type))
                attribute.type = 7  # AttributeProto.INTS
                attribute.ints.extend(range(count))
                types[node.output[0]] = _INT64
    for value in graph.output:
        if value.name in types:
            value.type.Clear()
            value.type.tensor_type.elem_type = types[value.name]


def _known(op_type: str) -> tuple[str, ...]:
    """Names of the attributes of labels that an operator has."""
    return _LABELS[2:] if op_type in ("LinearClassifier", "SVMClassifier") else _LABELS[1:2]
