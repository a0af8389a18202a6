# SPDX-License-Identifier: Apache-2.0
"""Global averages that take their input row by row."""

from __future__ import annotations

import numpy as np
import pytest

from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph, Node, Port, Tensor
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.ops.row_sum import MeanOfSum, RowSum
from mcuplan.passes.gather_rows import gather_rows

GRID = Quant.per_tensor(0.1, 5)


def _pooled(op: AvgPool2D, shape: tuple[int, ...], output: Quant) -> Graph:
    source = TensorType(shape, DType.INT8, GRID)
    made = TensorType(op.infer([source])[0].shape, DType.INT8, output)
    return Graph(
        "pooled",
        (Port("x", "x", shape, DType.FLOAT32),),
        (Port("y", "y", made.shape, DType.FLOAT32),),
        (Node("pool", op, ("x",), ("y",), "Pool"),),
        {"x": Tensor("x", source), "y": Tensor("y", made)},
    )


@pytest.mark.parametrize("output", [GRID, Quant.per_tensor(0.1, -7), Quant.per_tensor(0.03, 0)])
@pytest.mark.parametrize(
    "op",
    [
        AvgPool2D((4, 3)),
        AvgPool2D((4, 3), divide=False),
        AvgPool2D((6, 3), pads=(1, 0, 1, 0), counted=(1, 0, 1, 0)),
        AvgPool2D((6, 5), pads=(1, 1, 1, 1)),
    ],
)
def test_gathered_averages_are_those_of_the_pool(op: AvgPool2D, output: Quant) -> None:
    """Sums and their division give the bytes of the pool, on one grid and between two."""
    graph = _pooled(op, (1, 4, 3, 300), output)
    gathered = gather_rows(graph)
    gathered.check()
    assert [RowSum, MeanOfSum] == [type(node.op) for node in gathered.nodes]
    x = np.random.default_rng(1).integers(-128, 128, (2, 4, 3, 300)).astype(np.int8)
    wanted, found = (evaluate(g, {"x": x})["y"] for g in (graph, gathered))
    assert wanted.dtype == found.dtype == np.int8
    assert wanted.tolist() == found.tolist()


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (AvgPool2D((2, 3)), (1, 4, 3, 2)),
        (AvgPool2D((4, 1)), (1, 4, 3, 2)),
        (AvgPool2D((1, 3)), (1, 1, 3, 2)),
        (AvgPool2D((2, 3), (9, 9)), (1, 4, 3, 2)),
    ],
)
def test_other_pools_stay(op: AvgPool2D, shape: tuple[int, ...]) -> None:
    """A window that leaves rows or columns out, and a single row, are no sums over rows."""
    graph = _pooled(op, shape, GRID)
    assert graph is gather_rows(graph)
