# SPDX-License-Identifier: Apache-2.0
"""The report for machines: the budget, key by key; `schema.json` beside this file describes it."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from mcuplan.record import Budget, Undecided
from mcuplan.record.schema import json_key, left_out
from mcuplan.report._format import Format, Look

__all__ = ["FORMAT", "as_plain", "dumped"]


def as_plain(value: object) -> Any:
    """Dataclasses to objects, tuples to arrays; a trailing ``_`` of a name is dropped.

    What a report has only where somebody asked, or of plans by rows, is left out of others.
    """
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        optional = left_out(value.__class__)
        found = ((f, getattr(value, f.name)) for f in fields(value))
        return {
            json_key(f): as_plain(one)
            for f, one in found
            if f.name not in optional or one not in (None, ())
        }
    if isinstance(value, tuple):
        return [as_plain(item) for item in value]
    return value


def dumped(report: object) -> str:
    """A report as text."""
    return json.dumps(as_plain(report), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _decided(budget: Budget, look: Look) -> str:
    return dumped(budget)


def _undecided(report: Undecided, look: Look) -> str:
    return dumped(report)


FORMAT = Format("json", _decided, _undecided)
