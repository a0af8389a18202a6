# SPDX-License-Identifier: Apache-2.0
"""Where rows that lie apart are found: at equal distance, or by a table of 16-bit numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mcuplan.ir.types import DType
from mcuplan.price.structs import POINTER_BYTES
from mcuplan.schedule.assembly.row_reach import spacing
from mcuplan.schedule.program import Plan, Step

__all__ = [
    "RowPlace",
    "RowTable",
    "call_ends",
    "context_bytes",
    "row_table_bytes",
    "rows_apart",
    "run_bytes",
    "scratch_of",
]


@dataclass(frozen=True, slots=True)
class RowTable:
    """A constant array; where it has no numbers there is none."""

    numbers: tuple[int, ...] = ()
    dtype: DType = DType.UINT16  # as the kernels read tables of rows

    @property
    def nbytes(self) -> int:
        """Bytes in flash."""
        return self.dtype.nbytes(len(self.numbers))

    def __bool__(self) -> bool:
        return bool(self.numbers)


@dataclass(frozen=True, slots=True)
class RowPlace:
    """Row y lies at ``base + (table[y] if table else y) * stride`` of a region.

    The stride of a table is the largest number that divides all distances: small entries.
    """

    region: str
    base: int
    stride: int
    table: RowTable = RowTable()


def rows_apart(plan: Plan) -> Mapping[str, RowPlace]:
    """Where the rows of the activations lie that are not in one piece.

    Raises:
        InputTooLarge: they lie further apart than a table can say.
    """
    return {name: _rows(plan, name) for name, slots in plan.allocation.rows.items() if slots[1:]}


def _rows(plan: Plan, tensor: str) -> RowPlace:
    addresses = plan.row_addresses(tensor)
    (region,) = {region for region, _ in addresses}
    where = plan.program.graph.tensor_name(tensor)
    return _place(region, [offset for _, offset in addresses], where)


def _place(region: str, offsets: Sequence[int], where: str) -> RowPlace:
    apart = spacing(offsets, where)
    return RowPlace(region, apart.base, apart.stride, RowTable(apart.numbers))


def scratch_of(plan: Plan) -> Mapping[int, RowPlace]:
    """By step: where its scratch lies when a run begins with row y."""
    by_row: dict[int, dict[int, tuple[str, int]]] = {}
    for number, name in plan.allocation.scratch.items():
        run = plan.runs[number]
        by_row.setdefault(run.step, {})[run.first] = plan.places[name]
    return {step: _scratch(plan.program.steps[step], by_row[step], plan) for step in sorted(by_row)}


def _scratch(step: Step, places: Mapping[int, tuple[str, int]], plan: Plan) -> RowPlace:
    (region,) = {region for region, _ in places.values()}
    offsets, last = [], 0
    for row in range(max(places) + 1):
        last = places[row][1] if row in places else last
        offsets.append(last)
    place = _place(region, offsets, plan.program.graph.node_name(step.node))
    small = max(place.table.numbers, default=0) < 2**8  # no kernel reads this table
    return replace(place, table=RowTable(place.table.numbers, DType.UINT8)) if small else place


def run_bytes(plan: Plan) -> int:
    """Bytes of one entry of the table of runs: step, first row and end; 0 without a table."""
    if plan.is_straight:
        return 0
    largest = max((max(run.first, run.end) for run in plan.runs), default=0)
    small = max(largest, len(plan.cases)) < 2**8 - 1
    return 3 if small else 6


def call_ends(plan: Plan) -> RowTable:
    """Numbers of the runs before which the calls from the last row on end; empty where one does."""
    return RowTable((*plan.pauses, len(plan.runs))) if plan.pauses else RowTable()


def row_table_bytes(plan: Plan) -> int:
    """Flash that tables of rows and runs take, besides what every step has."""
    tables = {place.table for place in (*rows_apart(plan).values(), *scratch_of(plan).values())}
    numbers = sum(table.nbytes for table in tables) + call_ends(plan).nbytes
    return run_bytes(plan) * len(plan.runs) + numbers


def context_bytes(plan: Plan) -> int:
    """Size of the context: a pointer to each arena; how far a fed input has come."""
    progress = 4 if plan.fed_rows else 0
    return POINTER_BYTES * len(plan.memory) + progress
