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
    UnsupportedType,
    UsageError,
)
from mcuplan.facts import BatchOfOne, Note, ReadAsFloat
from mcuplan.importer.protofile import ACTIVATION_LIMIT, text, type_name
from mcuplan.ir.builder import Constant, OnnxNode
from mcuplan.ir.types import WHOLE, DType, Quant
from mcuplan.ops.quantize import grid
from mcuplan.safe_text import shown

__all__ = [
    "ELEMENT_TYPES",
    "Declared",
    "Dimensions",
    "Meant",
    "is_of_integers",
    "is_raw",
    "keeps_grid",
    "meaning_of",
    "readers_of",
    "tensor_shape",
]

ELEMENT_TYPES: Mapping[int, DType] = {
    dtype.onnx: dtype for dtype in (*WHOLE, DType.FLOAT16, DType.FLOAT32, DType.FLOAT64)
}
"""Element types of inputs and outputs, by TensorProto.DataType."""

_RAW = {
    dtype: Quant.per_tensor(1.0, 0, dtype).stored_as(DType.INT8)
    for dtype in (DType.UINT8, DType.INT8)
}
_FLOATS = (1, 10, 11, 16)


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
    notes: list[Note] = field(default_factory=list)
    errors: list[McuplanError] = field(default_factory=list)
    _names: dict[str, None] = field(default_factory=dict)  # of dynamic axes, and their places
    _axes: dict[str, str] = field(default_factory=dict)  # place of a named axis -> its name
    _fixed: dict[str, int] = field(default_factory=dict)  # place of an axis -> its fixed size

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
        if tensor.elem_type not in ELEMENT_TYPES:
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
        if math.prod(shape) > ACTIVATION_LIMIT:
            self.errors.append(
                InputTooLarge(f"shape {list(shape)}", where, "check the declared shapes")
            )
            return None
        dtype = ELEMENT_TYPES[tensor.elem_type]
        self._note_type(value.name, dtype)
        return Declared(value.name, shape, dtype)

    def _note_type(self, name: str, dtype: DType) -> None:
        """What becomes of an element type that C has no input of."""
        if dtype in (DType.FLOAT16, DType.FLOAT64):
            self.notes.append(ReadAsFloat(name, dtype.value))

    def check_given(self) -> Iterator[McuplanError]:
        """A size was given for a dimension that no input has, twice, or it is no size."""
        known = ", ".join(shown(n) for n in dict.fromkeys(self._axes.values())) or "none"
        for name, size in self.given.items():
            option = f"--dim {shown(name)}={size}"
            if name in self._names and size >= 1:
                continue
            if name in self._names:
                message, hint = "a dimension must be at least 1", f"--dim {shown(name)}=1"
                yield UsageError(message, option, hint)
            elif self._fixed.get(name, size) != size:
                message = f"the model fixes this axis to {self._fixed[name]}"
                yield UsageError(message, option, "leave it out, or export with a dynamic axis")
            elif name not in self._fixed:
                message = f"no input has a dynamic dimension {shown(name)!r}"
                yield UsageError(message, option, f"dynamic dimensions of this model: {known}")
        for place, key in self._axes.items():
            if place in self.given and self.given.get(key, self.given[place]) != self.given[place]:
                one, other = self.given[key], self.given[place]
                yield UsageError(
                    f"two sizes for one axis: {one} and {other}",
                    f"--dim {shown(key)}={one} --dim {shown(place)}={other}",
                    "give one of them",
                )

    def _shape(self, name: str, dims: Sequence[Any], where: str) -> tuple[int, ...] | None:
        sizes = [self._size(name, axis, dim) for axis, dim in enumerate(dims)]
        before = len(self.errors)
        for axis, size in enumerate(sizes):
            if size is None:
                key = text(dims[axis].dim_param) or f"{name}:{axis}"
                shared = sum(dim.dim_param == key for dim in dims) > 1 or not key.strip("?*- ")
                option = f"{name}:{axis}" if shared else key
                self.errors.append(
                    DynamicShape(
                        f"axis {axis} ({shown(key)}) has no fixed size",
                        where,
                        f"give its size: --dim {shown(option)}=VALUE",
                    )
                )
        if len(self.errors) > before:
            return None
        return tuple(size for size in sizes if size is not None)

    def _size(self, name: str, axis: int, dim: Any) -> int | None:
        place = f"{name}:{axis}"
        if dim.WhichOneof("value") == "dim_value" and dim.dim_value >= 0:
            self._fixed[place] = int(dim.dim_value)
            return int(dim.dim_value)
        key = text(dim.dim_param) or place
        self._names.update({key: None, place: None})
        self._axes[place] = key
        if place in self.given or key in self.given:
            return self.given.get(place, self.given.get(key))
        if axis == 0:
            self.notes.append(BatchOfOne(key, name))
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
    *("DepthToSpace", "SpaceToDepth", "ReduceMax", "ReduceMin", "TopK"),
)
_PLACES = ("ArgMax", "ArgMin")


def keeps_grid(node: OnnxNode) -> bool:
    """Whether an operator, applied to integers, gives integers on the same grid."""
    if node.op_type in ("Resize", "Upsample"):
        return node.get_str("mode", "nearest") == "nearest"
    return node.op_type in _KEEPS_GRID


def is_of_integers(node: OnnxNode) -> bool:
    """Whether an operator means the same of integers as of the real values of one grid."""
    return node.op_type in _PLACES or keeps_grid(node)


def is_raw(dtype: DType, quant: Quant | None) -> bool:
    """Whether integers of a type are the real values themselves, as a Cast takes them."""
    return quant == _RAW.get(dtype)


@dataclass(frozen=True, slots=True)
class Meant:
    """What the integers of an input are.

    ``real``: real values, as a Cast to float or a DequantizeLinear says that reads them, on
    ``quant`` or, of 32 and 64 bits, on no grid yet. ``quantized``: by the model itself.
    """

    real: bool
    quant: Quant | None = None
    quantized: bool = False


def meaning_of(
    declared: Declared,
    readers: Mapping[str, Collection[OnnxNode]],
    values: Mapping[str, Constant],
    outputs: Collection[str],
) -> Meant:
    """What the integers of an input are, as all that reads them says.

    Raises:
        ScaleError, UnsupportedType, DamagedModel: they lie on an impossible grid.
    """
    found, is_cast, is_other = _grid_behind(declared, readers, values, outputs)
    if found is not None:
        return Meant(True, found, True)
    if is_other or not is_cast or declared.dtype is DType.BOOL:
        return Meant(False)
    return Meant(True, _RAW.get(declared.dtype))


def _grid_behind(
    declared: Declared,
    readers: Mapping[str, Collection[OnnxNode]],
    values: Mapping[str, Constant],
    outputs: Collection[str],
) -> tuple[Quant | None, bool, bool]:
    """Grid of the first DequantizeLinear behind an input; whether a Cast to float reads it.

    And whether it is an output, or something else reads it.
    """
    waiting, seen, is_cast, is_other = [declared.name], {declared.name}, False, False
    while waiting:
        name = waiting.pop(0)
        is_other |= name in outputs
        for node in readers.get(name, ()):
            casts = node.op_type == "Cast" and node.get_int("to", 1) in _FLOATS
            is_read = node.op_type == "DequantizeLinear" and node.input(0) == name
            moves = keeps_grid(node) and node.input(0) == name
            is_cast |= casts
            is_other |= not (casts or is_read or moves)
            if is_read and declared.dtype in _RAW:
                scale, zero = values.get(node.input(1)), values.get(node.input(2))
                if scale is None or scale.data.size != 1:
                    is_other = True
                    continue
                dtype = declared.dtype.numpy
                zeros = np.zeros(scale.data.shape, dtype) if zero is None else zero.data
                return grid(scale.data, zeros), is_cast, is_other
            new = [o for o in node.outputs if o and o not in seen] if moves else []
            seen.update(new)
            waiting += new
    return None, is_cast, is_other


def readers_of(nodes: Sequence[OnnxNode]) -> Mapping[str, Sequence[OnnxNode]]:
    """Nodes that read each tensor."""
    found: dict[str, list[OnnxNode]] = defaultdict(list)
    for node in nodes:
        for name in dict.fromkeys(filter(None, node.inputs)):
            found[name].append(node)
    return found
