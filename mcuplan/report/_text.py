# SPDX-License-Identifier: Apache-2.0
"""Lines of text, findings and small tables."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from mcuplan.findings import Finding, Severity
from mcuplan.record import Status
from mcuplan.safe_text import no_command, plain
from mcuplan.units import counted

__all__ = [
    "ANSWERS",
    "WIDTH",
    "clip",
    "finding_lines",
    "shape_text",
    "summary",
    "table",
    "wrap",
]

ANSWERS = {
    Status.FITS: "fits",
    Status.OVER: "over budget or limit",
    Status.UNPROVEN: "unproven",
    Status.UNSUPPORTED: "unsupported",
    Status.DAMAGED: "damaged",
}
WIDTH = 80  # columns of a screen of which nothing is known
_UNIT = re.compile(r"(?<=\d) (?=(?:[kMGmun]?(?:B|s|J|Hz)|[kMG]|dB|%)(?![^\s,;:)]))")
_JOINT = "\0"  # between a figure and its unit, which stay on one line


def clip(text: str, width: int) -> str:
    """At most ``width`` columns; the end of a name tells more than its beginning."""
    return text if len(text) <= width else f"..{text[len(text) - width + 2 :]}"


def shape_text(shape: Sequence[int]) -> str:
    """``1x32x20x64``."""
    return "x".join(str(n) for n in shape) or "scalar"


def summary(findings: Iterable[Finding]) -> str:
    """``2 findings (1 error, 1 note)``."""
    found = list(findings)
    parts = [
        counted(n, severity.value)
        for severity in Severity
        if (n := sum(f.severity is severity for f in found))
    ]
    return f"{counted(len(found), 'finding')} ({', '.join(parts)})"


def table(rows: Sequence[Sequence[str]], right: Sequence[int], gap: str = "  ") -> list[str]:
    """Columns as wide as their widest cell; those in ``right`` are right-aligned."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(gap.join(cells).rstrip())
    return lines


def wrap(text: str, first: str = "", rest: str = "", width: int = WIDTH) -> list[str]:
    """Lines of at most ``width`` columns, the first with one indent and the others with another."""
    lines = textwrap.wrap(
        _UNIT.sub(_JOINT, text),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )
    made = [line.replace(_JOINT, " ") for line in lines] or [first.rstrip()]
    return [made[0], *map(no_command, made[1:])]


def _first(place: str) -> str:
    """``a/Relu;a/BiasAdd;a/Conv2D`` as its first part and how many follow."""
    first, *rest = place.split(";")
    return f"{first};.. ({counted(len(rest), 'more name')})" if rest and first else place


def finding_lines(
    finding: Finding, *, unicode: bool = False, indent: str = "", width: int = WIDTH
) -> list[str]:
    """``severity[code]: message`` and, indented, where and what to do.

    A name that a converter made of those of all operators it fused is told by its first.
    """
    message = plain(finding.message, unicode=unicode)
    lines = wrap(f"{finding.severity}[{finding.code}]: {message}", indent, f"{indent}  ", width)
    for word, text in (("where", _first(finding.where)), ("hint", finding.hint)):
        first = f"{indent}  {word}: "
        lines += wrap(plain(text, unicode=unicode), first, " " * len(first), width) if text else []
    return lines
