# SPDX-License-Identifier: Apache-2.0
"""Matrices of integers whose results a quantized model does not round."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ops.dense import Dense
from mcuplan.ops.dense_real import MOST_INPUTS, DenseReal
from mcuplan.passes.assign_grids import grids_in_model
from mcuplan.passes.constants import kept_weights

__all__ = ["real_ends"]


def real_ends(graph: Graph, bare: Collection[str]) -> Graph:
    """Let sums of integers be integers where their results are real.

    Pattern: Dense of values on a grid of int8 by integers of 8 bits or less, its result on none.
    Becomes: DenseReal, whose result is in float32.
    Only if: sums stay in int32.
    Exact because: products and sums of integers are, and float32 rounds each sum twice at most.

    Args:
        graph: of a quantized model, before grids.
        bare: tensors that the model puts on no grid.
    """
    edit, grids = Editor(graph), grids_in_model(graph)
    for node in edit.nodes():
        if not isinstance(node.op, Dense) or node.output not in bare:
            continue
        source = grids.get(node.inputs[0])
        if source is not None and source.dtype is DType.INT8:
            _become(edit, node, node.op)
    return edit.done()


def _become(edit: Editor, node: Node, op: Dense) -> None:
    weights, bias = (edit.tensor(name) for name in node.inputs[1:])
    kept = kept_weights(weights)
    if kept is None or bias.data is None or weights.type.shape[1] >= MOST_INPUTS:
        return
    if not DType.INT8.holds(kept.values):
        return
    scales = np.broadcast_to(np.array(kept.quant.scale, np.float32), bias.data.shape)
    names = [
        _constant(edit, f"{node.output}_integers", kept.values.astype(np.int8)),
        _constant(edit, f"{node.output}_scales", scales),
        _constant(edit, f"{node.output}_bias", bias.data.astype(np.float32)),
    ]
    edit.set_tensor(replace(edit.tensor(node.output), real=True))
    edit.replace(node, replace(node, op=DenseReal(op.act), inputs=(node.inputs[0], *names)))


def _constant(edit: Editor, stem: str, data: Array) -> str:
    dtype = DType.of(data)
    kind = TensorType(data.shape, dtype)
    own = np.array(data, order="C")
    return edit.set_tensor(Tensor(edit.fresh(stem), kind, own, real=dtype.is_float))
