# SPDX-License-Identifier: Apache-2.0
"""Tables as CSV files, from which every solver can be asked on its own."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from mcuplan.errors import DataError, McuplanError, Problems, UsageError

__all__ = ["csv_lines", "csv_text", "number", "read_text"]

_MAX_FILE_BYTES = 64 << 20
_MAX_LINES = 100_000
_MAX_ERRORS = 100
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)

_Item = TypeVar("_Item")


def read_text(path: Path) -> str:
    """The text of a table file.

    Raises:
        UsageError: the file cannot be read.
        DataError: it is no text, or too large.
    """
    if path.exists() and not path.is_file():
        raise UsageError("is no regular file", str(path), "give a CSV table")
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", str(path), "check the path") from None
    if len(data) > _MAX_FILE_BYTES:
        raise DataError("is larger than 64 MiB", path.name, "split the table")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"is no text: byte {error.start} is not UTF-8"
        raise DataError(reason, path.name, "save it as UTF-8") from None


def csv_lines(
    text: str,
    file: str,
    columns: Sequence[str],
    optional: Sequence[str],
    parse: Callable[[Mapping[str, str]], _Item],
) -> dict[str, _Item]:
    """What the lines of a table say, by the identifier in the first of the columns.

    Args:
        text: the table.
        file: names it in errors.
        columns: must each be there once.
        optional: may be there once; others are ignored.
        parse: a line, by column; raises ValueError with what is wrong in it.

    Raises:
        DataError, Problems: it is no such table; the lines at fault are named.
    """
    hint = f"the first line must be {','.join(columns)}, then one item a line"
    lines = _cells(csv.reader(io.StringIO(text, newline=""), strict=True), file, hint)
    header = [cell.strip() for cell in next(lines, (0, []))[1]]
    if not header:
        raise DataError("is empty", file, hint)
    _check_header(header, columns, optional, file, hint)
    found: dict[str, _Item] = {}
    places: dict[str, int] = {}
    errors: list[McuplanError] = []
    more = 0
    try:
        for line, cells in lines:
            try:
                name, row = _row(header, cells, columns[0])
                if places.setdefault(name, line) != line:
                    where = f"stands in line {places[name]} already"
                    raise ValueError(f"{columns[0]} {name[:40]!r} {where}")
                found[name] = parse(row)
            except ValueError as error:
                more += len(errors) >= _MAX_ERRORS
                if len(errors) < _MAX_ERRORS:
                    errors.append(DataError(str(error), f"{file}, line {line}", hint))
            if len(found) > _MAX_LINES:
                raise DataError(f"has more than {_MAX_LINES:,} items", file, "split the table")
    except DataError as error:
        errors.append(error)
    if more:
        errors.append(DataError(f"{more:,} more lines are wrong", file, hint))
    Problems.raise_if_any(errors)
    if not found:
        raise DataError("has no items", file, hint)
    return found


def _check_header(
    header: Sequence[str], columns: Sequence[str], optional: Sequence[str], file: str, hint: str
) -> None:
    wrong = [name for name in columns if header.count(name) != 1]
    wrong += [name for name in optional if header.count(name) > 1]
    if wrong:
        reason = f"needs each of these columns once: {', '.join(wrong)}"
        raise DataError(reason, f"{file}, line 1", hint)


def _cells(reader: Iterator[list[str]], file: str, hint: str) -> Iterator[tuple[int, list[str]]]:
    line = 0
    try:
        for cells in reader:
            line = reader.line_num  # type: ignore[attr-defined]
            if cells:
                yield line, cells
    except csv.Error as error:
        raise DataError(f"is no CSV: {error}", f"{file}, line {line + 1}", hint) from None


def _row(header: Sequence[str], cells: Sequence[str], key: str) -> tuple[str, Mapping[str, str]]:
    """The identifier of a line, and its cells by column."""
    if len(cells) != len(header):
        raise ValueError(f"has {len(cells)} columns, the first line has {len(header)}")
    row = dict(zip(header, cells, strict=True))
    name = row[key].strip()
    if not name:
        raise ValueError(f"{key} is empty")
    return name, row


def number(row: Mapping[str, str], key: str, least: int, most: int, default: str = "") -> int:
    """A whole number in a column.

    Raises:
        ValueError: it is none, or not from ``least`` to ``most``.
    """
    text = row.get(key, default).strip() or default
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise ValueError(f"{key} {text[:40]!r} is no whole number from {least} to {most}")
    return int(text)


def csv_text(columns: Sequence[str], rows: Iterator[tuple[object, ...]]) -> str:
    """A table as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
