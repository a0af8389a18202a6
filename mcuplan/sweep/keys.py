# SPDX-License-Identifier: Apache-2.0
"""What decides a row, as a digest: model, target, options with their files, and this tool."""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mcuplan.calibrate.sources import sample_files
from mcuplan.errors import ExternalDataError
from mcuplan.importer.external import external_files
from mcuplan.importer.protofile import FILE_LIMIT
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
_WHOLE = 1 << 32  # bytes that are read of a file or folder; what is beyond is told by its times


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


def _file_digest(path: Path, most: int = _WHOLE) -> str:
    """Of the bytes of a file, or of its times where it has more than ``most``.

    It is empty where there is none that can be read.

    Raises:
        OSError: it cannot be read to its end.
    """
    if not path.is_file():
        return ""
    there = path.stat()
    if there.st_size > most:
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
    beside = [text for place, found in external_files(path) for text in (place, _told(found))]
    return own, digest_of(own, *beside).hex() if beside else own


def _told(found: Path | ExternalDataError) -> str:
    """What stands for a file beside a model, or for that there is none."""
    return _file_digest(found) if isinstance(found, Path) else found.message


def data_digest(path: Path) -> str:
    """Of a file of samples, or of all those of a folder with their names.

    Raises:
        OSError: one of them cannot be read.
        DataError: the folder has too many.
    """
    if not path.is_dir():
        return _file_digest(path)
    files, left, parts = sample_files(path), _WHOLE, list[str]()
    for file in files:
        parts += [file.relative_to(path).as_posix(), _file_digest(file, left)]
        left -= file.stat().st_size
    return digest_of(*parts).hex()


def target_digest(target: Target) -> str:
    """Of everything that a target's file, and those that it extends, say."""
    return digest_of(repr(replace(target, path=None))).hex()
