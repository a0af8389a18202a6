# SPDX-License-Identifier: Apache-2.0
"""States of a model that a runtime computes: from call to call by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.types import Array

__all__ = ["RuntimeStates"]


class RuntimeStates:
    """What the next call finds in the inputs that are states: zeros at first."""

    def __init__(self, graph: Graph) -> None:
        """Before the first call; ``graph`` says what is a state, and on which grid it lies."""
        self._states, self._outputs = graph.states, graph.outputs
        self.feeds = {s.name: _zeros(graph, s.read) for s in self._states}

    def update(self, outputs: Sequence[Array]) -> None:
        """Take over what a call gave: its outputs, in the order of the graph's, and more."""
        for state in self._states:
            value = outputs[self._outputs.index(state.written)]
            self.feeds[state.name] = value.reshape(state.read.shape)


def _zeros(graph: Graph, port: Port) -> Array:
    """Real 0 as the model's input has it."""
    kind = graph.tensor(port.tensor).type
    if port.on_grid and kind.quant is not None:
        return np.full(port.shape, kind.q.stored_as(port.dtype).z, port.dtype.numpy)
    return np.zeros(port.shape, kind.dtype.numpy)
