# SPDX-License-Identifier: Apache-2.0
"""JSON, CSV and Markdown of the folder: the same bytes for the same values."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["as_csv", "as_json", "table"]


def as_json(value: Any) -> bytes:
    """Indented, in the order of its keys, ASCII."""
    return (json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """With a head; lines end in a line feed. A text that a spreadsheet would compute is quoted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; names of others cannot leave their cell."""
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    lines += [f"| {' | '.join(_plain(str(cell)) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    for sign in "\\`*_[]<>|":
        printable = printable.replace(sign, f"\\{sign}")
    return printable
