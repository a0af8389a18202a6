# SPDX-License-Identifier: Apache-2.0
"""Makes a folder of evidence again and compares it.

The folder may be anybody's: only regular files with plain names are read, as bytes, up to a limit;
nothing of it is run, no link is followed, and everything is made in a temporary folder.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcuplan.errors import EvidenceError, UsageError
from mcuplan.evidence.asked import ARGUMENTS, parsed, read_asked
from mcuplan.evidence.folder import SUMS, TOOLS, make_evidence
from mcuplan.evidence.tools import other_tools
from mcuplan.progress import SILENT, Voice
from mcuplan.safe_text import shown
from mcuplan.tempfiles import temporary_folder

__all__ = ["Answer", "reproduce"]

_MOST_BYTES, _MOST_FILES = 1 << 30, 100_000
_HINT = "make the folder anew with `mcuplan evidence`"
_OF_TOOLS = (TOOLS, SUMS)  # differ where versions do


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether all files are the same; ``first``: the first difference, else empty.

    ``tools``: those whose versions differ, in words.
    """

    files: int
    first: str
    tools: tuple[str, ...]


def reproduce(folder: Path, voice: Voice = SILENT) -> Answer:
    """Make a folder of evidence again, elsewhere, and compare it.

    Raises:
        UsageError: there is no such folder.
        EvidenceError: it holds what no such folder holds.
        McuplanError, Problems: it cannot be made again.
    """
    there = dict(_read(folder))
    if ARGUMENTS not in there:
        raise EvidenceError(f"has no {ARGUMENTS}: no folder of evidence", str(folder), _HINT)
    asked = read_asked(there[ARGUMENTS], there)
    with temporary_folder() as work:
        for path, data in there.items():
            if path.parts[0] in ("model", "data"):
                (work / path).parent.mkdir(parents=True, exist_ok=True)
                (work / path).write_bytes(data)
        made = make_evidence(work / asked.model, parsed(asked, there, work), asked.words, voice)
    here = json.loads(made.files[TOOLS])
    return Answer(
        len(there), _first_difference(there, made.files), tuple(other_tools(_tools(there), here))
    )


def _read(folder: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Files of a folder, sorted.

    Raises:
        UsageError: there is no such folder.
        EvidenceError: a link, a device, too much.
    """
    if not folder.is_dir():
        raise UsageError("is no folder", str(folder), "give a folder that `mcuplan evidence` made")
    left = _MOST_BYTES
    for count, path in enumerate(_walk(folder, PurePosixPath())):
        data = _bytes(folder / path, left)
        left -= len(data)
        if count >= _MOST_FILES:
            raise EvidenceError("too many files", str(path), _HINT)
        yield path, data


def _walk(folder: Path, at: PurePosixPath) -> Iterator[PurePosixPath]:
    with os.scandir(folder / at) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = at / entry.name
        if entry.is_symlink():
            raise EvidenceError("is a link", shown(str(path)), _HINT)
        if not entry.name.isprintable() or len(path.parts) > 20:
            raise EvidenceError("has no plain name", shown(str(path)), _HINT)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder, path)
        else:
            yield path


def _bytes(path: Path, left: int) -> bytes:
    """A regular file, opened so that neither a link nor a pipe that takes its place is read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise EvidenceError(f"cannot be read: {error.strerror}", path.name, _HINT) from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise EvidenceError("is no regular file", shown(path.name), _HINT)
        size = os.fstat(handle).st_size
        data = file.read(left + 1) if size <= left else b""
    if max(size, len(data)) > left:
        raise EvidenceError(f"more than {_MOST_BYTES:,} bytes", shown(path.name), _HINT)
    return data


def _tools(there: Mapping[PurePosixPath, bytes]) -> Mapping[str, object]:
    """Versions that a folder names; none where it does not."""
    try:
        found = json.loads(there.get(TOOLS, b""))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: shown(str(value)) for name, value in found.items()}


def _first_difference(
    there: Mapping[PurePosixPath, bytes], here: Mapping[PurePosixPath, bytes]
) -> str:
    """In the order of names; files of versions do not count, which are told apart from the rest."""
    for path in sorted({*there, *here}):
        if path not in here:
            return f"{shown(str(path))} does not belong there"
        if path not in there:
            return f"{path} is missing"
        if there[path] != here[path] and path not in _OF_TOOLS:
            return f"{path} differs in {_place(there[path], here[path])}"
    return ""


def _place(one: bytes, other: bytes) -> str:
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), -1)
    at = at if at >= 0 else min(len(one), len(other))
    return f"line {one.count(bytes((10,)), 0, at) + 1}, byte {at}"
