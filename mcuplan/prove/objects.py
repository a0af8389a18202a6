# SPDX-License-Identifier: Apache-2.0
"""Objects that were compiled before, by everything that a compiler reads of them.

Kernels and harness are the same text in many images of one process; they are compiled once. What
an object is known by is the compiler, its flags, and the text of its source and of all files that
this includes; what the compiler finds in its own folders belongs to the compiler.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from threading import Lock

__all__ = ["OBJECTS", "Objects", "recipe"]

_MOST_BYTES = 64 << 20
_NAMED = re.compile(r'include\s*\(?\s*(["<])([^">\n]+)[">]')  # also __has_include("NAME")
_COMPUTED = re.compile(r"^\s*#\s*include\s+([A-Za-z_]\w*)", re.MULTILINE)
_FOLDERS = ("-I", "-isystem")
_LEAVES_FILES = ("--coverage", "-MD", "-MMD", "-save-temps", "-fstack-usage")


class Objects:
    """Bytes of objects, those that were used last; safe to ask from many threads."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        """``most_bytes``: of all objects; those that nobody asked for longest go first."""
        self._most = most_bytes
        self._held = 0
        self._lock = Lock()
        self._made: OrderedDict[str, bytes] = OrderedDict()

    def find(self, known_by: str) -> bytes | None:
        """An object that was kept."""
        with self._lock:
            if known_by not in self._made:
                return None
            self._made.move_to_end(known_by)
            return self._made[known_by]

    def keep(self, known_by: str, made: bytes) -> None:
        """Keep an object."""
        with self._lock:
            self._held += len(made) - len(self._made.pop(known_by, b""))
            self._made[known_by] = made
            while self._held > self._most:
                _, gone = self._made.popitem(last=False)
                self._held -= len(gone)


OBJECTS = Objects()
"""Those of this process."""


def recipe(
    compiler: Sequence[str], flags: Sequence[str], source: PurePosixPath, work: Path
) -> str | None:
    """What an object is known by; None where a compiler reads or leaves more than is seen here.

    Args:
        compiler: its path, and what it says it is.
        flags: paths among them relative to ``work``, or absolute.
        source: relative to ``work``.
        work: folder that the compiler is started in.
    """
    if any(flag.startswith(_LEAVES_FILES) for flag in flags):
        return None
    here = str(work.resolve())
    folders, first = _named_by(flags)
    read = [found for path in (source, *first) for found in _read(work, path, folders)]
    texts = [text for _, text in read if text is not None]
    if any(_is_defined(name, flags, texts) for text in texts for name in _COMPUTED.findall(text)):
        return None
    asked = (tuple(compiler), [flag.replace(here, ".") for flag in flags], read)
    return hashlib.sha256(repr(asked).encode()).hexdigest()


def _is_defined(name: str, flags: Sequence[str], texts: Sequence[str]) -> bool:
    """Whether a macro has a value: an ``#include`` of it reads a file that is not seen here."""
    defined = re.compile(rf"^\s*#\s*define\s+{name}\b", re.MULTILINE)
    return any(flag.startswith(f"-D{name}") for flag in flags) or any(map(defined.search, texts))


def _named_by(flags: Sequence[str]) -> tuple[list[str], list[PurePosixPath]]:
    """Folders in which files are looked for, and files that come before a source."""
    folders: list[str] = []
    first: list[PurePosixPath] = []
    for k, flag in enumerate(flags):
        after = flags[k + 1] if k + 1 < len(flags) else ""
        if flag == "-include":
            first.append(PurePosixPath(after))
        elif flag in _FOLDERS:
            folders.append(after)
        elif flag.startswith(_FOLDERS):
            folders.append(flag.removeprefix("-isystem").removeprefix("-I"))
    return folders, first


def _read(
    work: Path, source: PurePosixPath, folders: Sequence[str]
) -> Iterator[tuple[str, str | None]]:
    """Every file that a source may include: its path, and its text where it is there."""
    waiting = [str(source)]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        text = _text(work / path)
        yield path, text
        for quoted, name in _includes(text or ""):
            beside = [str(PurePosixPath(path).parent)] if quoted else []
            places = [str(PurePosixPath(folder) / name) for folder in (*beside, *folders)]
            found = next((place for place in places if (work / place).is_file()), None)
            if found is None:
                yield name, None
            elif found not in seen:
                seen.add(found)
                waiting.append(found)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None


@lru_cache(maxsize=1024)
def _includes(text: str) -> tuple[tuple[bool, str], ...]:
    """Names that a text includes or asks for, and whether they are quoted."""
    return tuple((quote == '"', name) for quote, name in _NAMED.findall(text))
