# SPDX-License-Identifier: Apache-2.0
"""Buffers as a CSV table: ``id,lower,upper,size`` in, the same with ``offset`` out.

The format of the MiniMalloc benchmarks (Moffitt, ASPLOS 2023); a column ``alignment`` is
optional, others are ignored.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from mcuplan.errors import DataError, McuplanError, Problems, UsageError
from mcuplan.memory.problem import Buffer, LiveRange, MemoryPlan, Problem

__all__ = ["offsets_csv", "read_csv"]

_COLUMNS = ("id", "lower", "upper", "size")
_MAX_FILE_BYTES = 64 << 20
_MAX_NUMBER = 1 << 48
_ERRORS_SHOWN = 20


def read_csv(path: Path) -> Problem:
    """The buffers of a table, placed at any multiple of their alignment (1 unless given).

    Raises:
        UsageError: the file cannot be read.
        DataError, Problems: it is no such table; the lines at fault are named.
    """
    if path.exists() and not path.is_file():
        raise UsageError("is no regular file", str(path))
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", str(path)) from None
    if len(data) > _MAX_FILE_BYTES:
        raise DataError("is larger than 64 MiB", path.name, "split the table")
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"is no CSV table: {error}", path.name) from None
    missing = [name for name in _COLUMNS if not rows or name not in rows[0]]
    if missing:
        hint = f"the first line must be {','.join(_COLUMNS)}"
        raise DataError(f"has no column {missing[0]}, or no rows", path.name, hint)
    return _problem(rows, path.name)


def _problem(rows: list[dict[str, str]], file: str) -> Problem:
    errors: list[McuplanError] = []
    buffers: list[Buffer] = []
    names: set[str] = set()
    for number, row in enumerate(rows, start=2):
        try:
            buffers.append(_buffer(row, names))
        except ValueError as error:
            errors.append(DataError(str(error), f"{file}, line {number}"))
    Problems.raise_if_any(errors[:_ERRORS_SHOWN])
    return Problem(tuple(buffers))


def _buffer(row: dict[str, str], names: set[str]) -> Buffer:
    name = row["id"] or ""
    if name in names:
        raise ValueError(f"id {name!r} stands twice")
    names.add(name)
    lower, upper, size = (_number(row[key], key) for key in ("lower", "upper", "size"))
    align = _number(row.get("alignment") or "1", "alignment")
    if align < 1:
        raise ValueError("alignment must be at least 1")
    return Buffer(name, size, LiveRange(lower, upper), align)


def _number(text: str | None, key: str) -> int:
    value = (text or "").strip()
    if not (value.isascii() and value.isdigit()) or int(value[:20]) > _MAX_NUMBER:
        raise ValueError(f"{key} {value[:20]!r} is no whole number in reach")
    return int(value)


def offsets_csv(plan: MemoryPlan) -> str:
    """The table with a column of offsets, in the order in which it was read."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_COLUMNS, "offset"])
    for placement in plan.placements:
        buffer = placement.buffer
        live = buffer.live
        writer.writerow([buffer.name, live.start, live.end, buffer.nbytes, placement.offset])
    return out.getvalue()
