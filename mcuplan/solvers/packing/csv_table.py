# SPDX-License-Identifier: Apache-2.0
"""Buffers as a CSV table: ``id,lower,upper,size`` in, ``id,offset`` out.

The format of the MiniMalloc benchmarks (Moffitt, ASPLOS 2023): half-open live ranges
``[lower, upper)``. A column ``alignment`` is optional (1 unless given), others are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mcuplan.errors import DataError
from mcuplan.solvers.csv_file import csv_lines, csv_text, number, read_text
from mcuplan.solvers.packing.problem import Buffer, LiveRange, MemoryPlan, Problem
from mcuplan.solvers.packing.search import GREATEST

__all__ = ["offsets_csv", "parse_csv", "read_csv"]

_COLUMNS = ("id", "lower", "upper", "size")
_STEPS = 1 << 61  # a live range starts and ends within so many steps of 0


def read_csv(path: Path) -> Problem:
    """The buffers of a table file.

    Raises:
        UsageError: the file cannot be read.
        DataError, Problems: it is no such table; the lines at fault are named.
    """
    return parse_csv(read_text(path), path.name)


def parse_csv(text: str, file: str) -> Problem:
    """The buffers of a table; ``file`` names it in errors."""
    lines = csv_lines(text, file, _COLUMNS, ("alignment",), _buffer)
    buffers = tuple(replace(buffer, name=name) for name, buffer in lines.items())
    longest = max(max(buffer.nbytes, buffer.align) for buffer in buffers)
    if longest * (len(buffers) + 1) >= GREATEST:
        raise DataError("sizes add up to more than 64 bits hold", file, "use a larger unit")
    return Problem(buffers)


def _buffer(row: Mapping[str, str]) -> Buffer:
    lower, upper = (number(row, key, -_STEPS, _STEPS) for key in ("lower", "upper"))
    if lower >= upper:
        raise ValueError(f"lower {lower} is not below upper {upper}")
    size = number(row, "size", 0, GREATEST)
    return Buffer("", size, LiveRange(lower, upper), number(row, "alignment", 1, GREATEST, "1"))


def offsets_csv(plan: MemoryPlan) -> str:
    """Identifier and offset of every buffer, in the order in which they were read."""
    return csv_text(("id", "offset"), ((p.buffer.name, p.offset) for p in plan.placements))
