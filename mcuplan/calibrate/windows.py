# SPDX-License-Identifier: Apache-2.0
"""Windows of time series in CSV files: rows are moments, columns are channels."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

import numpy as np

from mcuplan.calibrate.data import REAL, Data, sample_shape
from mcuplan.calibrate.listing import Listing, filled, list_folder
from mcuplan.calibrate.reading import Preprocess, Reading, Windows
from mcuplan.errors import BadSample, DataError, McuplanError, Problems, UsageError
from mcuplan.facts import ClassesRead
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array
from mcuplan.progress import Bar
from mcuplan.spelling import did_you_mean

__all__ = ["CSV", "read_windows"]

CSV = (".csv", ".tsv")
"""Suffixes of such files."""

_LINE = 1 << 20  # characters of a row
_DELIMITERS = "\t;,"
_LARGEST = float(np.finfo(np.float32).max)
_HINT = "rows of numbers, one a moment, perhaps under a line of names; UTF-8"


@dataclass(frozen=True, slots=True)
class _Table:
    """A file of rows: how cells are divided, which of them count, and how many rows there are."""

    path: Path
    delimiter: str
    header: bool
    columns: tuple[int, ...]
    rows: int


def read_windows(path: Path, ports: Sequence[Port], reading: Reading, bar: Bar) -> Data:
    """Windows of one file, or of all files of a folder; none goes from one file to the next.

    Raises:
        UsageError: the options do not fit the model.
        DataError, Problems: files cannot be read; rows are named.
    """
    if len(ports) != 1 or ports[0].dtype not in REAL:
        what = "windows of a table are samples of one input of real values"
        raise UsageError(what, str(path), "give an .npz file with an array for each input")
    port = ports[0]
    listing = list_folder(path, CSV) if path.is_dir() else Listing((path,))
    tables = _tables(listing.files, reading.windows)
    channels = len(tables[0].columns)
    rows = _rows(port, channels, reading.windows, path)
    hop = reading.windows.hop or rows
    counts = [max(0, (table.rows - rows) // hop + 1) for table in tables]
    if not any(counts):
        most = max(table.rows for table in tables)
        raise DataError(f"{most:,} rows make no window of {rows:,}", str(path), "--window N")
    turned = _turned(port, rows, channels, path)

    def samples() -> Iterator[Array | McuplanError]:
        for table in tables:
            for window in _windows(table, rows, hop, reading.preprocess):
                if isinstance(window, McuplanError):
                    yield window
                else:
                    yield (window.T if turned else window).reshape(sample_shape(port))

    array = filled(port, sample_shape(port), sum(counts), samples, path, bar)
    notes = (ClassesRead(path.name, listing.classes),) if listing.classes else ()
    labels = listing.labels_of(counts)
    return Data(MappingProxyType({port.name: array}), sum(counts), labels, notes=notes)


def _rows(port: Port, channels: int, asked: Windows, path: Path) -> int:
    """Rows of a window, so that it fills the input."""
    elements = math.prod(port.shape)
    rows = elements // channels if asked.rows is None else asked.rows
    if rows < 1 or rows * channels != elements:
        what = f"windows of {max(rows, 1):,} rows and {channels} columns"
        more = f"input {port.name!r} {list(port.shape)} takes {elements:,} values"
        raise UsageError(f"{what}: {more}", str(path), "--window N, --columns A,B,C")
    return rows


def _turned(port: Port, rows: int, channels: int, path: Path) -> bool:
    """Whether the input has its channels before time."""
    axes = tuple(n for n in port.shape if n != 1)
    if rows == channels and rows > 1 and len(axes) > 1:
        what = f"which axis of {list(port.shape)} is time is not to be seen"
        raise UsageError(what, str(path), "give windows as an .npz file")
    if 1 in (rows, channels) or axes in ((rows * channels,), (rows, channels)):
        return False
    if axes == (channels, rows):
        return True
    what = f"input {port.name!r} {list(port.shape)} has no axes of {rows} rows, {channels} columns"
    raise UsageError(what, str(path), "give windows as an .npz file")


def _tables(files: Sequence[Path], asked: Windows) -> list[_Table]:
    """All files; what is wrong with any of them is said at once."""
    found, errors = list[_Table](), list[McuplanError]()
    for file in files:
        try:
            table = _table(file, asked)
        except BadSample as error:
            errors.append(error)
            continue
        many = len(table.columns)
        if found and many != len(found[0].columns):
            what = f"{many} columns, {found[0].path.name} has {len(found[0].columns)}"
            errors.append(BadSample(what, str(file), "--columns says which ones count"))
        found.append(table)
    Problems.raise_if_any(errors)
    return found


def _table(path: Path, asked: Windows) -> _Table:
    """What the first line says, and the number of lines.

    Raises:
        BadSample: it is no table, or has no such columns.
    """
    try:
        with _opened(path) as stream:
            lines = _lines(stream, path)
            _, first = next(lines, (0, ""))
            rows = sum(1 for _ in lines)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSample(f"not a readable table: {error}", str(path), _HINT) from None
    delimiter = next((d for d in _DELIMITERS if d in first), ",")
    cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
    header = not all(map(_is_number, cells))
    names = cells if header else [str(k + 1) for k in range(len(cells))]
    columns = tuple(range(len(cells)))
    if asked.columns:
        columns = tuple(_column(name, names, path) for name in asked.columns)
    return _Table(path, delimiter, header, columns, rows + (not header and bool(first)))


def _column(name: str, names: Sequence[str], path: Path) -> int:
    if name in names:
        return names.index(name)
    if name.isascii() and name.isdigit() and 1 <= int(name[:9]) <= len(names):
        return int(name) - 1
    raise BadSample(f"no column {name!r}", str(path), did_you_mean(name, names))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _opened(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", newline=None)


def _lines(stream: TextIO, path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers.

    Raises:
        BadSample: a line is longer than a row can be.
    """
    number = 0
    while line := stream.readline(_LINE):
        number += 1
        if len(line) == _LINE:
            raise BadSample(f"line {number} is longer than {_LINE:,}", str(path), _HINT)
        if line.strip():
            yield number, line


def _windows(
    table: _Table, rows: int, hop: int, preprocess: Preprocess
) -> Iterator[Array | McuplanError]:
    """Each window [rows, columns]; instead of it all that is wrong with rows that are new in it."""
    held, wrong = deque[list[float]](maxlen=rows), list[McuplanError]()
    seen = 0
    with _opened(table.path) as stream:
        lines = _lines(stream, table.path)
        if table.header:
            next(lines)
        for number, line in lines:
            try:
                held.append(_values(line, table))
            except (ValueError, IndexError) as error:
                what = f"line {number}: {error}"
                wrong.append(BadSample(what, str(table.path), _HINT))
                held.append([0.0] * len(table.columns))
            seen += 1
            if seen >= rows and (seen - rows) % hop == 0:
                yield from wrong
                if not wrong:
                    yield preprocess.values(np.array(held))
                wrong.clear()


def _values(line: str, table: _Table) -> list[float]:
    cells = line.split(table.delimiter)
    if len(cells) <= max(table.columns):
        raise ValueError(f"{len(cells)} cells, column {max(table.columns) + 1} is wanted")
    values = [float(cells[k].strip().strip('"')) for k in table.columns]
    if not all(abs(value) <= _LARGEST for value in values):
        raise ValueError("holds NaN, infinity or what float32 does not hold")
    return values
