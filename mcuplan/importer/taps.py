# SPDX-License-Identifier: Apache-2.0
"""The model file with more outputs, to see what a runtime computes inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mcuplan.importer.cut import end_at
from mcuplan.importer.deviations import deviation
from mcuplan.importer.halves import widen_halves
from mcuplan.importer.numbered import number_classes
from mcuplan.importer.protofile import read_model

__all__ = ["tapped_model"]


def tapped_model(
    path: Path, wanted: Iterable[str], outputs: Sequence[str]
) -> tuple[bytes, tuple[str, ...], str]:
    """A model file that the importer accepted, with tensors added to its outputs.

    Args:
        path: the model file.
        wanted: tensors to show.
        outputs: those of the imported graph; where they are others than the file has, the
            model ends at them.

    Returns:
        The serialized model; those of the wanted tensors that it computes, in order, which
        follow the model's own outputs; and why the runtime should not be asked, if so.
    """
    import onnx

    file = read_model(path)
    proto = file.proto
    onnx.load_external_data_for_model(proto, str(file.folder))
    number_classes(proto.graph)
    widen_halves(proto.graph)
    ends = {value.name for value in proto.graph.output}
    if cuts := [name for name in outputs if name not in ends]:
        end_at(proto.graph, cuts)
    why = deviation(proto)
    made = {name for node in proto.graph.node for name in node.output}
    shown = {value.name for value in proto.graph.output}
    added = tuple(n for n in dict.fromkeys(wanted) if n in made and n not in shown)
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in added)
    return proto.SerializeToString(), added, why
