# SPDX-License-Identifier: Apache-2.0
"""Arrays of an ``.npz`` file from anywhere: no pickle, no size that was not checked first."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from mcuplan.errors import DataError, UsageError
from mcuplan.ir.types import Array
from mcuplan.units import format_bytes

__all__ = [
    "BROKEN",
    "MAX_BYTES",
    "Header",
    "left_after",
    "read_arrays",
    "read_body",
    "read_header",
    "release",
    "room",
]

MAX_BYTES = 1 << 31
"""Largest sum of the arrays that are read from one file."""

_MAX_MEMBERS = 1000
_IN_MEMORY = 1 << 23  # bytes; larger arrays are mapped from a file
_KINDS = "an .npz file, a folder of .npy files or images, or a table (.csv)"
_HINT = "write the file with numpy.savez: one array per model input, first axis = samples"
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError),
    *(tokenize.TokenError, SyntaxError),  # of numpy, which reads a header as Python
)
"""What reading a damaged file raises."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of an array before its data is read."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran: bool

    @property
    def nbytes(self) -> int:
        """Bytes the array takes."""
        return math.prod(self.shape) * self.dtype.itemsize


def left_after(header: Header, left: int, path: Path) -> int:
    """Bytes that other arrays may still take once this one is read.

    Raises:
        DataError: it is larger than what is left.
    """
    if header.nbytes > left:
        raise DataError(
            f"array {header.name!r} of {format_bytes(header.nbytes)} is too large",
            where=str(path),
            hint="fewer samples are enough: a few hundred for calibration",
        )
    return left - header.nbytes


def read_arrays(
    path: Path, wanted: Callable[[Header], bool], max_bytes: int = MAX_BYTES
) -> tuple[Mapping[str, Array], tuple[Header, ...]]:
    """The wanted arrays of a file by name, and the headers of the others.

    ``wanted`` sees each header first, and may raise DataError where it does not fit.

    Raises:
        UsageError: there is no such file.
        DataError: the file is not an ``.npz`` file, is damaged, holds Python objects, or
            what is wanted exceeds ``max_bytes``.
    """
    if not os.path.isfile(path):  # also where the path is too long
        hint = _HINT if path.suffix == ".npz" else _KINDS
        raise UsageError("no such data file", where=str(path), hint=hint)
    arrays: dict[str, Array] = {}
    others: list[Header] = []
    left = max_bytes
    try:
        with zipfile.ZipFile(path) as archive:
            for name, stream in _members(archive, path):
                header = read_header(name, stream)
                if not wanted(header):
                    others.append(header)
                    continue
                left = left_after(header, left, path)
                arrays[name] = read_body(header, stream)
    except BROKEN as error:
        raise DataError(f"not a readable .npz file: {error}", str(path), _HINT) from None
    return arrays, tuple(others)


def _members(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(infos) > _MAX_MEMBERS or len(set(names)) < len(names):
        raise DataError(f"{len(infos)} arrays, or two of one name", str(path), _HINT)
    for info in infos:
        if info.filename.endswith(".npy"):
            with archive.open(info) as stream:
                yield info.filename.removesuffix(".npy"), stream


def read_header(name: str, stream: IO[bytes]) -> Header:
    """What an array in the form of ``.npy`` says of itself.

    Raises:
        ValueError and others of ``BROKEN``: it is damaged, or holds Python objects.
    """
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"array {name!r} has .npy format {version}")
    if dtype.hasobject:
        raise ValueError(f"array {name!r} holds Python objects, which are never loaded")
    if any(n < 0 for n in shape):
        raise ValueError(f"array {name!r} has shape {shape}")
    return Header(name, tuple(int(n) for n in shape), dtype, bool(fortran))


def room(shape: tuple[int, ...], dtype: np.dtype[Any], *, order: Literal["C", "F"] = "C") -> Array:
    """An array to fill: in memory, or mapped from a file without a name where it is large.

    Raises:
        DataError: there is no room for that file.
    """
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes <= _IN_MEMORY:
        return np.zeros(shape, dtype, order)
    try:
        with tempfile.TemporaryFile(prefix="mcuplan-") as file:
            if hasattr(os, "posix_fallocate"):  # a disk that is full later ends the process
                os.posix_fallocate(file.fileno(), 0, nbytes)
            return np.memmap(file, dtype, "w+", shape=shape, order=order)
    except OSError as error:
        raise DataError(
            f"no room for {format_bytes(nbytes)} of samples: {error.strerror}",
            where=tempfile.gettempdir(),
            hint="set TMPDIR to a folder with more room, or give fewer samples",
        ) from error


def release(array: Array) -> None:
    """Let go of the memory behind an array that is mapped from a file; it is read again."""
    mapped = getattr(array, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def read_body(header: Header, stream: IO[bytes]) -> Array:
    """The declared number of bytes and not one more, whatever the file holds.

    Raises:
        ValueError: there are fewer.
    """
    made = room(header.shape, header.dtype, order="F" if header.fortran else "C")
    if header.nbytes == 0:
        return made
    raw = (made.T if header.fortran else made).reshape(-1).view(np.uint8)
    at = 0
    while at < header.nbytes:
        block = stream.read(min(1 << 20, header.nbytes - at))
        if not block:
            raise ValueError(f"array {header.name!r} ends after {at} bytes")
        raw[at : at + len(block)] = np.frombuffer(block, np.uint8)
        at += len(block)
        release(made)
    return made
