# SPDX-License-Identifier: Apache-2.0
"""What a classifier gets right, in float and as the generated code computes it."""

from __future__ import annotations

from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array
from mcuplan.passes.lower import lower

__all__ = ["integer_outputs", "right"]


def right(outputs: Array, labels: Array) -> float:
    """Percent of samples whose largest score, of equals the first, is that of the label."""
    return 100.0 * float((outputs.argmax(axis=1) == labels).mean())


def integer_outputs(graph: Graph, inputs: Array) -> Array:
    """What the generated code gives, sample by sample."""
    low = lower(graph, None).graph
    (source,), (made,) = low.app_inputs, low.app_outputs
    kind = low.tensor(source.tensor).type
    real = source.from_model(inputs).reshape(-1, *kind.shape[1:])
    feeds = {source.tensor: real if kind.quant is None else kind.q.quantize(real)}
    values = evaluate(low, feeds)[made.tensor]
    output = low.tensor(made.tensor).type
    real = values if output.quant is None else output.q.dequantize(values)
    return real.reshape(len(inputs), -1)
