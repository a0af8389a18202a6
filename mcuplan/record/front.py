# SPDX-License-Identifier: Apache-2.0
"""What no other of many models beats: a Pareto front and what it was found among."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Choice", "Front", "FrontOf", "Objective"]


@dataclass(frozen=True, slots=True)
class Objective:
    """A figure that models are compared by.

    Attributes:
        name: in words.
        column: of the table.
        unit: B, s, J, cycles, % or none.
        most: whether the most is best, and not the least.
    """

    name: str
    column: str
    unit: str
    most: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A row of the table.

    Attributes:
        row: of the table, from 1.
        model: path, or name, as the table has it.
        told: values of the columns that tell rows apart.
        values: by objective.
        colour: the figure that points are coloured by; None: the row has none.
        placeholder: whether weights are placeholders.
    """

    row: int
    model: str
    told: tuple[str, ...]
    values: tuple[float, ...]
    colour: float | None = None
    placeholder: bool = False


@dataclass(frozen=True, slots=True)
class FrontOf:
    """Rows that are compared with one another.

    Attributes:
        name: what they have in common; empty: all rows of the table.
        front: those that no other is better than, and none as good in all and better in one.
        beaten: all others, in the order of the table.
    """

    name: str
    front: tuple[Choice, ...]
    beaten: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Front:
    """A table's fronts.

    Attributes:
        file: the table.
        objectives: x, y, and what else was asked for.
        colour: what points are coloured by.
        told: columns, beside the model, that tell rows apart.
        by: the column that parts them.
        groups: each with its own front.
        left_out: why rows were not compared, and how many for each reason.
        notes: what else is to be known.
    """

    schema: str
    tool_version: str
    file: str
    objectives: tuple[Objective, ...]
    colour: Objective | None
    told: tuple[str, ...]
    by: str
    groups: tuple[FrontOf, ...]
    left_out: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]
