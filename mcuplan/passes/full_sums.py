# SPDX-License-Identifier: Apache-2.0
"""Layers whose int32 sums are proved to stay below the limit, but not by much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuplan.ir.graph import Graph
from mcuplan.ir.op import QuantRule
from mcuplan.quant.requantize import sums_by_sign

__all__ = ["FullSums", "full_sums"]

_LIMIT = 1 << 31
_FULL = 0.5  # of the limit: one bit is left


@dataclass(frozen=True, slots=True)
class FullSums:
    """A layer, the channel whose sum can become largest, and its share of what int32 holds."""

    node: str
    channel: int
    share: float


def full_sums(graph: Graph) -> tuple[FullSums, ...]:
    """Every such layer of a graph whose constants have their integers, in order."""
    found = []
    for node in graph.nodes:
        source = graph.tensor(node.inputs[0]).type.quant if node.inputs else None
        if node.op.quant_rule is not QuantRule.WEIGHTED or source is None:
            continue
        if source.dtype.bits > 8:  # summed in 64 bits where 32 are not enough
            continue
        weights, bias = (graph.tensor(node.inputs[i]).stored for i in node.op.weight_inputs)
        if weights is None or bias is None:
            continue
        up, down = sums_by_sign(weights.values)
        folded = bias.values.astype(np.int64) - source.z * (up + down)
        reach = np.abs(folded) + source.dtype.reach * (up - down)
        channel = int(np.argmax(reach)) if reach.size else 0
        if reach.size and reach[channel] >= _FULL * _LIMIT:
            found.append(FullSums(graph.node_name(node), channel, float(reach[channel] / _LIMIT)))
    return tuple(found)
