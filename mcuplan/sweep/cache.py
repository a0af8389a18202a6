# SPDX-License-Identifier: Apache-2.0
"""Rows by what decides them, in a folder: what was computed once is not computed again.

A sweep appends to a segment of its own: a head that says which tool it is of, then a line for each
row with its key and a checksum. A line that was not written to its end, or was changed, is not
there, nor is one whose cells are none of a row. Segments of another tool are useless and removed;
so a folder holds what sweeps with one tool computed, about 1 KB for each row, and may be deleted
at any time. Whatever else has the name of a segment is somebody's own, and left alone.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import itertools
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from mcuplan.errors import UsageError
from mcuplan.sweep.rows import Row, column_types

__all__ = ["Rows"]

_SUMMED = 16  # digits of a checksum
_SHIFT = 40  # bits of an offset in a segment
_LONGEST = 1 << 28  # bytes of a line
_MOST_SEGMENTS = 16  # each sweep that computes something leaves one


class Rows:
    """Rows of a folder and those of this sweep, by key; only their places are in memory."""

    def __init__(self, folder: Path, tool: str) -> None:
        """Read what is there; many segments become one.

        Raises:
            UsageError: the folder cannot be made or read.
        """
        head = {"tool": tool, "columns": list(column_types())}
        self._folder, self._head = folder, _line(json.dumps(head).encode("ascii"))
        self._places: dict[bytes, int] = {}
        self._segments: list[BinaryIO] = []
        self._own: BinaryIO | None = None
        with self._usable():
            folder.mkdir(parents=True, exist_ok=True)
            found = sorted(path for path in folder.glob("rows-*.jsonl") if path.is_file())
            ours = [path for path in found if self._add(path)]
            if len(ours) > _MOST_SEGMENTS:
                self._merge(ours)

    def close(self) -> None:
        """Close all files."""
        for stream in self._segments:
            stream.close()

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def __getitem__(self, key: bytes) -> Row:
        found = _read_line(self._line(key))
        if found is None or found[0] != key:
            hint = "sweep again, with --cache another folder, or --no-cache"
            raise UsageError("known rows were changed meanwhile", str(self._folder), hint)
        return found[1]

    def put(self, key: bytes, row: Row) -> None:
        """Keep a row: written to its end before this returns.

        Raises:
            UsageError: the folder cannot be written to.
        """
        text = json.dumps([key.hex(), *row.cells()], ensure_ascii=True, allow_nan=False)
        with self._usable():
            if self._own is None:
                self._own = self._begin()
            self._append(key, _line(text.encode("ascii")))

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            hint = "--cache another folder, or --no-cache"
            raise UsageError(f"cannot be used: {error.strerror}", str(self._folder), hint) from None

    def _line(self, key: bytes) -> bytes:
        place = self._places[key]
        stream = self._segments[place >> _SHIFT]
        stream.seek(place & ((1 << _SHIFT) - 1))
        return stream.readline(_LONGEST)

    def _append(self, key: bytes, line: bytes) -> None:
        """Write at the end of the last segment, which is this sweep's own."""
        stream = self._segments[-1]
        self._places[key] = (len(self._segments) - 1) << _SHIFT | stream.seek(0, os.SEEK_END)
        stream.write(line)
        stream.flush()

    def _begin(self) -> BinaryIO:
        """A segment that nobody else writes to, under a name that nobody has."""
        for number in itertools.count(1):
            with suppress(FileExistsError):
                stream = (self._folder / f"rows-{number:06}.jsonl").open("x+b")
                break
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(self._head)
        stream.flush()
        self._segments.append(stream)
        return stream

    def _add(self, path: Path) -> bool:
        """Places of the rows of a segment; one of another tool goes, if nobody writes to it.

        False: it is no segment of this tool, or another sweep has just removed it.
        """
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            return False
        head = stream.readline(_LONGEST)
        if head != self._head:
            stream.close()
            if _is_head(head):
                _remove(path)
            return False
        offset, number = len(head), len(self._segments)
        self._segments.append(stream)
        while line := stream.readline(_LONGEST):
            found = _read_line(line)
            if found is not None:
                self._places[found[0]] = number << _SHIFT | offset
            offset += len(line)
        return True

    def _merge(self, paths: Sequence[Path]) -> None:
        """Copy all rows into one segment, then remove those that nobody writes to."""
        self._own = self._begin()
        for key in list(self._places):
            self._append(key, self._line(key))
        for path in paths:
            _remove(path)


def _remove(path: Path) -> None:
    """Remove a segment that no sweep writes to."""
    with suppress(OSError), path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def _line(text: bytes) -> bytes:
    """A text with its checksum in front."""
    return b"%s %s\n" % (hashlib.sha256(text).hexdigest()[:_SUMMED].encode("ascii"), text)


def _checked(line: bytes) -> bytes:
    """The text of a line; empty if it is not whole."""
    text = line[_SUMMED + 1 : -1]
    return text if line == _line(text) else b""


def _read_line(line: bytes) -> tuple[bytes, Row] | None:
    """Key and row of a line that is whole."""
    found = _loaded(line)
    if not isinstance(found, list) or not found or not isinstance(found[0], str):
        return None
    key, *cells = found
    if len(cells) != len(column_types()) or not all(map(_is_cell, cells, column_types().values())):
        return None
    try:
        return bytes.fromhex(key), Row(*cells)
    except ValueError:
        return None


def _is_head(line: bytes) -> bool:
    """Whether a line is the first of a segment, of whatever tool."""
    found = _loaded(line)
    return isinstance(found, dict) and "tool" in found


def _loaded(line: bytes) -> Any:
    """What a line says; null if it is not whole, or no JSON."""
    try:
        return json.loads(_checked(line) or "null")
    except (ValueError, RecursionError):
        return None


def _is_cell(cell: Any, kind: type) -> bool:
    """Whether a column of that type can have such a cell, as every kind of table has it."""
    if isinstance(cell, float):
        return kind is float and math.isfinite(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return kind in (int, float) and cell.bit_length() < 64
    return cell is None or type(cell) is kind
