# SPDX-License-Identifier: Apache-2.0
"""Tensors whose range a single sample, a single channel, or what channels are apart sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mcuplan.calibrate.extremes import Extremes
from mcuplan.ir.graph import Graph

__all__ = ["Outlier", "far_channels", "outlier_channels", "outlier_samples"]

_FEWEST = 10  # samples of which one can be told from the others
_BY_SAMPLE = 4.0  # times: two bits
_BY_CHANNEL = 16.0  # times: four bits
_COVERED = 0.9  # of what was seen, on a grid that does not clip


@dataclass(frozen=True, slots=True)
class Outlier:
    """A tensor by the name the user knows, how many times wider it is, and which channel.

    ``bits`` of its grid; ``end``: an input or output of the model.
    """

    tensor: str
    times: float
    channel: int = 0
    bits: int = 8
    end: bool = False

    @property
    def left(self) -> str:
        """What a usual channel has of the bits."""
        return f"{max(self.bits - math.log2(self.times), 0):.1f} of {self.bits} bits"


def outlier_samples(graph: Graph, seen: Mapping[str, Extremes]) -> tuple[Outlier, ...]:
    """Tensors whose range is far wider for one sample; not where an operator limits it.

    Args:
        graph: with grids.
        seen: what the samples showed, by tensor.
    """
    producers = graph.producers()
    found = {}
    for name, each in seen.items():
        node = producers.get(name)
        limits = node.op.limits([(-math.inf, math.inf)] * len(node.inputs)) if node else (-1, 1)
        bounded = node is not None and all(map(math.isfinite, limits))
        enough = each.samples >= _FEWEST and each.by_sample >= _BY_SAMPLE
        if enough and not bounded and _covers(graph, name, each):
            found[graph.tensor_name(name)] = each.by_sample
    return tuple(Outlier(tensor, times) for tensor, times in found.items())


def outlier_channels(graph: Graph, seen: Mapping[str, Extremes]) -> tuple[Outlier, ...]:
    """Tensors one channel of which is far wider than a usual one; as above."""
    found = {}
    for name, each in seen.items():
        channel, times = each.by_channel
        if times >= _BY_CHANNEL and _covers(graph, name, each):
            found[graph.tensor_name(name)] = (times, channel, *_place(graph, name))
    return tuple(Outlier(tensor, *which) for tensor, which in found.items())


def far_channels(graph: Graph, seen: Mapping[str, Extremes]) -> tuple[Outlier, ...]:
    """Tensors whose channels vary by little of what lies between them, and 0; not one of them."""
    found = {}
    for name, each in seen.items():
        times = each.by_offsets
        if times >= _BY_CHANNEL > each.by_channel[1] and _covers(graph, name, each):
            found[graph.tensor_name(name)] = (times, 0, *_place(graph, name))
    return tuple(Outlier(tensor, *which) for tensor, which in found.items())


def _place(graph: Graph, name: str) -> tuple[int, bool]:
    """Bits of a tensor's grid, and whether it is an end of the model."""
    grid = graph.tensor(name).type.quant
    ends = {port.tensor for port in (*graph.inputs, *graph.outputs)}
    return grid.dtype.bits if grid is not None else 8, name in ends


def _covers(graph: Graph, name: str, each: Extremes) -> bool:
    """Whether the grid holds nearly all that was seen."""
    grid = graph.tensor(name).type.quant
    if grid is None:
        return False
    low, high = grid.ends
    return high - low >= _COVERED * (each.tops[0] - each.bottoms[0])
