# SPDX-License-Identifier: Apache-2.0
"""What else could be planned, with prices, as far as the report was asked to look."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.record import Budget, FrontierRow, NearDead, TypePoint
from mcuplan.report._names import distinct
from mcuplan.report.html.part import NAME, Part
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
    tables = [_types(budget), _frontier(budget), _near_dead(budget), _hints(budget)]
    asked = [table for table in tables if table.rows]
    values = {"tables": asked, "missing": _missing(budget)}
    return Part("choices", "What if", "choices.html", values)


def _types(budget: Budget) -> _Table:
    points = budget.calibration.types if budget.calibration is not None else ()
    measure = points[0].measure if points else ""
    caption = f"Other types of some layers, each planned anew; loss: {measure}"
    heads = ("what", "", "loss %", "flash B", "RAM B", "cycles")
    return _Table(caption, heads, 2, [_type_row(point) for point in points])


def _type_row(point: TypePoint) -> tuple[str, ...]:
    mark = "taken" if point.taken else "meets the limits" if point.chosen else ""
    figures = (f"{point.loss:.2f}", f"{point.flash_bytes:,}", f"{point.ram_bytes:,}")
    return (" ".join(point.options) or "as asked for", mark, *figures, format_si(point.cycles))


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
    said = ["Other targets: not in this report; mcuplan targets fit has a row for each."]
    if not budget.frontier and not (budget.calibration and budget.calibration.types):
        said.append("Other types of layers and recompute: with --frontier.")
    if not budget.levels:
        said.append("What each level of planning bought: mcuplan plan.")
    return said
