# SPDX-License-Identifier: Apache-2.0
"""Columns of a table of rows: Parquet, CSV or JSON lines, by the end of the file's name."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from mcuplan.errors import ToolMissing, UsageError
from mcuplan.safe_text import quoted, shown

__all__ = ["Cell", "Columns", "names_of", "number", "read_columns", "text"]

Cell = str | int | float | bool | None
Columns = Mapping[str, Sequence[Cell]]
_FORMS = "a table is .parquet, .csv or .jsonl"
_LARGEST = 1e100


def names_of(path: Path) -> list[str]:
    """Names of a table's columns, in order.

    Raises:
        UsageError: it cannot be read, or is no table.
        ToolMissing: a Parquet file, and pyarrow is not installed.
    """
    with _told(path):
        names: list[str] = _reader(path)[0](path)
    if not names:
        raise UsageError("has no columns", str(path), _FORMS)
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise UsageError(f"has two columns {shown(name)!r}", str(path), "rename one")
    return names


def read_columns(path: Path, names: Sequence[str]) -> dict[str, list[Cell]]:
    """Some columns of a table, each with a value for each row; others are not kept.

    Raises:
        UsageError, ToolMissing: as `names_of`.
    """
    with _told(path):
        found: dict[str, list[Cell]] = _reader(path)[1](path, list(dict.fromkeys(names)))
    return found


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong with a file, as an error that says so.

    Raises:
        UsageError: it does.
    """
    try:
        yield
    except OSError as error:
        hint = "check the path of the table"
        raise UsageError(f"cannot be read: {error.strerror or error}", str(path), hint) from None
    except (ValueError, ArithmeticError, LookupError, csv.Error, RecursionError) as error:
        raise UsageError(f"is no table: {shown(str(error))}", str(path), _FORMS) from None


def _reader(path: Path) -> tuple[Callable[..., Any], Callable[..., Any]]:
    found = _READERS.get(path.suffix.lower())
    if found is None:
        raise UsageError("is of no known kind", str(path), _FORMS)
    if path.exists() and not (path.is_file() or path.is_dir()):  # a folder fails when it is opened
        raise UsageError("not a regular file", str(path), _FORMS)
    return found


# -- CSV ------------------------------------------------------------------------------------------


@contextmanager
def _csv(path: Path) -> Iterator[Iterator[list[str]]]:
    with _text(path) as stream:
        yield csv.reader(stream, strict=True)


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    with open(path, encoding="utf-8-sig", newline="") as stream:
        yield stream


def _csv_names(path: Path) -> list[str]:
    with _csv(path) as rows:
        return [name.strip() for name in next(rows, [])]


def _csv_columns(path: Path, names: Sequence[str]) -> dict[str, list[Cell]]:
    with _csv(path) as rows:
        head = [name.strip() for name in next(rows, [])]
        where = {name: place for place, name in enumerate(head)}
        places = [where[name] for name in names]
        made: dict[str, list[Cell]] = {name: [] for name in names}
        into = [made[name] for name in names]
        for line, row in enumerate(rows, 2):
            if not row:
                continue
            if len(row) != len(head):
                what = f"row {line} has not as many cells as the head: {len(row)} of {len(head)}"
                raise ValueError(what)
            for place, cells in zip(places, into, strict=True):
                cells.append(row[place] or None)
    return made


# -- JSON lines -----------------------------------------------------------------------------------


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    with _text(path) as stream:
        for line, words in enumerate(stream, 1):
            if not words.strip():
                continue
            try:
                found = json.loads(words)
            except ValueError:
                raise ValueError(f"line {line} is no JSON") from None
            if not isinstance(found, dict):
                raise ValueError(f"line {line} is {quoted(found)}, and no object")
            yield found


def _json_names(path: Path) -> list[str]:
    found: dict[str, None] = {}
    for each in _objects(path):
        found |= dict.fromkeys(each)
    return list(found)


def _json_columns(path: Path, names: Sequence[str]) -> dict[str, list[Cell]]:
    made: dict[str, list[Cell]] = {name: [] for name in names}
    for each in _objects(path):
        for name, cells in made.items():
            value = each.get(name)
            cells.append(json.dumps(value) if isinstance(value, dict | list) else value)
    return made


# -- Parquet --------------------------------------------------------------------------------------


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    """A file that is open; what is wrong with it, then or later, is a ValueError or an OSError."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        hint = "pip install 'mcuplan[parquet]', or a table as .csv or .jsonl"
        raise ToolMissing("pyarrow is not installed: Parquet needs it", str(path), hint) from None
    try:
        with parquet.ParquetFile(path) as opened:
            yield opened
    except ArrowException as error:
        raise ValueError(str(error)) from None


def _parquet_names(path: Path) -> list[str]:
    with _parquet(path) as opened:
        return list(opened.schema_arrow.names)


def _parquet_columns(path: Path, names: Sequence[str]) -> dict[str, list[Cell]]:
    with _parquet(path) as opened:
        found = opened.read(columns=list(names))
        return {name: [_cell(value) for value in found[name].to_pylist()] for name in names}


def _cell(value: Any) -> Cell:
    return value if value is None or isinstance(value, str | int | float) else str(value)


_READERS: Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    ".csv": (_csv_names, _csv_columns),
    ".jsonl": (_json_names, _json_columns),
    ".ndjson": (_json_names, _json_columns),
    ".parquet": (_parquet_names, _parquet_columns),
}


def number(cell: Cell) -> float | None:
    """A finite number that is no larger than any figure; None: there is none."""
    if cell is None or isinstance(cell, bool):
        return None
    try:
        found = float(cell)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(found) or abs(found) > _LARGEST:
        return None
    return found if abs(found) > 1 / _LARGEST else 0.0


def text(cell: Cell) -> str:
    """A cell as text, empty where there is nothing; a number without trailing zeros."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.12g}"
    return str(cell)
