# SPDX-License-Identifier: Apache-2.0
"""Ranges of activations: what the graph itself limits, and what was observed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from mcuplan.ir.graph import Graph
from mcuplan.ir.op import NO_CLAMP
from mcuplan.quant.observers import Range

__all__ = ["hard_limits", "hull", "usual_headroom", "widened"]

_REACH = 2.0
"""How far beyond its observed end a range goes to a limit: one bit of resolution at most."""


_FEW_VALUES = 32  # of a sample
_FEW_HEADROOM = 0.2


def usual_headroom(values: int) -> float:
    """Factor by which an observed range is widened, by the values of a tensor in one sample.

    The largest of many hardly differs between samples, that of a few does; and where a few carry
    all that layers behind them learn, cutting one costs much.
    """
    return 1.0 + _FEW_HEADROOM * min(1.0, _FEW_VALUES / max(1, values))


def hard_limits(graph: Graph, inputs: Mapping[str, Range]) -> Mapping[str, Range]:
    """Real values that no activation ever leaves; without end where nothing sets one.

    Args:
        graph: float graph.
        inputs: of model inputs whose values are known to lie in a range, by tensor.
    """
    found = {port.tensor: inputs.get(port.tensor, NO_CLAMP) for port in graph.inputs}
    for name, tensor in graph.tensors.items():
        if tensor.data is not None:
            data = tensor.data
            found[name] = (float(data.min(initial=0)), float(data.max(initial=0)))
    for node in graph.nodes:
        low, high = node.op.limits([found[name] for name in node.inputs])
        # nan comes from infinite limits only: nothing is known then
        ends = (-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high)
        found.update(dict.fromkeys(node.outputs, ends))
    return found


def hull(ranges: Iterable[Range]) -> Range:
    """The smallest range around several."""
    all_ranges: Sequence[Range] = tuple(ranges)
    return min(low for low, _ in all_ranges), max(high for _, high in all_ranges)


def widened(seen: Range, limits: Range, headroom: float) -> Range:
    """The range of a grid: what was observed, widened, and never beyond a limit.

    A limit is itself the end of the range where no more than one bit lies between it and
    what was observed.
    """
    low = _end(-seen[0], -limits[0], headroom)
    return -low, _end(seen[1], limits[1], headroom)


def _end(seen: float, limit: float, headroom: float) -> float:
    wide = max(seen, 0.0) * headroom
    if headroom >= 1.0 and wide * _REACH >= limit:
        return max(limit, 0.0)
    return min(wide, max(limit, 0.0))
