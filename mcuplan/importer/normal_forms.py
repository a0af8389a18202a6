# SPDX-License-Identifier: Apache-2.0
"""Normalizations that a model writes out in parts, recognized by what the parts compute.

A node whose result is a tensor normalized is replaced by one node; what nothing reads any more
goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mcuplan.importer.normal_parts import Part, Parts, ShapeOf
from mcuplan.importer.structure import FileNode
from mcuplan.ir.builder import Attribute, Constant, OnnxNode

__all__ = ["NORMALIZE", "live_only", "with_normalizations"]

NORMALIZE = "mcuplan"
"""The domain of the one node."""


def with_normalizations(
    nodes: Sequence[FileNode],
    constants: Mapping[str, Constant],
    outputs: Sequence[str],
    shape_of: ShapeOf,
) -> list[FileNode]:
    """The nodes with every normalization as one node, without those that only it has read."""
    read = (name for file_node in nodes for name in file_node.reads)
    known = Parts(constants, shape_of, Counter([*read, *outputs]))
    made = []
    for file_node in nodes:
        part = None if file_node.refused else known.learn(file_node.node)
        if part is None or part.what != "unit":
            made.append(file_node)
            continue
        made.append(replace(file_node, node=_one_node(part, file_node.node)))
    return live_only(made, outputs) if known.found else list(nodes)


def _one_node(part: Part, node: OnnxNode) -> OnnxNode:
    attributes: dict[str, Attribute] = {
        "axes": part.axes or (),
        "all_axes": int(part.axes is None),
        "centered": int(part.centered),
        "power": part.power,
        "mean": int(part.mean),
        "scale": part.scale,
        "epsilon": part.epsilon,
        "rule": part.rule,
        "groups": part.groups,
    }
    inputs = (part.x, part.gain, part.offset)
    return replace(
        node, op_type="Normalize", domain=NORMALIZE, inputs=inputs, attributes=attributes
    )


def live_only(nodes: Sequence[FileNode], outputs: Sequence[str]) -> list[FileNode]:
    """The nodes that an output depends on, and those that were refused."""
    needed = set(outputs)
    kept = []
    for file_node in reversed(nodes):
        if file_node.refused or not needed.isdisjoint(file_node.node.outputs):
            needed.update(file_node.reads)
            kept.append(file_node)
    return kept[::-1]
