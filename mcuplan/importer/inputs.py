# SPDX-License-Identifier: Apache-2.0
"""Shapes, element types and grids of the inputs of a model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcuplan.errors import (
    DamagedModel,
    DynamicShape,
    InputTooLarge,
    McuplanError,
    UnsupportedOp,
    UnsupportedType,
    UsageError,
)
from mcuplan.importer.protofile import TENSOR_LIMIT, shown, text, type_name
from mcuplan.ir.builder import Constant, OnnxNode
from mcuplan.ir.types import DType, Quant
from mcuplan.ops.quantize import grid

__all__ = [
    "INTEGER_TYPES",
    "Declared",
    "Dimensions",
    "grid_of_input",
    "keeps_grid",
    "readers_of",
    "tensor_shape",
]

INTEGER_TYPES: Mapping[int, DType] = {2: DType.UINT8, 3: DType.INT8}
_FLOAT = 1


@dataclass(frozen=True, slots=True)
class Declared:
    """An input as the model declares it, dynamic dimensions resolved."""

    name: str
    shape: tuple[int, ...]
    dtype: DType


@dataclass(slots=True)
class Dimensions:
    """Resolves the dimensions of inputs; collects what it had to assume and what it cannot."""

    given: Mapping[str, int]
    notes: list[str] = field(default_factory=list)
    errors: list[McuplanError] = field(default_factory=list)
    _names: dict[str, None] = field(default_factory=dict)

    def declared(self, value: Any) -> Declared | None:
        """One input; None (and an error collected) where it cannot be used."""
        where = f"input {shown(value.name)}"
        kind = value.type.WhichOneof("value")
        if kind is None:
            self.errors.append(DamagedModel("an input without a type", where, "export again"))
            return None
        if kind != "tensor_type":
            self.errors.append(
                UnsupportedType(
                    f"a {kind.removesuffix('_type')} instead of a tensor", where, _FLOAT_HINT
                )
            )
            return None
        tensor = value.type.tensor_type
        if tensor.elem_type != _FLOAT and tensor.elem_type not in INTEGER_TYPES:
            message = f"element type {type_name(tensor.elem_type)}"
            self.errors.append(UnsupportedType(message, where, _FLOAT_HINT))
            return None
        if not tensor.HasField("shape"):
            hint = "export with fixed shapes"
            self.errors.append(DynamicShape("the rank is not known", where, hint))
            return None
        shape = self._shape(value.name, tensor.shape.dim, where)
        if shape is None:
            return None
        if math.prod(shape) * 4 > TENSOR_LIMIT:
            self.errors.append(
                InputTooLarge(f"shape {list(shape)}", where, "check the declared shapes")
            )
            return None
        return Declared(value.name, shape, INTEGER_TYPES.get(tensor.elem_type, DType.FLOAT32))

    def check_given(self) -> Iterator[McuplanError]:
        """A size was given for a dimension that no input has, or it is no size."""
        known = ", ".join(shown(n) for n in self._names) or "none"
        for name, size in self.given.items():
            if name not in self._names:
                yield UsageError(
                    f"no input has a dynamic dimension {shown(name)!r}",
                    f"--dim {shown(name)}={size}",
                    f"dynamic dimensions of this model: {known}",
                )
            elif size < 1:
                yield UsageError(
                    "a dimension must be at least 1",
                    f"--dim {shown(name)}={size}",
                    f"--dim {shown(name)}=1",
                )

    def _shape(self, name: str, dims: Sequence[Any], where: str) -> tuple[int, ...] | None:
        if not dims:
            self.errors.append(
                UnsupportedOp("a scalar input", where, "give it a batch axis of size 1")
            )
            return None
        sizes = [self._size(name, axis, dim) for axis, dim in enumerate(dims)]
        before = len(self.errors)
        for axis, size in enumerate(sizes):
            if size is None:
                key = text(dims[axis].dim_param) or f"{name}:{axis}"
                self.errors.append(
                    DynamicShape(
                        f"axis {axis} ({shown(key)}) has no fixed size",
                        where,
                        f"give its size: --dim {shown(key)}=VALUE",
                    )
                )
            elif size < 1:
                self.errors.append(DamagedModel(f"axis {axis} has size {size}", where))
        if sizes[0] is not None and sizes[0] > 1:
            self.errors.append(
                UnsupportedOp(
                    f"axis 0 has {sizes[0]} elements; it is the batch, which must be 1",
                    where,
                    "export with a batch of 1, or with a dynamic first axis",
                )
            )
        if len(self.errors) > before:
            return None
        return tuple(size for size in sizes if size is not None)

    def _size(self, name: str, axis: int, dim: Any) -> int | None:
        if dim.WhichOneof("value") == "dim_value" and dim.dim_value >= 0:
            return int(dim.dim_value)
        key = text(dim.dim_param) or f"{name}:{axis}"
        self._names[key] = None
        if key in self.given:
            return self.given[key]
        if axis == 0:
            self.notes.append(f"batch {shown(key)} of input {shown(name)} is taken as 1")
            return 1
        return None


_FLOAT_HINT = "export the model with float32 (or quantized int8) inputs"


def tensor_shape(value: Any) -> tuple[int | None, ...] | None:
    """Declared shape of a value, None where unknown."""
    if value.type.WhichOneof("value") != "tensor_type":
        return None
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(
        d.dim_value if d.WhichOneof("value") == "dim_value" else None for d in tensor.shape.dim
    )


# -- integer inputs -----------------------------------------------------------------------

_KEEPS_GRID = (
    *("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout", "Gather"),
    *("MaxPool", "GlobalMaxPool", "Slice", "Split", "Concat", "Pad", "Expand", "Tile"),
    *("DepthToSpace", "SpaceToDepth"),
)


def keeps_grid(node: OnnxNode) -> bool:
    """Whether an operator, applied to integers, gives integers on the same grid."""
    if node.op_type in ("Resize", "Upsample"):
        return node.get_str("mode", "nearest") == "nearest"
    return node.op_type in _KEEPS_GRID


def grid_of_input(
    declared: Declared, readers: Mapping[str, Collection[OnnxNode]], values: Mapping[str, Constant]
) -> Quant | None:
    """Grid of an integer input, from the first DequantizeLinear behind it; None without one.

    Raises:
        ScaleError, UnsupportedType, DamagedModel: that grid is impossible.
    """
    waiting, seen = [declared.name], {declared.name}
    while waiting:
        name = waiting.pop(0)
        for node in readers.get(name, ()):
            if node.op_type == "DequantizeLinear" and node.input(0) == name:
                scale, zero = values.get(node.input(1)), values.get(node.input(2))
                if scale is None or scale.data.size != 1:
                    continue
                dtype = np.dtype(declared.dtype.value)
                return grid(
                    scale.data, np.zeros(scale.data.shape, dtype) if zero is None else zero.data
                )
            new = [o for o in node.outputs if o and o not in seen] if keeps_grid(node) else []
            seen.update(new)
            waiting += new
    return None


def readers_of(nodes: Sequence[OnnxNode]) -> Mapping[str, Sequence[OnnxNode]]:
    """Nodes that read each tensor."""
    found: dict[str, list[OnnxNode]] = defaultdict(list)
    for node in nodes:
        for name in dict.fromkeys(filter(None, node.inputs)):
            found[name].append(node)
    return found
