# SPDX-License-Identifier: Apache-2.0
"""Reads a model file, and its tensors, without trusting a single size or path in it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from mcuplan.errors import (
    DamagedModel,
    ExternalDataError,
    InputTooLarge,
    UnsupportedType,
    UsageError,
)
from mcuplan.ir.types import Array
from mcuplan.safe_text import shown

__all__ = [
    "ACTIVATIONS_LIMIT",
    "ACTIVATION_LIMIT",
    "BITS",
    "NODES_LIMIT",
    "Allowance",
    "ModelFile",
    "inside",
    "read_model",
    "read_tensor",
    "shared_bits",
    "text",
    "type_name",
]

FILE_LIMIT = 1 << 30
TENSOR_LIMIT = 512 << 20
TOTAL_LIMIT = 3 << 29
ACTIVATION_LIMIT = 16 << 20  # elements of one activation
ACTIVATIONS_LIMIT = 128 << 20  # of all activations
NODES_LIMIT = 20_000
_RANK_LIMIT = 32

# TensorProto.DataType -> (name, numpy type or None where no integer code can hold it)
_TYPES: dict[int, tuple[str, str | None]] = {
    1: ("float32", "<f4"),
    2: ("uint8", "u1"),
    3: ("int8", "i1"),
    4: ("uint16", "<u2"),
    5: ("int16", "<i2"),
    6: ("int32", "<i4"),
    7: ("int64", "<i8"),
    8: ("string", None),
    9: ("bool", "?"),
    10: ("float16", "<f2"),
    11: ("float64", "<f8"),
    12: ("uint32", "<u4"),
    13: ("uint64", "<u8"),
    14: ("complex64", None),
    15: ("complex128", None),
    16: ("bfloat16", None),
    17: ("float8e4m3fn", None),
    18: ("float8e4m3fnuz", None),
    19: ("float8e5m2", None),
    20: ("float8e5m2fnuz", None),
    21: ("uint4", "u1"),
    22: ("int4", "i1"),
    23: ("float4e2m1", None),
    24: ("float8e8m0", None),
    25: ("uint2", "u1"),
    26: ("int2", "i1"),
}
BITS = "\0bits"
"""Behind an attribute's name: bits of its integers, where fewer than its array's type has."""

_PACKED = {21: 4, 22: 4, 25: 2, 26: 2}  # bits of the types that share a byte
_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
_FIELD_OF = {1: "float_data", 7: "int64_data", 11: "double_data"} | dict.fromkeys(
    (12, 13), "uint64_data"
)


def text(value: str | bytes) -> str:
    """A string of the model.

    Raises:
        DamagedModel: it is not UTF-8 (protobuf then gives bytes).
    """
    if isinstance(value, bytes):
        raise DamagedModel(f"a name that is not UTF-8: {value[:40]!r}", hint="export again")
    return value


def type_name(data_type: int) -> str:
    """Name of an ONNX element type."""
    return _TYPES.get(data_type, (f"type {data_type}", None))[0]


@dataclass(slots=True)
class Allowance:
    """Bytes that the constants of one model may still take."""

    left: int = TOTAL_LIMIT

    def take(self, elements: int, size: int, what: str) -> None:
        """Reserve memory before it is allocated.

        Raises:
            InputTooLarge: the tensor alone, or all together, pass the limit.
        """
        nbytes = elements * size
        if nbytes > min(TENSOR_LIMIT, self.left):
            limit = TENSOR_LIMIT if nbytes > TENSOR_LIMIT else TOTAL_LIMIT
            raise InputTooLarge(
                f"{what} takes {nbytes:,} bytes, which passes the limit of {limit:,}",
                hint="check the declared shapes; no microcontroller holds such a tensor",
            )
        self.left -= nbytes


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A parsed file: the ModelProto, where its external data may lie, and its hash."""

    path: Path
    proto: Any
    sha256: str

    @property
    def folder(self) -> Path:
        """Folder that external data may not leave, links resolved."""
        return self.path.parent.resolve()


def read_model(path: Path) -> ModelFile:
    """Parse a model file; no tensor is unpacked.

    Raises:
        UsageError: no regular file at that path, or it cannot be opened.
        InputTooLarge: the file is larger than 1 GiB.
        DamagedModel: the file is not an ONNX model.
    """
    data = _read_bytes(path)
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        proto = onnx.ModelProto.FromString(data)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        raise _damaged(path, data) from error
    if proto.ir_version < 1 or not proto.HasField("graph") or not proto.graph.output:
        raise _damaged(path, data)
    return ModelFile(path, proto, hashlib.sha256(data).hexdigest())


def _read_bytes(path: Path) -> bytes:
    try:
        if not path.exists():
            raise UsageError("there is no such file", str(path), "give the path of an ONNX model")
        if not path.is_file():
            raise UsageError("not a regular file", str(path), "give the path of an ONNX model")
        if path.stat().st_size > FILE_LIMIT:
            raise InputTooLarge("the model file is larger than 1 GiB", str(path))
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot be read: {reason}", str(path), "check the path") from error


def _damaged(path: Path, data: bytes) -> DamagedModel:
    """What is wrong with a file that does not parse, as far as its first bytes tell."""
    where = shown(path.name)
    if data[4:8] == b"TFL3":
        return DamagedModel(
            "this is a TensorFlow Lite model", where, "convert it to ONNX with tf2onnx --tflite"
        )
    if data[:2] == b"PK":
        return DamagedModel(
            "this is a zip archive (PyTorch or Keras?)", where, "export the model to ONNX"
        )
    if data[:8] == b"\x89HDF\r\n\x1a\n":
        return DamagedModel("this is an HDF5 (Keras) file", where, "convert it with tf2onnx")
    if data.startswith(b"version https://git-lfs"):
        return DamagedModel("this is a Git LFS pointer", where, "fetch the file: git lfs pull")
    return DamagedModel(
        "the file is empty" if not data else "not an ONNX model, or cut off",
        where,
        "export or download the model again",
    )


# -- tensors ----------------------------------------------------------------------------


def read_tensor(proto: Any, folder: Path, allowance: Allowance) -> Array:
    """The values of a TensorProto; types of 2 and 4 bits are widened to 8.

    Raises:
        DamagedModel: sizes are negative or do not match the data.
        InputTooLarge: the declared size passes the limits.
        ExternalDataError: external data is missing, short, or outside ``folder``.
        UnsupportedType: strings, complex numbers, 8-bit and brain floats.
    """
    dims = tuple(int(d) for d in proto.dims)
    if len(dims) > _RANK_LIMIT or any(d < 0 for d in dims):
        raise DamagedModel(f"a tensor of shape {list(dims[:_RANK_LIMIT])}")
    name, code = _TYPES.get(proto.data_type, (f"type {proto.data_type}", None))
    if code is None:
        raise UnsupportedType(f"element type {name}", hint="export with float32 or int8 tensors")
    dtype = np.dtype(code)
    elements = math.prod(dims)
    allowance.take(elements, dtype.itemsize, "a tensor")
    bits = _PACKED.get(proto.data_type)
    stored_bytes = -(-elements * bits // 8) if bits else elements * dtype.itemsize
    if proto.data_location == 1:
        raw: bytes | None = _external(proto, folder, stored_bytes)
    elif proto.HasField("raw_data"):
        raw = proto.raw_data
    else:
        raw = None
    if raw is None:
        flat = _typed(proto, name, dtype, stored_bytes if bits else elements)
    elif len(raw) != stored_bytes:
        raise DamagedModel(
            f"{len(raw):,} bytes of data for shape {list(dims)} {name}, which takes "
            f"{stored_bytes:,}"
        )
    else:
        flat = np.frombuffer(raw, np.uint8 if bits else dtype)
        if name == "bool":
            _check_range(flat.view(np.uint8), name, 0, 1)
    if bits:
        flat = _unpacked(flat.view(np.uint8), elements, bits, signed=dtype.kind == "i")
    return flat.reshape(dims)


def shared_bits(proto: Any) -> int:
    """Bits of the values of a TensorProto that share a byte; 0 of others."""
    return _PACKED.get(proto.data_type, 0)


def _typed(proto: Any, name: str, dtype: np.dtype[Any], count: int) -> Array:
    """Values of one of the typed fields, range checked."""
    field = _FIELD_OF.get(proto.data_type, "int32_data")
    if any(getattr(proto, other) for other in _FIELDS if other != field) or proto.string_data:
        raise DamagedModel(f"the data of a {name} tensor lies in a field of another type")
    values = getattr(proto, field)
    if len(values) != count:
        raise DamagedModel(f"{len(values):,} values for a tensor of {count:,} elements")
    if field in ("float_data", "double_data"):
        return np.array(values, dtype)
    wide = np.array(values, np.uint64 if field == "uint64_data" else np.int64)
    held = dtype
    if proto.data_type in _PACKED or dtype.kind == "b":
        held = np.dtype(np.uint8)
    elif dtype.kind == "f":
        held = np.dtype(np.uint16)  # bits of float16
    limits = np.iinfo(held)
    _check_range(wide, name, limits.min, 1 if dtype.kind == "b" else limits.max)
    made = wide.astype(held)
    return made if proto.data_type in _PACKED else made.view(dtype)


def _check_range(values: Array, name: str, low: int, high: int) -> None:
    """Raise where bits that a type does not have would be dropped."""
    if values.size and (values.min() < low or values.max() > high):
        raise DamagedModel(
            f"a value of a {name} tensor is not within {low} to {high}", hint="export again"
        )


def _unpacked(packed: Array, elements: int, bits: int, *, signed: bool) -> Array:
    """Values of 2 or 4 bits, the lowest bits of a byte first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    values = ((packed[:, None] >> shifts) & np.uint8((1 << bits) - 1)).reshape(-1)[:elements]
    if not signed:
        return values
    half = 1 << (bits - 1)
    wide: Array = ((values.astype(np.int16) ^ half) - half).astype(np.int8)
    return wide


def _external(proto: Any, folder: Path, nbytes: int) -> bytes:
    """Bytes of a tensor that lies in a file beside the model."""
    entries = {text(e.key): text(e.value) for e in proto.external_data}
    location = entries.get("location", "")
    path = inside(folder, location)
    offset, length = _number(entries, "offset", 0), _number(entries, "length", nbytes)
    if length != nbytes:
        raise ExternalDataError(
            f"{length:,} bytes of external data for a tensor of {nbytes:,}",
            hint="export the model again",
        )
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(nbytes)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ExternalDataError(
            f"external data {shown(location)!r} cannot be read: {reason}",
            hint="check the file's permissions",
        ) from error
    if len(data) != nbytes:
        raise ExternalDataError(
            f"external data {shown(location)!r} ends before byte {offset + nbytes:,}",
            hint="copy the data file again; it is cut off",
        )
    return data


def inside(folder: Path, location: str) -> Path:
    """The regular file of an external location, which may not leave the model's folder."""
    windows = PureWindowsPath(location)
    escapes = windows.is_absolute() or windows.drive or windows.root or ".." in windows.parts
    hint = "keep the data beside the model, or export with the weights inside"
    if not location or "\0" in location or location.startswith("/") or escapes:
        raise ExternalDataError(
            f"external data {shown(location)!r} is not a path inside the model's folder", hint=hint
        )
    try:
        path = (folder / location).resolve()
        if not path.is_relative_to(folder):
            raise ExternalDataError(
                f"external data {shown(location)!r} is a link out of the model's folder", hint=hint
            )
        if not path.is_file():
            raise ExternalDataError(
                f"external data file {shown(location)!r} is missing",
                hint="copy it beside the model",
            )
    except (OSError, RuntimeError) as error:
        raise ExternalDataError(
            f"external data {shown(location)!r} cannot be found", hint=hint
        ) from error
    return path


def _number(entries: dict[str, str], key: str, default: int) -> int:
    number = entries.get(key, str(default))
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise ExternalDataError(f"external data with {key} {shown(number)!r}", hint="export again")
    return int(number)
