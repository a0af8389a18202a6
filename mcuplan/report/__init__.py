# SPDX-License-Identifier: Apache-2.0
"""Renders a budget; one module per format, found by a sorted walk over this package.

A module exposes ``FORMAT``. Modules whose name starts with ``_`` are helpers. Renderers turn
values into text and compute nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from mcuplan.record import Budget, Undecided
from mcuplan.report._format import Format, Look
from mcuplan.report._names import distinct
from mcuplan.report._text import WIDTH, clip, plain, table, wrap

__all__ = [
    "WIDTH",
    "Format",
    "Look",
    "all_formats",
    "clip",
    "distinct",
    "format_names",
    "plain",
    "render",
    "table",
    "wrap",
]


def format_names() -> tuple[str, ...]:
    """Names of all formats, without loading them: a format is named like its module."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


@cache
def all_formats() -> Mapping[str, Format]:
    """Every format by its name.

    Raises:
        RuntimeError: a format is not named like its module.
    """
    found: dict[str, Format] = {}
    for name in format_names():
        made: Format = importlib.import_module(f"{__name__}.{name}").FORMAT
        if made.name != name:
            raise RuntimeError(f"report/{name}.py defines the format {made.name!r}")
        found[name] = made
    return MappingProxyType(found)


def render(name: str, report: Budget | Undecided, look: Look | None = None) -> str:
    """The report in one format, ending with a newline."""
    form = all_formats()[name]
    if isinstance(report, Undecided):
        return form.undecided(report, look or Look())
    return form.decided(report, look or Look())
