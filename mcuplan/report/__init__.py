# SPDX-License-Identifier: Apache-2.0
"""Renders a budget; one module per format, found by a sorted walk over this package.

A module exposes ``FORMAT``. Modules whose name starts with ``_`` are helpers. Renderers turn
values into text and compute nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from mcuplan.record import Budget, Undecided
from mcuplan.report._fit import fit_json, fit_text
from mcuplan.report._format import Format, Look
from mcuplan.report._front import FRONT_FORMATS, render_front
from mcuplan.report._joint import JOINT_FORMATS, render_joint
from mcuplan.report._loss import loss_of, type_table
from mcuplan.report._names import distinct
from mcuplan.report._text import WIDTH, clip, table, wrap

__all__ = [
    "FRONT_FORMATS",
    "JOINT_FORMATS",
    "WIDTH",
    "Format",
    "Look",
    "clip",
    "distinct",
    "fit_json",
    "fit_text",
    "format_names",
    "loss_of",
    "render",
    "render_front",
    "render_joint",
    "table",
    "type_table",
    "wrap",
]


def format_names() -> tuple[str, ...]:
    """Names of all formats, without loading them: a format is named like its module."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


@cache
def _format(name: str) -> Format:
    """One format; those that a report is not written in are not loaded.

    Raises:
        RuntimeError: it is not named like its module.
    """
    form: Format = importlib.import_module(f"{__name__}.{name}").FORMAT
    if form.name != name:
        raise RuntimeError(f"report/{name}.py defines the format {form.name!r}")
    return form


def render(name: str, report: Budget | Undecided, look: Look | None = None) -> str:
    """The report in one format, ending with a newline."""
    form = _format(name)
    if isinstance(report, Undecided):
        return form.undecided(report, look or Look())
    return form.decided(report, look or Look())
