# SPDX-License-Identifier: Apache-2.0
"""The report for machines: the budget, key by key; `schema.json` beside this file describes it."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from mcuplan.record import Budget, Undecided
from mcuplan.report._format import Format, Look

__all__ = ["FORMAT", "as_plain"]

_ONLY_IF_ASKED = ("baseline", "verification", "levels", "selection", "frontier")
_ONLY_BY_ROWS = ("row", "move", "arena_input_resident_bytes", "arena_input_fed_bytes")


def as_plain(value: object) -> Any:
    """Dataclasses to objects, tuples to arrays; a trailing ``_`` of a name is dropped.

    What only plans by rows have is left out of others.
    """
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        found = {f.name.rstrip("_"): as_plain(getattr(value, f.name)) for f in fields(value)}
        return {k: v for k, v in found.items() if v is not None or k not in _ONLY_BY_ROWS}
    if isinstance(value, tuple):
        return [as_plain(item) for item in value]
    return value


def _decided(budget: Budget, look: Look) -> str:
    made = as_plain(budget)
    for key in _ONLY_IF_ASKED:
        if not made[key]:
            del made[key]
    return _dump(made)


def _undecided(report: Undecided, look: Look) -> str:
    return _dump(as_plain(report))


def _dump(made: Any) -> str:
    return json.dumps(made, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


FORMAT = Format("json", "for machines, schema mcuplan.report/1", _decided, _undecided)
