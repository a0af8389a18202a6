# SPDX-License-Identifier: Apache-2.0
"""Layers as a CSV table: ``id,rows,row_bytes,reads,kernel,stride`` in, runs of rows out.

A line makes a tensor of ``rows``. Row y reads rows ``y * stride`` to ``y * stride + kernel`` of
the tensor of a line above that ``reads`` names, padded alike above and below; without ``reads``
rows arrive one by one. What nobody reads stays. The answer is one line a run: steps make their
rows in this order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from mcuplan.errors import DataError
from mcuplan.solvers.csv_file import csv_lines, csv_text, number, read_text
from mcuplan.solvers.rows.order import STATES, find_row_order
from mcuplan.solvers.rows.problem import Move, RowGraph, RowOrder, RowStep, RowTensor

__all__ = ["row_order_csv"]

_COLUMNS = ("id", "rows", "row_bytes", "reads", "kernel", "stride")
_MOST_ROWS = 10_000  # of all layers
_MOST_BYTES = 1 << 20
_MOST_CELLS = 1 << 22  # layers times rows: what tables hold
_USUAL_LAYERS = 64  # of more, a state takes so much longer that fewer are looked at
_Layer = tuple[int, int, str, int, int]


def _layer(row: Mapping[str, str]) -> _Layer:
    rows, row_bytes = number(row, "rows", 1, _MOST_ROWS), number(row, "row_bytes", 0, _MOST_BYTES)
    kernel, stride = (number(row, key, 1, _MOST_ROWS, "1") for key in ("kernel", "stride"))
    return rows, row_bytes, row["reads"].strip(), kernel, stride


def _moves(rows: int, source: int, above: int, kernel: int, stride: int) -> Iterator[Move]:
    """What every row reads of the ``above`` rows of a tensor."""
    top = max((rows - 1) * stride + kernel - above, 0) // 2
    for y in range(rows):
        first = min(max(y * stride - top, 0), above)
        end = min(max(y * stride - top + kernel, first), above)
        yield Move(((source, first, end),) if source >= 0 else (), y + 1)


def _graph(text: str, file: str) -> RowGraph:
    layers = csv_lines(text, file, _COLUMNS, (), _layer)
    if sum(rows for rows, *_ in layers.values()) > _MOST_ROWS:
        raise DataError(f"has more than {_MOST_ROWS:,} rows in all", file, "split the table")
    if len(layers) * sum(rows for rows, *_ in layers.values()) > _MOST_CELLS:
        raise DataError(f"has more than {_MOST_CELLS:,} layers times rows", file, "split the table")
    place = {name: at for at, name in enumerate(layers)}
    read = {reads for _, _, reads, _, _ in layers.values()}
    tensors: list[RowTensor] = []
    steps: list[RowStep] = []
    for name, (rows, row_bytes, reads, kernel, stride) in layers.items():
        source = place.get(reads, len(place)) if reads else -1
        if source >= place[name]:
            reason = f"{name[:40]!r} reads {reads[:40]!r}, which no line above makes"
            raise DataError(reason, file, "put every layer below the one that it reads")
        above = tensors[source].rows if reads else 0
        tensors.append(RowTensor(name, rows, row_bytes, lasts=name not in read))
        moves = tuple(_moves(rows, source, above, kernel, stride))
        steps.append(RowStep(name, place[name], moves))
    return RowGraph(tuple(tensors), tuple(steps))


def row_order_csv(path: Path) -> tuple[str, RowOrder]:
    """Runs of rows in the order with the least peak, and what is known of it.

    Raises:
        UsageError, DataError, Problems: the file is no such table.
    """
    graph = _graph(read_text(path), path.name)
    states = STATES * _USUAL_LAYERS // max(_USUAL_LAYERS, len(graph.steps))
    order = find_row_order(graph, states=states)
    runs = ((graph.steps[step].name, len(list(run))) for step, run in groupby(order.moves))
    return csv_text(("id", "rows"), runs), order
