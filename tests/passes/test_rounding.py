# SPDX-License-Identifier: Apache-2.0
"""Weights are rounded so that their errors cancel where inputs are alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nets import Net

from mcuplan.importer import load_model
from mcuplan.ir.types import DType
from mcuplan.passes import run
from mcuplan.passes.assign_grids import assign_grids, needs_range
from mcuplan.passes.narrow_weights import narrow_weights
from tests.importer.onnx_files import save


@pytest.mark.parametrize("dtype", [DType.INT8, DType.INT4])
@pytest.mark.parametrize(("channels", "group"), [(8, 1), (1, 1), (8, 8)])
def test_errors_of_an_output_sum_to_half_a_step(
    tmp_path: Path, dtype: DType, channels: int, group: int
) -> None:
    """Every weight is less than a step off, all of an output together at most half a step."""
    net = Net((1, channels, 6, 6))
    weights = net.rng.uniform(-1, 1, (8, channels // group, 3, 3)).astype(np.float32)
    y = net.add("Conv", "x", net.const(weights), group=group)
    graph = run(load_model(save(tmp_path, net.model(y))).graph)
    graph = narrow_weights(graph, {"": dtype})
    made = assign_grids(graph, dict.fromkeys(needs_range(graph), (-1.0, 1.0))).graph
    (node,) = (n for n in made.nodes if n.op.weight_inputs)
    stored = made.tensor(node.inputs[1]).stored
    assert stored is not None
    assert dtype is stored.quant.dtype
    real = graph.tensor(node.inputs[1]).data.astype(np.float64)
    scales = np.array(stored.quant.scale).reshape(-1, *[1] * (real.ndim - 1))
    widest = (np.abs(stored.values) == dtype.high) & (dtype is DType.INT4)  # cut on purpose
    error = np.where(widest, 0.0, stored.values - real / scales)
    assert np.abs(error).max() < 1.0
    kept = ~widest.reshape(8, -1).any(axis=1)
    assert np.abs(error.reshape(8, -1).sum(axis=1))[kept].max(initial=0.0) <= 0.5 + 1e-3
