# SPDX-License-Identifier: Apache-2.0
"""A second table beside the first: accuracies by model, and by what else both of them name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mcuplan.errors import UsageError
from mcuplan.pareto.table import Cell, Columns, names_of, number, read_columns, text
from mcuplan.safe_text import shown

__all__ = ["IDENTITY", "Joined", "apart_by_path", "joined"]

IDENTITY = (
    *("target", "reshape", "width", "input", "dtype", "objective", "streaming", "backend"),
    *("effort", "quantize_effort", "options"),
)
"""Columns that tell rows of one model apart, if they have them."""
_MODEL = ("model", "name")
_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Columns that are added, with a value for each row of the first table.

    ``unused``: names of models of the second table that no row of the first has.
    """

    columns: Columns
    unused: tuple[str, ...]


def joined(path: Path, names: Sequence[str], table: Columns) -> Joined:
    """What a second table says of the rows of the first.

    A model is told by its path, the name of its file, that without its end, or its folder.

    Args:
        path: the second table, with a column ``model``.
        names: all columns of the first.
        table: those of the first that tell rows apart, and ``model``.

    Raises:
        UsageError: the second table has no such column, two values for one row, or none that is
            new; or a name in it stands for several models.
    """
    theirs = names_of(path)
    model = next((name for name in _MODEL if name in theirs), "")
    if not model:
        raise UsageError("has no column model", str(path), "name models as the table has them")
    keys = [name for name in IDENTITY if name in theirs and name in names]
    added = [name for name in theirs if name not in (*_MODEL, *IDENTITY)]
    if not added:
        raise UsageError("adds no column", str(path), "model,accuracy")
    known = frozenset(names)
    taken = next((name for name in added if name in known), "")
    if taken:
        hint = "give it another name"
        raise UsageError(f"the table has a column {shown(taken)!r}, too", str(path), hint)
    values = _by_key(path, read_columns(path, theirs), model, keys, added)
    models = [text(cell) for cell in table["model"]]
    whose = _names(path, models, {key[0] for key in values})
    made: dict[str, list[Cell]] = {name: [] for name in added}
    for row, one in enumerate(models):
        key = (whose.get(one, ""), *(_same(table[name][row]) for name in keys))
        found = values.get(key)
        for place, name in enumerate(added):
            made[name].append(found[place] if found is not None else None)
    used = set(whose.values())
    return Joined(made, tuple(dict.fromkeys(k[0] for k in values if k[0] not in used)))


def _same(cell: Cell) -> str:
    """A cell as a part of a key: 0.5 and 0.50 are one."""
    found = number(cell)
    return text(cell) if found is None else f"{found:.12g}"


def _by_key(
    path: Path, theirs: Columns, model: str, keys: Sequence[str], added: Sequence[str]
) -> Mapping[_Key, tuple[Cell, ...]]:
    """Values that are added, by model and what else tells rows apart."""
    made: dict[_Key, tuple[Cell, ...]] = {}
    for row, cell in enumerate(theirs[model]):
        key = (text(cell), *(_same(theirs[name][row]) for name in keys))
        values = tuple(theirs[name][row] for name in added)
        if made.setdefault(key, values) != values:
            what = f"two values for {shown(' '.join(key))}"
            raise UsageError(what, str(path), "one row for each")
    return made


def _names(path: Path, models: Sequence[str], theirs: set[str]) -> Mapping[str, str]:
    """How the second table calls each model, where it does.

    Raises:
        UsageError: it calls two of them alike.
    """
    found: dict[str, str] = {}
    called: dict[str, str] = {}
    for model in dict.fromkeys(models):
        name = next((name for name in _called(model) if name in theirs), None)
        if name is None:
            continue
        if called.setdefault(name, model) != model:
            what = f"{shown(name)!r} is {shown(called[name])} and {shown(model)}"
            raise UsageError(what, str(path), "write their paths, as the table has them")
        found[model] = name
    return found


def _called(model: str) -> Iterator[str]:
    path = PurePath(model)
    yield from (model, path.name, path.stem, path.parent.name)


def apart_by_path(names: Sequence[Cell], models: Sequence[Cell]) -> list[Cell]:
    """Names of files, with as many folders before them as tell models of one name apart."""
    paths: dict[str, set[str]] = {}
    for name, model in zip(names, models, strict=True):
        paths.setdefault(text(name), set()).add(text(model))
    short = {model: end for one in paths.values() for model, end in _ends(sorted(one)).items()}
    return [
        short[text(model)] if len(paths[text(name)]) > 1 else name
        for name, model in zip(names, models, strict=True)
    ]


def _ends(models: Sequence[str]) -> dict[str, str]:
    """The shortest ends of paths, all of one length, that differ."""
    parts = [PurePath(model).parts for model in models]
    for length in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(each[-length:]) for each in parts]
        if len(set(ends)) == len(models):
            return dict(zip(models, ends, strict=True))
    return {model: model for model in models}
