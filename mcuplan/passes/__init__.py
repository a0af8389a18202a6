# SPDX-License-Identifier: Apache-2.0
"""Rewrites of the float graph, each exact, and their order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mcuplan.ir.graph import Graph
from mcuplan.passes.drop_dead import drop_dead
from mcuplan.passes.fold_batch_norm import fold_batch_norm, merge_affine
from mcuplan.passes.fold_pad import fold_pad
from mcuplan.passes.fold_quantize import fold_quantize
from mcuplan.passes.fuse_activation import fuse_activation
from mcuplan.passes.fuse_attention import fuse_attention
from mcuplan.passes.fuse_channel_lookups import fuse_channel_lookups
from mcuplan.passes.fuse_gate import fuse_gate
from mcuplan.passes.fuse_lookups import fuse_lookups
from mcuplan.passes.join_choices import join_choices
from mcuplan.passes.join_lookups import join_lookups
from mcuplan.passes.last_state import last_state
from mcuplan.passes.lower_affine import lower_affine
from mcuplan.passes.narrow_indices import narrow_indices
from mcuplan.passes.pad_grids import pad_grids
from mcuplan.passes.refuse_infinite import refuse_infinite
from mcuplan.passes.sink_layout import fold_flatten, sink_transposes
from mcuplan.passes.split_dense import split_dense

__all__ = ["LAST", "PIPELINE", "Pass", "run"]

Pass = Callable[[Graph], Graph]

PIPELINE: tuple[Pass, ...] = (
    drop_dead,
    last_state,
    sink_transposes,
    fold_flatten,
    merge_affine,
    fold_batch_norm,
    fuse_activation,
    fold_quantize,
    split_dense,
    fuse_attention,
    fuse_gate,
    fuse_lookups,
    fold_pad,
    narrow_indices,
)

LAST: tuple[Pass, ...] = (
    join_lookups,
    fuse_channel_lookups,
    lower_affine,
    join_choices,
    pad_grids,
)
"""Passes that take what the others left; the others run again after them."""

_ROUNDS = 16


def run(graph: Graph, dump_after: Callable[[str, Graph], None] | None = None) -> Graph:
    """Apply the passes in order, again until none of them finds anything; then the last ones.

    Args:
        graph: float32, as imported.
        dump_after: is given the name of each pass that changed something, and the graph
            after it.

    Raises:
        NonFiniteWeights: a constant is infinite and hides no keys.
    """
    done = dump_after or _silent
    with np.errstate(all="ignore"):  # what becomes of constants is looked at, not printed
        simplified = _settle(graph, PIPELINE, done)
        refuse_infinite(simplified)
        graph = _settle(simplified, LAST, done)
        if graph is not simplified:
            graph = _settle(graph, PIPELINE, done)
    return graph


def _settle(graph: Graph, passes: tuple[Pass, ...], done: Callable[[str, Graph], None]) -> Graph:
    """Apply passes in turn until each of them finds nothing in what the others left."""
    unchanged = 0
    for apply in passes * _ROUNDS:
        if unchanged == len(passes):
            break
        after = apply(graph)
        unchanged += 1
        if after is not graph:
            graph, unchanged = after, 0
            graph.check()
            done(apply.__name__, graph)
    return graph


def _silent(name: str, graph: Graph) -> None:
    """Nobody wants to see the graph."""
