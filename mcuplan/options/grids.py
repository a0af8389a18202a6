# SPDX-License-Identifier: Apache-2.0
"""Many forms of one model: every combination of the values that axes of a grid have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from mcuplan.errors import UsageError

__all__ = ["Axis", "columns", "parse_axis", "points"]

Axis = tuple[str, tuple[str, ...]]
"""What is changed of a template, and the values it takes."""
_MOST = 10_000
_WAYS = {"width": "width=0.25,0.5", "input": "input=96,128x96"}


def parse_axis(text: str) -> Axis:
    """An axis as the command line has it: width=0.25,0.5 or input=96,128x96.

    Values are written as `Template.changes` has them, so that one form has one name.

    Raises:
        ValueError: it is none.
    """
    from mcuplan.passes.template import Template, parse_change

    key, _, values = text.partition("=")
    if key not in _WAYS:
        raise ValueError(f"{text[:60]!r}: write {' or '.join(_WAYS.values())}")
    found = []
    for value in values.split(","):
        try:
            made = Template.of([parse_change(f"{key}={value.strip()}")])
        except ValueError:
            what = f"{value.strip()[:60]!r} is no {key}"
            raise ValueError(f"{what}: write {_WAYS[key]}") from None
        found.append(made.changes[0].partition("=")[2] if made.changes else "1")
    return key, tuple(dict.fromkeys(found))


def points(axes: Sequence[Axis], changes: Sequence[str] = ()) -> Iterator[tuple[str, ...]]:
    """What ``--reshape`` is given at each point of a grid, the last axis fastest.

    Of no axes there is one point, the model as it is; so is width=1 among other widths.

    Args:
        axes: what is changed, and its values.
        changes: what is changed of every form, too.

    Raises:
        UsageError: two axes are one, or one is changed anyway; or there are too many points.
    """
    names = [name for name, _ in axes]
    for name in names:
        if any(change.startswith(f"{name}=") for change in changes):
            raise UsageError(f"{name} is an axis, and changed", "--reshape", "one of them")
        if names.count(name) > 1:
            raise UsageError(f"two axes {name}", "--grid", "all its values in one, with commas")
    count = math.prod(len(values) for _, values in axes)
    if count > _MOST:
        what = f"the grid has {count:,} points, {_MOST:,} are the most"
        raise UsageError(what, "--grid", "fewer values, in several sweeps")
    for each in product(*(values for _, values in axes)):
        pairs = zip(names, each, strict=True)
        yield tuple(f"{name}={value}" for name, value in pairs if (name, value) != ("width", "1"))


def columns(changes: Sequence[tuple[str, str]]) -> Mapping[str, object]:
    """What a row of a table says of a form: ``width``, a factor, and ``input``, empty as it is.

    Args:
        changes: as `parse_change` reads them.
    """
    from mcuplan.passes.template import Template

    made = dict(change.split("=", 1) for change in Template.of(changes).changes)
    return {"width": float(made.get("width", 1.0)), "input": made.get("input", "")}
