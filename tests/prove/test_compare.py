# SPDX-License-Identifier: Apache-2.0
"""Layers of a quantized model against the runtime's, at the edges of what a layer is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import Net
from onnx import TensorProto, helper, numpy_helper

from mcuplan import pipeline
from mcuplan.calibrate import read_data
from mcuplan.ir.op import Op, Tolerance
from mcuplan.prove.evidence import against_runtime
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Request
from mcuplan.targets import load_target

TARGET = load_target("cortex-m4")


def _saved(folder: Path, net: Net, proto: onnx.ModelProto) -> Request:
    (folder / "net.onnx").write_bytes(proto.SerializeToString())
    np.savez(folder / "data.npz", x=net.samples(16))
    return Request(folder / "net.onnx", TARGET, calibration=folder / "data.npz")


def test_a_constant_output_beside_quantized_layers(tmp_path: Path) -> None:
    """It is made once, and the runtime gives it for every sample."""
    net = Net((1, 6))
    proto = net.model(net.quantize(net.add("Relu", net.quantize("x"))))
    proto.graph.output.append(helper.make_tensor_value_info("k", TensorProto.FLOAT, [2]))
    proto.graph.initializer.append(numpy_helper.from_array(np.float32([1, -3]), "k"))
    request = _saved(tmp_path, net, proto)
    planned = pipeline.plan(request)
    data = read_data(tmp_path / "data.npz", planned.model.graph.inputs)
    whole = planned.removal.whole
    seen = against_runtime(request.model, whole, data, quantized=True)
    assert 0 == seen.layer_max_lsb
    assert len(seen.outputs) == 2


def test_a_diverging_layer_that_another_step_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host_gcc: str
) -> None:
    """A layer has its name also where what is deployed has no tensor of that name."""
    monkeypatch.setattr(Op, "tolerance", lambda op, dtype: Tolerance(-1, 0.5))
    net = Net((1, 4, 16, 16))
    x = net.quantize(net.add("Relu", "x"))
    x = net.quantize(net.add("Conv", x, net.quantize(net.random(3, 4, 1, 1))), 0.1)
    request = _saved(tmp_path, net, net.model(x))
    planned = pipeline.plan(request)
    names = planned.integer.tensors.keys()
    assert planned.removal.whole.nodes[0].output not in names
    evidence = verify(planned, request, Wanted("net", on=("host",)))
    (run,) = evidence.verifications
    assert "node_relu0" == run.first_diverging_layer
