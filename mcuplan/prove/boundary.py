# SPDX-License-Identifier: Apache-2.0
"""Samples at the boundary: real or integer values of the model to the bytes of the C code."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mcuplan.calibrate import Data
from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.types import Array, DType, Quant

__all__ = ["boundary_inputs", "real_inputs", "real_outputs"]


def boundary_inputs(graph: Graph, data: Data) -> Mapping[str, Array]:
    """Integers of every input of an int8 graph, by tensor name: [samples, ...shape[1:]]."""
    return {port.tensor: _integers(graph, port, data.inputs[port.name]) for port in graph.inputs}


def _integers(graph: Graph, port: Port, samples: Array) -> Array:
    kind = graph.tensor(port.tensor).type
    wanted = kind.dtype.value
    if not port.on_grid:
        inner = _signed(kind.quant, kind.dtype)
        values = inner.quantize(samples).astype(np.int16)
    else:
        values = samples.astype(np.int16)
        values -= 128 if port.dtype is DType.UINT8 else 0
    if kind.dtype is DType.UINT8:
        values += 128
    moved = port.from_model(values.astype(wanted))
    return moved.reshape(len(samples) * kind.shape[0], *kind.shape[1:])


def _signed(quant: Quant | None, dtype: DType) -> Quant:
    assert quant is not None
    return Quant.per_tensor(quant.s, quant.z - (128 if dtype is DType.UINT8 else 0))


def real_outputs(graph: Graph, port: Port, values: Array) -> Array:
    """Real values [samples, elements], in the model's order, of integers of the C code."""
    kind = graph.tensor(port.tensor).type
    ordered = port.to_model(values)
    return kind.q.dequantize(ordered.reshape(len(ordered), -1))


def real_inputs(graph: Graph, data: Data) -> Array:
    """Real values [samples, ...] of the first input."""
    port = graph.inputs[0]
    samples = data.inputs[port.name]
    if not port.on_grid:
        return samples
    kind = graph.tensor(port.tensor).type
    return kind.q.dequantize(_integers(graph, port, samples))
