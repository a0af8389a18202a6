# SPDX-License-Identifier: Apache-2.0
"""Pareto fronts: a table of each in a terminal, the record for machines, a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from mcuplan.record.front import Choice, Front, FrontOf, Objective
from mcuplan.report._format import Look
from mcuplan.report._names import distinct
from mcuplan.report._text import clip, table
from mcuplan.report.json import as_plain
from mcuplan.units import counted, format_si

__all__ = ["FRONT_FORMATS", "directions", "figure", "left_out", "render_front", "shown_names"]

FRONT_FORMATS = ("text", "json", "html")
_NAME = 40
_WHOLE = 1e15
_SHOWN = 200  # rows in a terminal
_SI = frozenset({"s", "J", "Hz"})


def render_front(form: str, front: Front, look: Look | None = None) -> str:
    """Fronts in one format, ending with a newline."""
    if form == "html":
        from mcuplan.report.html.front import front_page

        return front_page(front)
    return _json(front) if form == "json" else _text(front, look or Look())


def _json(front: Front) -> str:
    """The record; of rows that are beaten how many there are."""
    groups = [as_plain(replace(group, beaten=())) for group in front.groups]
    for made, group in zip(groups, front.groups, strict=True):
        made["beaten"] = len(group.beaten)
    found = as_plain(replace(front, groups=())) | {"groups": groups}
    return json.dumps(found, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def figure(value: float, objective: Objective) -> str:
    """A figure with its unit: exact where it is a whole number."""
    if objective.unit in _SI:
        return format_si(value, objective.unit)
    whole = value == int(value) and abs(value) < _WHOLE
    number = f"{value:,.0f}" if whole else f"{value:.4g}"
    return f"{number} {objective.unit}".rstrip()


def directions(objectives: Sequence[Objective]) -> str:
    """``least RAM, least latency, most accuracy``."""
    return ", ".join(f"{'most' if one.most else 'least'} {one.name}" for one in objectives)


def left_out(front: Front) -> str:
    """How many rows were compared, and why others were not."""
    compared = sum(len(group.front) + len(group.beaten) for group in front.groups)
    rest = ", ".join(f"{count:,} {why}" for why, count in front.left_out)
    return f"{counted(compared, 'row')} compared" + (f"; left out: {rest}" if rest else "")


def shown_names(choices: Sequence[Choice], width: int = _NAME) -> list[str]:
    """Short names of models, different for different ones."""
    models = list(dict.fromkeys(choice.model for choice in choices))
    short = dict(zip(models, distinct(models, width), strict=True))
    return [short[choice.model] for choice in choices]


def _text(front: Front, look: Look) -> str:
    lines = [f"{look.plain(front.file)}: {directions(front.objectives)}"]
    lines += look.wrap(look.plain(left_out(front)), "", "  ")
    for group in front.groups:
        lines += ["", *_group(front, group, look)]
    lines += [""] if front.notes else []
    for note in front.notes:
        lines += look.wrap(look.plain(note), "note: ", "  ")
    if not front.groups:
        lines.append("no row to compare")
    return "\n".join(lines) + "\n"


def _group(front: Front, group: FrontOf, look: Look) -> list[str]:
    """A head, and a row for each of the front."""
    figures = [*front.objectives, *([front.colour] if front.colour else [])]
    rows = [["model", *front.told, *(one.name for one in figures), ""]]
    names = shown_names(group.front)[:_SHOWN]
    for name, choice in zip(names, group.front[:_SHOWN], strict=True):
        values = (*choice.values, *([choice.colour] if front.colour else []))
        cells = [
            figure(value, one) if value is not None else "-"
            for value, one in zip(values, figures, strict=True)
        ]
        mark = "placeholder weights" if choice.placeholder else ""
        told = [clip(look.plain(text), _NAME) for text in (name, *choice.told)]
        rows.append([*told, *cells, mark])
    right = range(1 + len(front.told), len(rows[0]) - 1)
    named = f"{front.by} {group.name}: " if front.by else ""
    found = f"{len(group.front):,} of {counted(len(group.front) + len(group.beaten), 'row')}"
    lines = [
        clip(look.plain(named), 2 * _NAME) + f"{found} on the front",
        *table(rows, tuple(right)),
    ]
    more = len(group.front) - _SHOWN
    return lines + ([f"and {more:,} more: -o FILE.html has them"] if more > 0 else [])
