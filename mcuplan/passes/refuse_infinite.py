# SPDX-License-Identifier: Apache-2.0
"""Infinite constants hide keys of an attention; elsewhere nothing computes with them."""

from __future__ import annotations

import numpy as np

from mcuplan.errors import NonFiniteWeights
from mcuplan.ir.graph import Graph
from mcuplan.ops.choice import Where
from mcuplan.ops.eltwise import Add

__all__ = ["refuse_infinite"]


def refuse_infinite(graph: Graph) -> None:
    """Look at what sums and choices read once attention has taken its masks.

    Raises:
        NonFiniteWeights: a constant is infinite.
    """
    for node in graph.nodes:
        if not isinstance(node.op, Add | Where):
            continue
        for name in node.inputs:
            data = graph.tensor(name).data
            if data is not None and data.dtype.kind == "f" and np.isinf(data).any():
                raise NonFiniteWeights(
                    f"constant {graph.tensor_name(name)!r} holds infinity",
                    graph.node_name(node),
                    "use a large number in its place, such as -1e4",
                )
