# SPDX-License-Identifier: Apache-2.0
"""What else could be planned, with prices, as far as the report was asked to look."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.record import Budget, FrontierRow, NearDead, Needs, TypePoint, Way
from mcuplan.report._advice import asked_by
from mcuplan.report._names import distinct
from mcuplan.report.html.part import NAME, Part
from mcuplan.safe_text import arguments
from mcuplan.units import format_si

__all__ = ["choices"]


@dataclass(frozen=True, slots=True)
class _Table:
    """A caption, heads, how many columns stand left, and cells."""

    caption: str
    heads: tuple[str, ...]
    left: int
    rows: list[tuple[str, ...]]


def choices(budget: Budget) -> Part:
    """A table for each kind of other plan; and what nobody looked for."""
    tables = [_ways(budget), _boards(budget), _types(budget), _frontier(budget)]
    tables += [_near_dead(budget), _hints(budget)]
    asked = [table for table in tables if table.rows]
    values = {"tables": asked, "missing": _missing(budget)}
    return Part("choices", "What if", "choices.html", values)


def _ways(budget: Budget) -> _Table:
    """Ways to fit, or to be faster, that need no other board."""
    ways = budget.advice.ways if budget.advice is not None else ()
    here = [way for way in ways if way.needs is not Needs.HARDWARE]
    caption = "Ways to fit, or to be faster, each planned anew"
    if budget.advice is not None and not budget.advice.complete:
        caption += "; cut short: --time-limit S for more"
    heads = ("what", "needs", "", "RAM B", "flash B", "cycles", "loss %")
    return _Table(caption, heads, 3, [_way_row(way) for way in here])


def _boards(budget: Budget) -> _Table:
    """Other targets, as far as advice looked at them."""
    ways = budget.advice.ways if budget.advice is not None else ()
    rows = [_way_row(way) for way in ways if way.needs is Needs.HARDWARE]
    heads = ("board", "needs", "", "RAM B", "flash B", "cycles", "loss %")
    return _Table("Other boards", heads, 3, rows)


def _way_row(way: Way) -> tuple[str, ...]:
    fits, loss = "fits" if way.fits else "does not fit", way.loss
    figures = (f"{way.ram_bytes:,}", f"{way.flash_bytes:,}", format_si(way.cycles))
    needs = way.needs.value if way.options else ""
    return (asked_by(way), needs, fits, *figures, "" if loss is None else f"{loss:.2f}")


def _types(budget: Budget) -> _Table:
    points = budget.calibration.types if budget.calibration is not None else ()
    measure = points[0].measure if points else ""
    caption = f"Other types of some layers, each planned anew; loss: {measure}"
    heads = ("what", "", "loss %", "same decision %", "flash B", "RAM B", "cycles")
    return _Table(caption, heads, 2, [_type_row(point) for point in points])


def _type_row(point: TypePoint) -> tuple[str, ...]:
    mark = "taken" if point.taken else "meets the limits" if point.chosen else ""
    same = "" if point.decisions is None else f"{point.decisions:.1f}"
    figures = (f"{point.loss:.2f}", same, f"{point.flash_bytes:,}", f"{point.ram_bytes:,}")
    return (arguments(point.options) or "as asked for", mark, *figures, format_si(point.cycles))


def _frontier(budget: Budget) -> _Table:
    heads = ("most MACs", "tiles", "live B", "MACs")
    caption = "Recompute in column tiles: prices, no code"
    return _Table(caption, heads, 0, [_frontier_row(row) for row in budget.frontier])


def _frontier_row(row: FrontierRow) -> tuple[str, ...]:
    return f"{row.limit:g} x", str(row.tiles), f"{row.ram_bytes:,}", f"{row.macs:,}"


def _near_dead(budget: Budget) -> _Table:
    rows = budget.calibration.near_dead if budget.calibration is not None else ()
    names = distinct([row.layer for row in rows], NAME)
    heads = ("layer", "", "channels", "of", "MACs", "RAM B", "flash B")
    caption = "Channels that their readers hardly see: what they cost"
    cells = [_near_dead_row(name, row) for name, row in zip(names, rows, strict=True)]
    return _Table(caption, heads, 2, cells)


def _near_dead_row(name: str, row: NearDead) -> tuple[str, ...]:
    figures = (row.channels, row.of, row.macs, row.activation_bytes, row.weights_bytes)
    return (name, "removed" if row.removed else "", *(f"{n:,}" for n in figures))


def _hints(budget: Budget) -> _Table:
    """What the findings of broken budgets advise, which was planned anew."""
    found = [f for f in budget.verdict.findings if f.code.endswith("/over-budget") and f.hint]
    heads = ("budget", "what to do")
    return _Table("Budgets that are exceeded", heads, 2, [(f.code, f.hint) for f in found])


def _missing(budget: Budget) -> list[str]:
    """What this report was not asked to look for."""
    said = []
    if budget.advice is None:
        said.append("Ways to fit, or to be faster: with --advice; mcuplan fit searches them.")
    said.append("All targets: not in this report; mcuplan targets fit has a row for each.")
    if not budget.frontier and not (budget.calibration and budget.calibration.types):
        said.append("Other types of layers and recompute: with --frontier.")
    if not budget.levels:
        said.append("What each level of planning bought: mcuplan plan.")
    return said
