# SPDX-License-Identifier: Apache-2.0
"""Models of float16: what they are compared with is computed in float32, as they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, numpy_helper
from onnx_files import model, node, save, value

from mcuplan.calibrate import Runtime
from mcuplan.importer.onnx import load_model
from mcuplan.importer.taps import tapped_model
from mcuplan.ir.evaluate import evaluate


def test_numbers_stay_and_sums_are_float32(tmp_path: Path) -> None:
    """Weights, a constant, a cast and both ports; each sum of halves would be 60 dB off."""
    rng = np.random.default_rng(1)
    half = numpy_helper.from_array(rng.normal(size=8).astype(np.float16), "half")
    nodes = [
        node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        node("MatMul", ["h", "w"], ["m"]),
        node("Constant", [], ["c"], value=half),
        node("Add", ["m", "c"], ["y"]),
    ]
    weights = rng.normal(size=(64, 8)).astype(np.float16)
    outputs = [value("y", (1, 8), TensorProto.FLOAT16)]
    path = save(tmp_path, model(nodes, [value("x", (1, 64))], outputs, {"w": weights}))
    made, _, _ = tapped_model(path, [], ["y"])
    x = rng.normal(size=(1, 64)).astype(np.float32)
    (theirs,) = Runtime(made, optimize=False).run({"x": x})
    assert theirs.dtype == np.float32
    graph = load_model(path).graph
    ours = evaluate(graph, {graph.inputs[0].tensor: x})[graph.outputs[0].tensor]
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5)
