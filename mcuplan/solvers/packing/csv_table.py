# SPDX-License-Identifier: Apache-2.0
"""Buffers as a CSV table: ``id,lower,upper,size`` in, ``id,offset`` out.

The format of the MiniMalloc benchmarks (Moffitt, ASPLOS 2023): half-open live ranges
``[lower, upper)``. A column ``alignment`` is optional (1 unless given), others are ignored.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mcuplan.errors import DataError, McuplanError, Problems, UsageError
from mcuplan.solvers.packing.problem import Buffer, LiveRange, MemoryPlan, Problem
from mcuplan.solvers.packing.search import GREATEST

__all__ = ["offsets_csv", "parse_csv", "read_csv"]

_COLUMNS = ("id", "lower", "upper", "size")
_MAX_FILE_BYTES = 64 << 20
_MAX_BUFFERS = 100_000
_MAX_ERRORS = 100
_STEPS = 1 << 61  # a live range starts and ends within so many steps of 0
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_HINT = f"the first line must be {','.join(_COLUMNS)}, then one buffer a line"


def read_csv(path: Path) -> Problem:
    """The buffers of a table file.

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
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"is no text: byte {error.start} is not UTF-8", path.name, _HINT) from None
    return parse_csv(text, path.name)


def parse_csv(text: str, file: str) -> Problem:
    """The buffers of a table; ``file`` names it in errors."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    errors: list[McuplanError] = []
    buffers: list[Buffer] = []
    more = 0
    for line, item in _rows(reader, file):
        if isinstance(item, Buffer):
            buffers.append(item)
        elif len(errors) < _MAX_ERRORS:
            errors.append(DataError(item, f"{file}, line {line}", _HINT))
        else:
            more += 1
        if len(buffers) > _MAX_BUFFERS:
            raise DataError(f"has more than {_MAX_BUFFERS:,} buffers", file, "split the table")
    if more:
        errors.append(DataError(f"{more:,} more lines are wrong", file, _HINT))
    Problems.raise_if_any(errors)
    if not buffers:
        raise DataError("has no buffers", file, _HINT)
    longest = max(max(buffer.nbytes, buffer.align) for buffer in buffers)
    if longest * (len(buffers) + 1) >= GREATEST:
        raise DataError("sizes add up to more than 64 bits hold", file, "use a larger unit")
    return Problem(tuple(buffers))


def _rows(reader: Iterator[list[str]], file: str) -> Iterator[tuple[int, Buffer | str]]:
    """Line number with the buffer there, or with what is wrong with it."""
    header: list[str] | None = None
    names: dict[str, int] = {}
    line = 0
    try:
        for cells in reader:
            line = reader.line_num  # type: ignore[attr-defined]
            if not cells:
                continue
            if header is None:
                header = _header(cells, file)
                continue
            if len(cells) != len(header):
                yield line, f"has {len(cells)} columns, the first line has {len(header)}"
                continue
            try:
                yield line, _buffer(dict(zip(header, cells, strict=True)), names, line)
            except ValueError as error:
                yield line, str(error)
    except csv.Error as error:
        yield line + 1, f"is no CSV: {error}"
    if header is None:
        raise DataError("is empty", file, _HINT)


def _header(cells: list[str], file: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    missing = [name for name in _COLUMNS if header.count(name) != 1]
    if missing or header.count("alignment") > 1:
        named = ", ".join(missing) or "alignment"
        raise DataError(f"needs each of these columns once: {named}", f"{file}, line 1", _HINT)
    return header


def _buffer(row: Mapping[str, str], names: dict[str, int], line: int) -> Buffer:
    name = row["id"].strip()
    if not name:
        raise ValueError("id is empty")
    if names.setdefault(name, line) != line:
        raise ValueError(f"id {name[:40]!r} stands in line {names[name]} already")
    lower, upper, size = (_number(row[key], key) for key in _COLUMNS[1:])
    align = _number(row.get("alignment", "1"), "alignment")
    if lower >= upper:
        raise ValueError(f"lower {lower} is not below upper {upper}")
    if not -_STEPS < lower < upper < _STEPS:
        raise ValueError(f"lower {lower} or upper {upper} is too far from 0")
    if size < 0 or align < 1:
        raise ValueError(f"size {size} or alignment {align} is too small")
    return Buffer(name, size, LiveRange(lower, upper), align)


def _number(text: str, key: str) -> int:
    value = text.strip()
    if not _NUMBER.fullmatch(value):
        raise ValueError(f"{key} {value[:40]!r} is no whole number of 64 bits")
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{key} {value} does not fit 64 bits")
    return number


def offsets_csv(plan: MemoryPlan) -> str:
    """Identifier and offset of every buffer, in the order in which they were read."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "offset"])
    writer.writerows((each.buffer.name, each.offset) for each in plan.placements)
    return out.getvalue()
