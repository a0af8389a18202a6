# SPDX-License-Identifier: Apache-2.0
"""Infinite numbers that a mask adds in front of a Softmax, as finite ones that hide as well."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace

import numpy as np

from mcuplan.importer.inputs import readers_of
from mcuplan.importer.structure import FileNode
from mcuplan.ir.builder import Constant, OnnxNode
from mcuplan.ir.types import Array

__all__ = ["FiniteMasks"]

_HIDDEN = -1e9  # added where an element is not seen: its share of a Softmax is 0
_HIDES = -1e4  # and below
_ADDED = {"Attention": 3, "MultiHeadAttention": 5}  # which input is added to scores


class FiniteMasks:
    """Makes finite what hides parts of a tensor of which nothing but a Softmax reads the rest.

    A Where with a constant condition becomes an Add of a mask.
    """

    def __init__(
        self,
        nodes: Sequence[FileNode],
        constants: MutableMapping[str, Constant],
        outputs: Sequence[str],
    ) -> None:
        """Start in front of the first node; constants may be added until a node is given."""
        self._readers = readers_of([file_node.node for file_node in nodes])
        self._constants, self._outputs = constants, {*outputs}
        self._renamed: dict[str, str] = {}

    def of(self, file_node: FileNode) -> FileNode:
        """The next node; each is given once, in order."""
        node = file_node.node
        node = replace(node, inputs=tuple(self._renamed.get(n, n) for n in node.inputs))
        behind = [reader for name in node.outputs for reader in self._readers.get(name, ())]
        alone = behind and all(reader.op_type == "Softmax" for reader in behind)
        if alone and not file_node.refused and not self._outputs.intersection(node.outputs):
            node = self._finite(node)
        if node.op_type in _ADDED and len(node.inputs) > _ADDED[node.op_type]:
            node = self._attending(node, _ADDED[node.op_type])
        return replace(file_node, node=node)

    def _attending(self, node: OnnxNode, index: int) -> OnnxNode:
        """An attention with a finite mask."""
        held = self._constants.get(node.inputs[index])
        if held is None or not _hides(held.data) or not _shows(held.data):
            return node
        name = f"{node.outputs[0]}:mask"
        self._constants[name] = Constant(np.where(np.isneginf(held.data), _HIDDEN, held.data))
        inputs = (*node.inputs[:index], name, *node.inputs[index + 1 :])
        return replace(node, inputs=inputs)

    def _finite(self, node: OnnxNode) -> OnnxNode:
        held = {n: self._constants[n].data for n in node.inputs if n in self._constants}
        free = [name for name in node.inputs if name not in held]
        if node.domain or not held or not free:
            return node
        if node.op_type == "Add":
            (mask,) = held.values()
            if _hides(mask) and _shows(mask):
                mask = np.where(np.isneginf(mask), _HIDDEN, mask)
                return self._named(node, "Add", {free[0]: None, "": mask})
        if node.op_type == "Where" and node.inputs[0] in free and len(free) == 2:
            (value,) = held.values()
            if value.size == 1 and np.isneginf(value).all():
                sides = {
                    n: np.full_like(value, _HIDDEN) if n in held else None for n in node.inputs
                }
                return self._named(node, "Where", sides)
        if node.op_type == "Where" and node.inputs[0] in held and len(free) == 1:
            hiding = 2 if node.inputs[1] in free else 1
            value, seen = held[node.inputs[hiding]], held[node.inputs[0]] == (hiding == 2)
            if value.size == 1 and (value <= _HIDES).all() and seen.ndim and seen.any(-1).all():
                mask = np.where(seen, 0.0, _HIDDEN)
                return self._named(node, "Add", {free[0]: None, "": mask})
        return node

    def _named(self, node: OnnxNode, op_type: str, sides: Mapping[str, Array | None]) -> OnnxNode:
        """The node over other constants; its output, which is not the file's, has another name."""
        output = node.outputs[0]
        self._renamed[output] = f"{output}:masked"
        for _name, value in sides.items():
            if value is not None:
                self._constants[f"{output}:mask"] = Constant(value.astype(np.float32))
        inputs = tuple(n if value is None else f"{output}:mask" for n, value in sides.items())
        made = (self._renamed[output],)
        return replace(node, op_type=op_type, inputs=inputs, outputs=made, attributes={})


def _hides(mask: Array) -> bool:
    """Whether some of it is what only a Softmax may read."""
    return mask.dtype.kind == "f" and bool(np.isneginf(mask).any())


def _shows(mask: Array) -> bool:
    """Whether no row is hidden as a whole, of which a Softmax would be NaN."""
    whole = not mask.ndim or np.isnan(mask).any() or np.isposinf(mask).any()
    return not whole and bool((~np.isneginf(mask)).any(axis=-1).all())
