# SPDX-License-Identifier: Apache-2.0
"""Ways to fit, or to be faster: a table of what each needs and costs."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.record import Advice, Way
from mcuplan.report._format import Look
from mcuplan.report._loss import types_of
from mcuplan.report._text import clip, table, wrap
from mcuplan.units import format_si

__all__ = ["advice_lines", "asked_by", "way_rows"]

_WIDTH = 40
_TYPES = ("--weight-dtype", "--weight-block", "--layer-dtype")


def asked_by(way: Way) -> str:
    """The options of a way; where they name layers, how many."""
    typed = tuple(o for o in way.options if o.startswith(_TYPES))
    rest = [option for option in way.options if option not in typed]
    named = any("=" in option for option in typed)
    return " ".join((*rest, *([types_of(typed)] if named else typed))) or "as asked for"


def way_rows(ways: Sequence[Way], look: Look) -> list[list[str]]:
    """A head and a row for each; losses where samples show any.

    Options that are wider than their column go on in rows below.
    """
    lossy = any(way.loss is not None for way in ways)
    rows = [["", "", "RAM B", "flash B", "cycles", *(["loss %"] if lossy else []), "needs"]]
    for way in ways:
        figures = [f"{way.ram_bytes:,}", f"{way.flash_bytes:,}", format_si(way.cycles)]
        loss = [f"{way.loss:.2f}" if way.loss is not None else "-"] if lossy else []
        width = _WIDTH - 8 * lossy
        named, *rest = wrap(look.plain(asked_by(way)), "", "  ", width)
        needs = way.needs.value if way.options else ""
        rows.append([">" if way.fits else "", clip(named, width), *figures, *loss, needs])
        rows += [["", clip(line, width), *([""] * (len(rows[0]) - 2))] for line in rest]
    return rows


def advice_lines(advice: Advice | None, look: Look) -> list[str]:
    """The table, and what its marks mean."""
    if advice is None:
        return []
    rows = way_rows(advice.ways, look)
    right = tuple(range(2, len(rows[0]) - 1))
    title = " ways to fit, or to be faster (each one planned anew; > fits)"
    lines = [title, *(f" {line}".rstrip() for line in table(rows, right, " "))]
    if not advice.complete:
        lines += look.wrap("cut short: --time-limit S for more", " ", " ")
    return lines
