# SPDX-License-Identifier: Apache-2.0
"""How far weights of 4 bits lie from the real values that they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuplan.ir.block_factors import factors_of_all
from mcuplan.ir.graph import Graph, Tensor
from mcuplan.ir.types import Array, DType

__all__ = ["MovedWeights", "moved_weights"]


@dataclass(frozen=True, slots=True)
class MovedWeights:
    """Distances in steps of each weight, which are those of its block: the largest, and usual.

    ``usual``: root of the mean square; of weights that lie anywhere it is 0.29.
    """

    most: float
    usual: float


def moved_weights(graph: Graph) -> MovedWeights | None:
    """Of all weights of a graph on grids that were to have 4 bits; None: it has none.

    Those that have 4 bits in the model file alone are what they were.
    """
    names = {node.inputs[i] for node in graph.nodes for i in node.op.weight_inputs[:1]}
    found = [steps for name in sorted(names) if (steps := _off(graph.tensor(name))) is not None]
    if not found:
        return None
    every = np.concatenate(found)
    return MovedWeights(float(np.abs(every).max(initial=0.0)), float(np.sqrt((every**2).mean())))


def _off(weights: Tensor) -> Array | None:
    """Steps that each weight is off; None where they are no integers of 4 bits."""
    stored, real = weights.stored, weights.data
    if stored is None or real is None or not real.size:
        return None
    quant, values = stored.quant, stored.values.astype(np.float64)
    narrow = (DType.INT4, DType.INT4_BLOCKS)
    if weights.wanted not in narrow or quant.dtype not in narrow or quant.axis not in (None, 0):
        return None
    scales = np.array(quant.scale).reshape(-1, *[1] * (real.ndim - 1))
    factors = factors_of_all(stored.values, quant.factored) if quant.factored else None
    off: Array = (values - real / scales) / (1.0 if factors is None else factors)
    return off.reshape(-1)
