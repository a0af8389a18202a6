# SPDX-License-Identifier: Apache-2.0
"""Rewrites of the float graph, each exact, and their order."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from mcuplan.ir.graph import Graph
from mcuplan.passes.drop_dead import drop_dead
from mcuplan.passes.fold_batch_norm import fold_batch_norm, merge_affine
from mcuplan.passes.fold_pad import fold_pad
from mcuplan.passes.fold_quantize import fold_quantize
from mcuplan.passes.fuse_activation import fuse_activation
from mcuplan.passes.fuse_lookups import fuse_lookups
from mcuplan.passes.sink_layout import fold_flatten, sink_transposes

__all__ = ["PIPELINE", "Pass", "run"]

Pass = Callable[[Graph], Graph]

PIPELINE: tuple[Pass, ...] = (
    drop_dead,
    sink_transposes,
    fold_flatten,
    merge_affine,
    fold_batch_norm,
    fuse_activation,
    fuse_lookups,
    fold_quantize,
    fold_pad,
)

_ROUNDS = 16
_NOTE = re.compile(r"(\w+): (\d+) (.+)")


def run(graph: Graph, dump_after: Callable[[str, Graph], None] | None = None) -> Graph:
    """Apply the passes in order, again until none of them finds anything.

    Args:
        graph: float32, as imported.
        dump_after: is given the name of each pass that changed something, and the graph
            after it.
    """
    for _ in range(_ROUNDS):
        before = graph
        for apply in PIPELINE:
            after = apply(graph)
            if after is not graph:
                graph = after
                graph.check()
                if dump_after is not None:
                    dump_after(apply.__name__, graph)
        if graph is before:
            break
    notes = _summed(graph.notes)
    return graph if notes == graph.notes else replace(graph, notes=notes)


def _summed(notes: tuple[str, ...]) -> tuple[str, ...]:
    """The notes of all rounds with one line for each thing that was done."""
    counts: dict[tuple[str, str], int] = {}
    others: list[str] = []
    for note in notes:
        found = _NOTE.fullmatch(note)
        if found is None:
            others.append(note)
        else:
            key = (found[1], found[3])
            counts[key] = counts.get(key, 0) + int(found[2])
    return (*others, *(f"{name}: {many} {what}" for (name, what), many in counts.items()))
