# SPDX-License-Identifier: Apache-2.0
"""Of many models those that no other beats: a table in, its Pareto front out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcuplan import __version__
from mcuplan.errors import UsageError
from mcuplan.pareto.dominance import undominated
from mcuplan.pareto.joined import IDENTITY, apart_by_path, joined
from mcuplan.pareto.objectives import column_of, objective
from mcuplan.pareto.table import Cell, names_of, number, read_columns, text
from mcuplan.record.front import Choice, Front, FrontOf, Objective
from mcuplan.safe_text import shown
from mcuplan.spelling import did_you_mean

__all__ = ["Asked", "front_of"]

_MOST_GROUPS = 60
_MOST_OBJECTIVES = 3
_FITS = "fits"


@dataclass(frozen=True, slots=True)
class Asked:
    """What models are compared by, and which.

    Attributes:
        x: column, or a word for it; so are the others.
        y: the second.
        most: of which the most is best; those that are neither x nor y are compared, too.
        least: of which the least is; likewise.
        colour: what points are coloured by.
        targets: rows of these alone; empty: of all.
        by: rows of each value of this column are compared with one another alone.
        join: a second table.
        every: also rows that do not fit.
    """

    x: str
    y: str
    most: tuple[str, ...] = ()
    least: tuple[str, ...] = ()
    colour: str = ""
    targets: tuple[str, ...] = ()
    by: str = ""
    join: Path | None = None
    every: bool = False


@dataclass(frozen=True, slots=True)
class _Columns:
    """What of a table is looked at."""

    cells: Mapping[str, Sequence[Cell]]
    count: int

    def text(self, name: str, row: int) -> str:
        """Of a column that may not be there."""
        return text(self.cells[name][row]) if name in self.cells else ""


def front_of(path: Path, asked: Asked) -> Front:
    """The front of a table, or that of each part of it.

    Raises:
        UsageError: a table that cannot be read, no such column, target or objective.
        ToolMissing: see `read_columns`.
    """
    names = names_of(path)
    first = read_columns(
        path, [n for n in ("model", "name", "verdict", "weights", *IDENTITY) if n in names]
    )
    count = len(next(iter(first.values()), ()))
    notes: list[str] = []
    if asked.join is not None:
        notes += _join(path, asked.join, names, first)
    known = list(dict.fromkeys((*names, *first)))
    objectives, colour = _objectives(asked, known)
    by = column_of(asked.by, known, "--by") if asked.by else ""
    wanted = [o.column for o in (*objectives, *([colour] if colour else []))]
    more = [n for n in (*wanted, by, "energy_whole_chip") if n in names and n not in first]
    cells = first | (read_columns(path, more) if more else {})
    if by == "name" and "model" in cells:
        cells = cells | {by: apart_by_path(cells[by], cells["model"])}
    table = _Columns(cells, count or len(next(iter(cells.values()), ())))
    kept, left_out = _compared(table, asked, objectives)
    notes += _notes(table, kept, objectives)
    told = _told(table, kept, by)
    groups: dict[str, list[Choice]] = {}
    for row in kept:
        name = table.text(by, row) if by else ""
        groups.setdefault(name, []).append(_choice(table, row, told, objectives, colour))
    if len(groups) > _MOST_GROUPS:
        what = f"{by} has {len(groups):,} values, {_MOST_GROUPS} fronts are the most"
        raise UsageError(what, "--by", "a column with fewer, or --target")
    return Front(
        schema="mcuplan.pareto/1",
        tool_version=__version__,
        file=path.name,
        objectives=objectives,
        colour=colour,
        told=told,
        by=by,
        groups=tuple(_front(name, groups[name], objectives) for name in sorted(groups)),
        left_out=left_out,
        notes=tuple(notes),
    )


def _join(path: Path, other: Path, names: Sequence[str], table: dict[str, list[Cell]]) -> list[str]:
    """Add the columns of a second table; what is to be said of that.

    Raises:
        UsageError: as `joined`.
    """
    if "model" not in table:
        raise UsageError("has no column model to join by", str(path))
    added = joined(other, names, table)
    table |= {name: list(cells) for name, cells in added.columns.items()}
    some = ", ".join(map(shown, added.unused[:3]))
    count = len(added.unused)
    return [f"models of {other.name} that are not here ({count:,}): {some}"] if count else []


def _objectives(
    asked: Asked, names: Sequence[str]
) -> tuple[tuple[Objective, ...], Objective | None]:
    """What is compared, and what colours.

    Raises:
        UsageError: no such column, one that is given twice, or too many.
    """
    x, y = column_of(asked.x, names, "--x"), column_of(asked.y, names, "--y")
    most = [column_of(name, names, "--max") for name in asked.most]
    least = [column_of(name, names, "--min") for name in asked.least]
    both = next((name for name in most if name in least), "")
    if both:
        raise UsageError(f"{shown(both)} is to be the most and the least", "--max", "one of them")
    if x == y:
        raise UsageError(f"both are {shown(x)}", "--x and --y", "two figures")
    columns = dict.fromkeys((x, y, *most, *least))
    if len(columns) > _MOST_OBJECTIVES:
        what = f"{len(columns)} figures are compared, {_MOST_OBJECTIVES} are the most"
        raise UsageError(what, "--max and --min", "fewer of them")
    found = tuple(objective(name, most, least) for name in columns)
    if not asked.colour:
        return found, None
    return found, objective(column_of(asked.colour, names, "--color"), most, least)


def _compared(
    table: _Columns, asked: Asked, objectives: Sequence[Objective]
) -> tuple[list[int], tuple[tuple[str, int], ...]]:
    """Rows that are compared, and why others are not.

    Raises:
        UsageError: a target that no row has, or no column of targets.
    """
    there = {table.text("target", row) for row in range(table.count)}
    for target in asked.targets:
        if target not in there:
            hint = did_you_mean(target, sorted(there))
            raise UsageError(f"no row of {shown(target)}", "--target", hint)
    kept, why = [], Counter[str]()
    for row in range(table.count):
        reason = _reason(table, row, asked, objectives)
        if reason:
            why[reason] += 1
        else:
            kept.append(row)
    return kept, tuple(sorted(why.items(), key=lambda pair: (-pair[1], pair[0])))


def _reason(table: _Columns, row: int, asked: Asked, objectives: Sequence[Objective]) -> str:
    """Why a row is not compared; empty: it is."""
    if asked.targets and table.text("target", row) not in asked.targets:
        return "of other targets"
    verdict = table.text("verdict", row)
    if verdict == "error":
        return "errors"
    if "verdict" in table.cells and verdict != _FITS and not asked.every:
        return "that do not fit" if verdict == "does-not-fit" else f"{verdict or 'no verdict'}"
    for one in objectives:
        if number(table.cells[one.column][row]) is None:
            return f"without {one.name}"
    return ""


def _told(table: _Columns, rows: Sequence[int], by: str) -> tuple[str, ...]:
    """Columns that tell rows apart; those that repeat others only where these do not."""

    def apart(names: Sequence[str]) -> int:
        return len({tuple(table.text(name, row) for name in names) for row in rows})

    found = [name for name in IDENTITY if name != by and apart([name]) > 1]
    whole = apart(["model", by, *found])
    for repeated in ("options", "reshape"):
        short = [name for name in found if name != repeated]
        found = short if apart(["model", by, *short]) == whole else found
    return tuple(found)


def _notes(table: _Columns, kept: Sequence[int], objectives: Sequence[Objective]) -> list[str]:
    """What makes figures of rows different things."""
    whole = {table.text("energy_whole_chip", row).lower() for row in kept}
    if any(one.column == "energy_j" for one in objectives) and len(whole) > 1:
        return ["energy is that of the whole chip on some targets, of operations alone on others"]
    return []


def _choice(
    table: _Columns,
    row: int,
    told: Sequence[str],
    objectives: Sequence[Objective],
    colour: Objective | None,
) -> Choice:
    values = tuple(number(table.cells[one.column][row]) or 0.0 for one in objectives)
    return Choice(
        row=row + 1,
        model=table.text("model", row) or table.text("name", row) or f"row {row + 1}",
        told=tuple(table.text(name, row) for name in told),
        values=values,
        colour=number(table.cells[colour.column][row]) if colour else None,
        placeholder=table.text("weights", row) == "placeholders",
    )


def _front(name: str, choices: Sequence[Choice], objectives: Sequence[Objective]) -> FrontOf:
    signs = [-1.0 if one.most else 1.0 for one in objectives]
    points = [
        tuple(sign * value for sign, value in zip(signs, each.values, strict=True))
        for each in choices
    ]
    best = undominated(points)
    chosen = set(best)
    order = sorted(best, key=lambda i: (points[i], choices[i].model, choices[i].told, i))
    beaten = tuple(each for i, each in enumerate(choices) if i not in chosen)
    return FrontOf(name, tuple(choices[i] for i in order), beaten)
