# SPDX-License-Identifier: Apache-2.0
"""Ranges fitted tensor by tensor: what is cut off is rare, what is left has finer steps.

Nothing is asked but that the outputs stay those of the float model: no labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

from mcuplan.calibrate import Data
from mcuplan.calibrate.held_back import Judge
from mcuplan.errors import AccumulatorOverflow, ScaleError
from mcuplan.ir.graph import Graph
from mcuplan.passes.assign_grids import one_grid
from mcuplan.quant.observers import Range

__all__ = ["narrowed"]

_SAMPLES = 16  # that outputs are compared on
_FEWEST = 4  # on which they say something
_SHARES = (1.5, 0.7, 0.4, 0.1, 0.02)  # of a range
_LOWER = (0.5, 0.1)  # of its part below 0
_LEAST_GAIN_DB = 0.5
_WORK = 1 << 34  # multiplications of all comparisons together


def narrowed(
    graph: Graph,
    ranges: Mapping[str, Range],
    to_grids: Callable[[Mapping[str, Range]], Graph],
    data: Data,
    samples: Sequence[int],
) -> Mapping[str, Range]:
    """Ranges at which the outputs err less; inputs and outputs keep theirs.

    Args:
        graph: float, after the passes.
        ranges: observed, by tensor.
        to_grids: the graph with a grid for each range.
        data: the samples.
        samples: those to compare outputs on, by index.
    """
    ends = {port.tensor for port in (*graph.inputs, *graph.outputs)}
    together = one_grid(graph)
    found, seen = dict(ranges), set(ends)
    groups = []
    for name in ranges:
        members = [each for each in together.get(name, (name,)) if each in ranges]
        if not seen.intersection(members):
            groups.append(members)
        seen.update(members)
    chosen = _chosen(graph, samples, len(groups))
    if not groups or not chosen:
        return MappingProxyType(found)
    judge = Judge(graph, data, chosen)

    def errors(tried: Mapping[str, Mapping[str, Range]]) -> Mapping[str, float]:
        graphs = {}
        for key, each in tried.items():
            with suppress(ScaleError, AccumulatorOverflow):  # too narrow for the layer
                graphs[key] = to_grids(each)
        return judge.errors(graphs)

    best = errors({"": found})[""]
    for members in groups:
        tried = {
            key: {**found, **{name: cut(ranges[name]) for name in members}}
            for key, cut in _cuts(ranges[members[0]])
        }
        gained = errors(tried)
        key = max(gained, key=lambda each: gained[each], default="")
        if gained.get(key, -math.inf) >= best + _LEAST_GAIN_DB:
            found, best = tried[key], gained[key]
    return MappingProxyType(found)


def _cuts(seen: Range) -> Iterator[tuple[str, Callable[[Range], Range]]]:
    """Smaller ranges: both ends nearer to 0, or the lower one."""
    for share in _SHARES:
        yield f"both {share}", lambda r, s=share: (r[0] * s, r[1] * s)  # type: ignore[misc]
    if seen[0] < 0.0 < seen[1]:
        for share in _LOWER:
            yield f"lower {share}", lambda r, s=share: (r[0] * s, r[1])  # type: ignore[misc]


def _chosen(graph: Graph, samples: Sequence[int], groups: int) -> Sequence[int]:
    """Samples to compare on, evenly; none where that would take too long."""
    macs = sum(graph.signature(node).cost.macs for node in graph.nodes)
    runs = max(1, groups) * (len(_SHARES) + len(_LOWER) + 1)
    count = min(_SAMPLES, _WORK // max(1, 2 * macs * runs), len(samples))
    return samples[:: -(-len(samples) // count)] if count >= _FEWEST else ()
