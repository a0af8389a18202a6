# SPDX-License-Identifier: Apache-2.0
"""What grew since an earlier report, and which change made it."""

from __future__ import annotations

from mcuplan.record import Budget, Change, Growth
from mcuplan.report._growth import cause_text
from mcuplan.report._names import distinct
from mcuplan.report.html.part import NAME, Part

__all__ = ["growth"]

_SHOWN = 20
_Row = tuple[str, str, str, str]


def growth(budget: Budget) -> Part | None:
    """None without an earlier report."""
    base = budget.baseline
    if base is None:
        return None
    names = distinct([row.name for row in base.layers], NAME)
    values = {
        "file": base.file,
        "total": (f"{base.ram_delta:+,}", f"{base.flash_delta:+,}"),
        "changes": [_change(change) for change in base.changes],
        "parts": [_row(row.name, row) for row in base.parts],
        "layers": [_row(n, row) for n, row in zip(names, base.layers, strict=True)][:_SHOWN],
        "more": len(base.layers) - _SHOWN,
    }
    return Part("growth", "Since the baseline", "growth.html", values)


def _change(change: Change) -> _Row:
    ram = f"{change.ram_delta:+,}" if change.ram_delta is not None else ""
    follow = f"and {len(change.follow):,} that read it" if change.follow else ""
    return cause_text(change), follow, ram, f"{change.flash_delta:+,}"


def _row(name: str, row: Growth) -> _Row:
    return name, row.because, f"{row.ram_delta:+,}", f"{row.flash_delta:+,}"
