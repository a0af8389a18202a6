# SPDX-License-Identifier: Apache-2.0
"""The page of Pareto fronts: for each a picture and a table that its points lead to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcuplan.record.front import Front, FrontOf
from mcuplan.report._front import directions, figure, left_out, shown_names
from mcuplan.report._text import clip
from mcuplan.report.html.page import page
from mcuplan.report.html.part import Part
from mcuplan.report.html.scatter import LINKED, scatter
from mcuplan.units import counted

__all__ = ["front_page"]

_NAME = 60


@dataclass(frozen=True, slots=True)
class _Row:
    """What a row shows: a name and the whole one where that is cut, texts, figures to sort by."""

    key: str
    name: str
    title: str
    told: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]
    placeholder: bool


def front_page(front: Front) -> str:
    """One file that needs no network."""
    best = sum(len(group.front) for group in front.groups)
    words = f"{counted(best, 'row')} that no other beats: {directions(front.objectives)}"
    parts = [part for i, group in enumerate(front.groups) for part in _parts(front, group, i)]
    notes = [left_out(front), *front.notes]
    parts.append(Part("rows", "Rows", "front_notes.html", {"notes": notes}))
    return page(front.file, ("good" if best else "unsure", words), parts, styles=("front.css",))


def _parts(front: Front, group: FrontOf, index: int) -> Iterator[Part]:
    key = f"front{index}"
    named = f"{front.by} {clip(group.name, _NAME)}: " if front.by else ""
    values = {
        "name": f"{named}scatter",
        "picture": scatter(front, group, key),
        "line": len(front.objectives) == 2,
        "beaten": len(group.beaten),
    }
    yield Part(f"scatter{index}", f"{named}scatter" if named else "Scatter", "scatter.html", values)
    figures = [*front.objectives, *([front.colour] if front.colour else [])]
    table = {
        "name": f"{named}front",
        "told": front.told,
        "figures": [one.name for one in figures],
        "rows": list(_rows(front, group, key)),
        "more": len(group.front) - LINKED,
        "placeholders": any(choice.placeholder for choice in group.front),
    }
    yield Part(f"table{index}", f"{named}front" if named else "Front", "front.html", table)


def _rows(front: Front, group: FrontOf, key: str) -> Iterator[_Row]:
    shown = group.front[:LINKED]
    for number, (name, choice) in enumerate(zip(shown_names(shown, _NAME), shown, strict=True)):
        pairs = list(zip(front.objectives, choice.values, strict=True))
        figures = [(figure(value, one), repr(value)) for one, value in pairs]
        if front.colour is not None:
            value = choice.colour
            cell = (figure(value, front.colour), repr(value)) if value is not None else ("-", "")
            figures.append(cell)
        title = choice.model if choice.model != name else ""
        told, marked = choice.told, choice.placeholder
        yield _Row(f"{key}-{number}", name, title, told, tuple(figures), marked)
