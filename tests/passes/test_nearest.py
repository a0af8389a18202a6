# SPDX-License-Identifier: Apache-2.0
"""Nearest points are found as in float32, and only their distances are in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nets import Net
from onnx import TensorProto

from mcuplan import pipeline
from mcuplan.calibrate import read_data
from mcuplan.facts import InType
from mcuplan.importer import load_model
from mcuplan.passes import run
from mcuplan.passes.nearest import nearest
from mcuplan.prove.evidence import against_runtime
from mcuplan.record import Request
from mcuplan.targets import load_target


def _distances(net: Net, norm: str) -> str:
    points = np.random.default_rng(2).normal(size=(200, 4)).astype(np.float32)
    apart = net.add("Sub", "x", net.const(points))
    if norm == "Mul":
        squares = net.add("Mul", apart, apart)
        return net.add("ReduceSum", squares, net.const([1], np.int64), keepdims=0)
    return net.add(norm, apart, axes=[1], keepdims=0)


@pytest.mark.parametrize("norm", ["ReduceSumSquare", "ReduceL2", "ReduceL1", "Mul"])
def test_neighbours_are_those_of_float32(norm: str, tmp_path: Path) -> None:
    """Of 200 points the same is nearest."""
    net = Net((1, 4))
    far = _distances(net, norm)
    best = net.add("Cast", net.add("ArgMin", far, axis=0), to=TensorProto.FLOAT)
    path = tmp_path / "net.onnx"
    path.write_bytes(net.model(best).SerializeToString())
    np.savez(tmp_path / "data.npz", x=net.rng.normal(size=(60, 4)).astype(np.float32))
    request = Request(path, load_target("cortex-m4"), calibration=tmp_path / "data.npz")
    planned = pipeline.plan(request)
    assert any(isinstance(note, InType) for note in planned.floating.notes)
    data = read_data(tmp_path / "data.npz", planned.model.graph.inputs)
    seen = against_runtime(path, planned.removal.whole, data, quantized=False)
    assert seen.outputs[0].sqnr_db is None
    assert not seen.findings


def test_other_choices_stay_on_grids(tmp_path: Path) -> None:
    """Scores less a constant, and a reduction of what no constant is taken from."""
    net = Net((1, 3, 8))
    scores = net.add("Sub", "x", net.const(np.arange(8.0)))
    least = net.add("ArgMin", scores, axis=2)
    summed = net.add("ArgMin", net.add("ReduceSumSquare", "x", axes=[1], keepdims=0), axis=1)
    names = [net.add("Cast", name, to=TensorProto.FLOAT) for name in (least, summed)]
    path = tmp_path / "net.onnx"
    path.write_bytes(net.model(*names).SerializeToString())
    graph = run(load_model(path).graph)
    assert not nearest(graph)
