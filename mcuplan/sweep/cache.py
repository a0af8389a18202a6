# SPDX-License-Identifier: Apache-2.0
"""Rows by what decides them, in a folder: what was computed once is not computed again.

A sweep appends to a segment of its own: a head that says which tool it is of, then a line for each
row with its key and a checksum. A line that was not written to its end, or was changed, is not
there. Segments of another tool are useless and removed; so a folder holds what sweeps with one
tool computed, about 1 KB for each row, and may be deleted at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mcuplan.errors import UsageError
from mcuplan.sweep.rows import Row, column_types

__all__ = ["Rows"]

_SUMMED = 16  # digits of a checksum
_SHIFT = 40  # bits of an offset in a segment


class Rows:
    """Rows of a folder and those of this sweep, by key; only their places are in memory."""

    def __init__(self, folder: Path, tool: str) -> None:
        """Read what is there, and begin a segment.

        Raises:
            UsageError: the folder cannot be made or written to.
        """
        self._head = json.dumps({"tool": tool, "columns": list(column_types())}).encode()
        self._places: dict[bytes, int] = {}
        self._read: list[BinaryIO] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob("rows-*.jsonl")):
                self._add(path)
            self._own = self._begin(folder)
        except OSError as error:
            hint = "--cache another folder, or --no-cache"
            raise UsageError(f"cannot be used: {error.strerror}", str(folder), hint) from None

    def close(self) -> None:
        """Close all files."""
        for stream in self._read:
            stream.close()

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def __getitem__(self, key: bytes) -> Row:
        place = self._places[key]
        stream = self._read[place >> _SHIFT]
        stream.seek(place & ((1 << _SHIFT) - 1))
        found = _read_line(stream.readline())
        if found is None:
            raise KeyError(key)
        return found[1]

    def put(self, key: bytes, row: Row) -> None:
        """Keep a row: written to its end before this returns.

        Raises:
            OSError: there is no space left.
        """
        text = json.dumps([key.hex(), *row.cells()], ensure_ascii=True, allow_nan=False)
        self._places[key] = self._place(self._append(_line(text.encode("ascii"))))

    def _append(self, line: bytes) -> int:
        """Write at the end of the own segment; where that was."""
        stream = self._own
        begin = stream.seek(0, os.SEEK_END)
        stream.write(line)
        stream.flush()
        return begin

    def _place(self, offset: int) -> int:
        return (len(self._read) - 1) << _SHIFT | offset

    def _begin(self, folder: Path) -> BinaryIO:
        """A new segment, under the next name that nobody has."""
        number = 0
        while True:
            number += 1
            with suppress(FileExistsError):
                stream = (folder / f"rows-{number:06}.jsonl").open("x+b")
                break
        fcntl.flock(stream, fcntl.LOCK_EX)
        self._read.append(stream)
        stream.write(_line(self._head))
        stream.flush()
        return stream

    def _add(self, path: Path) -> None:
        """Places of the rows of a segment; one of another tool goes, if nobody writes to it."""
        stream = path.open("rb")
        head = stream.readline()
        if _checked(head) != self._head:
            with stream, suppress(OSError):
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            return
        self._read.append(stream)
        for offset, line in _lines(stream, len(head)):
            found = _read_line(line)
            if found is not None:
                self._places[found[0]] = self._place(offset)


def _lines(stream: BinaryIO, offset: int) -> Iterator[tuple[int, bytes]]:
    for line in stream:
        yield offset, line
        offset += len(line)


def _line(text: bytes) -> bytes:
    """A text with its checksum in front."""
    return b"%s %s\n" % (hashlib.sha256(text).hexdigest()[:_SUMMED].encode("ascii"), text)


def _checked(line: bytes) -> bytes:
    """The text of a line; empty if it is not whole."""
    text = line[_SUMMED + 1 : -1]
    return text if line == _line(text) else b""


def _read_line(line: bytes) -> tuple[bytes, Row] | None:
    """Key and row of a line that is whole."""
    text = _checked(line)
    if not text:
        return None
    key, *cells = json.loads(text)
    return bytes.fromhex(key), Row(*cells)
