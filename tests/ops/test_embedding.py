# SPDX-License-Identifier: Apache-2.0
"""Indices that are computed while the model runs, from file to C code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from mcuplan.ir.types import DType

from .host_proof import proves
from .onnx_cases import model, node


def ints(*values: int) -> Any:
    """A list of integers."""
    return np.array(values, np.int64)


TABLE = np.random.default_rng(4).normal(size=(9, 4)).astype(np.float32)
TABLE[8] = 50.0  # no index is that large
SHAPE = {"x": (1, 6, 5)}


def _indices(real: bool, keep: bool) -> list[Any]:
    """Nodes that make "i" (1, 6), or (1, 6, 1), each below 5: a first value cut, or a choice."""
    if not real:
        return [node("ArgMax", "x", "i", axis=2, keepdims=int(keep))]
    cut = node("Slice", "x from to axis", "c")
    shaped = [] if keep else [node("Squeeze", "c axis", "flat")]
    return [cut, *shaped, node("Cast", "c" if keep else "flat", "i", to=TensorProto.INT64)]


def _models(real: bool) -> dict[str, Any]:
    index, kept = _indices(real, False), _indices(real, True)
    pairs = [*kept, node("Concat", "i i", "p", axis=2)]
    ends = {"from": ints(0), "to": ints(1), "axis": ints(2)}
    made: dict[str, tuple[list[Any], dict[str, Any]]] = {
        "embedding": ([*index, node("Gather", "t i", axis=0)], {"t": TABLE}),
        "columns": ([*index, node("Gather", "t i", axis=1)], {"t": TABLE.T.copy()}),
        "of an activation": ([*index, node("Gather", "x i", axis=2)], {}),
        "elements": ([*kept, node("GatherElements", "x i", axis=2)], {}),
        "tuples": ([*pairs, node("GatherND", "t p")], {"t": TABLE[:5].repeat(2, 1)}),
        "embedding and a matrix": (
            [*index, node("Gather", "t i", "e", axis=0), node("MatMul", "e w")],
            {"t": TABLE, "w": TABLE[:4, :3]},
        ),
        "put": (
            [*kept, node("ScatterElements", "x i v", axis=2)],
            {"v": np.full((1, 6, 1), 2.5, np.float32)},
        ),
        "added": (
            [*pairs, node("ScatterND", "t p v", reduction="add")],
            {"t": np.zeros((6, 6), np.float32), "v": np.ones((1, 6), np.float32)},
        ),
        "one of five": (
            [*index, node("OneHot", "i d v", axis=1)],
            {"d": np.int64(5), "v": np.float32([-1, 1])},
        ),
    }
    return {n: model(nodes, SHAPE, {**ends, **held}, 18) for n, (nodes, held) in made.items()}


REAL, ON_GRIDS = _models(True), _models(False)


@pytest.mark.parametrize("name", REAL)
def test_in_float32(name: str, tmp_path: Path, host_gcc: str) -> None:
    """Values at computed indices are those of ONNX Runtime."""
    _, (output,) = proves(tmp_path, REAL[name], low=0.0, high=4.99, dtype=DType.FLOAT32)
    np.testing.assert_allclose(output.ours, output.runtime, 1e-5, 1e-6)


@pytest.mark.parametrize("name", ON_GRIDS)
def test_in_int8(name: str, tmp_path: Path, host_gcc: str) -> None:
    """The same on a grid, up to indices that int8 does not tell apart."""
    _, (output,) = proves(tmp_path, ON_GRIDS[name], low=-100.0, high=100.0)
    near = np.abs(output.ours - output.runtime) <= max(1.01 * output.scale, 0.5)
    assert 0.9 < near.mean()


def test_the_grid_holds_what_was_never_picked(tmp_path: Path, host_gcc: str) -> None:
    """No value of a table is cut off because calibration did not see its index."""
    planned, _ = proves(tmp_path, ON_GRIDS["embedding"])
    (port,) = planned.integer.outputs
    assert planned.integer.tensor(port.tensor).type.q.ends[1] >= 50.0
