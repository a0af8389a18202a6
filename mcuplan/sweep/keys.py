# SPDX-License-Identifier: Apache-2.0
"""What decides a row, as a digest: model, target, options with their files, and this tool."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mcuplan.errors import ExternalDataError
from mcuplan.importer.protofile import FILE_LIMIT, inside
from mcuplan.resources import codegen_dir
from mcuplan.targets import Target

__all__ = [
    "data_digest",
    "digest_of",
    "libraries",
    "model_digest",
    "target_digest",
    "tool_digest",
]

_SOURCES = frozenset({".py", ".toml", ".so", ".c", ".h", ".json"})
_CHUNK = 1 << 22
_WHOLE = 1 << 32  # bytes of a file that is read to its end; a larger one is told by its times
# A key and value of external data in the file, wherever the tensor is: field 1, "location"; field
# 2, a text whose length has one or two bytes.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x00-\x7f]|[\x80-\xff][\x00-\x7f])")
_PLACE = 1 << 15  # bytes that such a place takes at most


@cache
def tool_digest() -> str:
    """Of every source and table of this installation: another one may say something else."""
    found = hashlib.sha256()
    package = Path(__file__).resolve().parents[1]
    for folder in (package, codegen_dir()):
        for path in sorted(folder.rglob("*")):
            if path.suffix in _SOURCES and path.is_file():
                found.update(path.relative_to(folder).as_posix().encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:32]


@cache
def libraries() -> str:
    """Versions of what computes with models and samples beside this tool."""
    found = []
    for name in ("onnx", "onnxruntime", "numpy"):
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)


def digest_of(*parts: str) -> bytes:
    """Sixteen bytes that stand for texts in their order."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        found.update(b"%d:" % len(data) + data)
    return found.digest()[:16]


def _file_digest(path: Path) -> str:
    """Of the bytes of a file; empty where there is none that can be read.

    Raises:
        OSError: it cannot be read to its end.
    """
    if not path.is_file():
        return ""
    there = path.stat()
    if there.st_size > _WHOLE:
        return f"{there.st_size} bytes of {there.st_mtime_ns} and {there.st_ctime_ns} ns"
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while data := stream.read(_CHUNK):
            found.update(data)
    return found.hexdigest()


def model_digest(path: Path) -> tuple[str, str]:
    """Of a model's file, and of that with all files beside it that hold its tensors.

    Raises:
        OSError: one of them cannot be read, or the first is larger than any model.
    """
    if path.is_file() and path.stat().st_size > FILE_LIMIT:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    own = _file_digest(path)
    if not own:
        raise FileNotFoundError(path)
    places = sorted(set(_places(path)))
    beside = [text for place in places for text in (place, _beside(path.parent, place))]
    return own, digest_of(own, *beside).hex() if beside else own


def _places(path: Path) -> Iterator[str]:
    """Names of files that a model's file mentions as places of tensors."""
    data = b""
    with path.open("rb") as stream:
        while more := stream.read(_CHUNK):
            data = data[-_PLACE:] + more
            for found in _LOCATION.finditer(data):
                size = found[1][0] if len(found[1]) == 1 else found[1][0] & 0x7F | found[1][1] << 7
                yield data[found.end() : found.end() + size].decode("utf-8", "replace")


def _beside(folder: Path, place: str) -> str:
    try:
        return _file_digest(inside(folder.resolve(), place))
    except ExternalDataError as error:
        return error.message


def data_digest(path: Path) -> str:
    """Of a file, or of all files below a folder with their names.

    Raises:
        OSError: one of them cannot be read.
    """
    if not path.is_dir():
        return _file_digest(path)
    parts = []
    for at, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = Path(at, name)
            parts += [file.relative_to(path).as_posix(), _file_digest(file)]
    return digest_of(*parts).hex()


def target_digest(target: Target) -> str:
    """Of everything that a target's file, and those that it extends, say."""
    return digest_of(repr(replace(target, path=None))).hex()
