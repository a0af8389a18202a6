# SPDX-License-Identifier: Apache-2.0
"""What a part of the page is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcuplan.record import Budget
from mcuplan.report._names import distinct
from mcuplan.safe_text import plain

__all__ = ["NAME", "Part", "layer_names", "whole"]

NAME = 28  # columns of a layer's name
_WHOLE = 400  # characters of a name under the pointer


@dataclass(frozen=True, slots=True)
class Part:
    """A section: what it is reached by, its heading, and its template with what that shows."""

    key: str
    title: str
    template: str
    values: Mapping[str, object] = field(default_factory=dict)


def layer_names(budget: Budget) -> list[str]:
    """Short names of the layers, different for different layers."""
    return distinct([plain(row.name, unicode=True) for row in budget.layers], NAME)


def whole(names: Sequence[str], index: int) -> str:
    """A name as it is said under the pointer; one without end has its end in the list of names."""
    name = names[index]
    return name if len(name) <= _WHOLE else f"{name[:_WHOLE]}..."
