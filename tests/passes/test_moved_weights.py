# SPDX-License-Identifier: Apache-2.0
"""How far weights of 4 bits lie from what they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from mcuplan.ir.graph import Graph, Node, Port, Stored, Tensor
from mcuplan.ir.types import Array, DType, Quant, TensorType
from mcuplan.ops.dense import Dense
from mcuplan.passes.moved_weights import moved_weights


def _graph(real: Array, stored: Stored | None, wanted: DType | None) -> Graph:
    """A matrix alone."""
    kinds = {"x": (1, real.shape[1]), "y": (1, len(real))}
    tensors = {name: Tensor(name, TensorType(s, DType.FLOAT32)) for name, s in kinds.items()}
    for name, data, held in (("w", real, stored), ("b", np.zeros(len(real), np.float32), None)):
        kind = TensorType(data.shape, DType.FLOAT32)
        tensors[name] = Tensor(name, kind, data=data, stored=held, wanted=wanted)
    node = Node("dense", Dense(), ("x", "w", "b"), ("y",))
    ports = [(Port(name, name, kinds[name], DType.FLOAT32),) for name in ("x", "y")]
    return Graph("net", *ports, (node,), tensors)


def test_steps_are_those_of_a_block() -> None:
    """A quarter of a step of the second block, whose factor is 4, is one of the channel."""
    real = np.array([[1.0, -8.0, 7.0, 2.0, 5.0, -32.0, 28.0, 8.0]], np.float32)
    values = np.array([[1, -8, 7, 2, 4, -32, 28, 8]], np.int8)
    quant = Quant((1.0,), (0,), 0, DType.INT4_BLOCKS, factored=4)
    found = moved_weights(_graph(real, Stored(values, quant), DType.INT4_BLOCKS))
    assert found is not None
    assert 0.25 == found.most
    assert pytest.approx(0.25 / np.sqrt(8)) == found.usual


@pytest.mark.parametrize(
    ("dtype", "wanted"), [(DType.INT8, DType.INT4), (None, DType.INT4), (DType.INT4, None)]
)
def test_others_do_not_count(dtype: DType | None, wanted: DType | None) -> None:
    """Of 8 bits, real, or of 4 bits because the file has them."""
    real = np.array([[1.0, 2.5]], np.float32)
    values = np.array([[1, 2]], np.int8)
    stored = None if dtype is None else Stored(values, Quant((1.0,), (0,), 0, dtype))
    assert moved_weights(_graph(real, stored, wanted)) is None
