# SPDX-License-Identifier: Apache-2.0
"""Real networks keep their outputs through all passes and the exporter."""

from __future__ import annotations

import cProfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import Net, imported, ops, run_graph, run_onnx, worst

from mcuplan.exporter.onnx import to_onnx
from mcuplan.facts import Rewrite, Rewritten
from mcuplan.importer import load_model
from mcuplan.passes import run

FLOAT = {  # steps after the passes; views are not counted
    "mcunet_vww": {"Conv2D": 45, "Add": 8, "AvgPool2D": 2, "Dense": 1},
    "micro_kws_m": {"Conv2D": 3, "MaxPool2D": 1, "AvgPool2D": 2, "Dense": 3, "Softmax": 1},
    "mlperf_ad_autoencoder": {"Dense": 10},
    "mlperf_ic_resnet8": {"Conv2D": 9, "Add": 3, "AvgPool2D": 1, "Dense": 1, "Softmax": 1},
    "mlperf_ic_resnet8_nchw": {
        "Transpose": 1,
        "Conv2D": 9,
        "Add": 3,
        "AvgPool2D": 1,
        "Dense": 1,
        "Softmax": 1,
    },
    "mlperf_kws_dscnn": {"Conv2D": 9, "AvgPool2D": 1, "Dense": 1, "Softmax": 1},
    "mlperf_vww_mobilenetv1": {"Conv2D": 27, "AvgPool2D": 1, "Dense": 1, "Softmax": 1},
    "onnx2c_mnist14": {"Conv2D": 2, "Dense": 1},
    "tflm_hello_world": {"Dense": 3},
}
QUANTIZED = (
    "mcunet_vww/model_qdq",
    "micro_kws_m/model_qdq",
    "micro_kws_m/model_qoperator",
    "mlperf_ic_resnet8/model_qdq",
    "mlperf_ic_resnet8_nchw/model_ort_qdq",
    "mlperf_kws_dscnn/model_qdq",
    "mlperf_vww_mobilenetv1/model_qdq",
    "tflm_hello_world/model_qdq",
)


def _samples(folder: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A few of the folder's test inputs, or as much of them as an input of the model takes."""
    data = np.load(folder / "inputs.npz")
    x = data["x"][:4].astype(np.float32) * np.float32(data["scale"]) + np.float32(data["offset"])
    size = int(np.prod(shape))
    return np.stack([row.reshape(-1)[:size] for row in x]).reshape((len(x), *shape[1:]))


@pytest.mark.parametrize("name", FLOAT)
def test_float_networks(test_models: Path, name: str) -> None:
    """Only the steps that are needed, and outputs within 1e-4 of the largest one."""
    path = test_models / name / "model.onnx"
    graph = run(load_model(path).graph)
    steps = ops(graph)
    steps.pop("Reshape", None)
    assert FLOAT[name] == steps
    samples = {graph.inputs[0].name: _samples(path.parent, graph.inputs[0].shape)}
    expected = run_onnx(onnx.load(path), samples)
    assert worst(expected, run_graph(graph, samples)) < 1e-4
    assert worst(expected, run_onnx(to_onnx(graph, qdq=False), samples)) < 1e-4


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_networks(test_models: Path, name: str) -> None:
    """No rounding is left as a node, and the written graph computes the same to the bit."""
    path = test_models / f"{name}.onnx"
    graph = run(load_model(path).graph)
    assert "Quantize" not in ops(graph)
    port = graph.inputs[0]
    samples = _samples(path.parent, port.shape)
    if port.dtype.value != "float32":
        quant = graph.tensor(port.tensor).type.q
        shift = 128 if port.dtype.value == "uint8" else 0
        samples = (quant.quantize(samples).astype(int) + shift).astype(port.dtype.value)
    expected = run_onnx(onnx.load(path), {port.name: samples})
    found = run_onnx(to_onnx(graph, qdq=True), {port.name: samples})
    assert all((a == b).all() for a, b in zip(expected, found, strict=True))


def _long_graph(blocks: int) -> onnx.ModelProto:
    net = Net((1, 2, 4, 4))
    x = "x"
    for _ in range(blocks):
        y = net.add("Relu", net.batch_norm(net.conv(x, 2, 2), 2))
        x = net.add("Add", x, net.add("Mul", y, net.const(0.5)))
    return net.model(x)


def test_work_grows_with_the_graph(tmp_path: Path) -> None:
    """Four times the nodes take less than five times the function calls."""
    calls = {}
    for blocks in (50, 200):
        graph = imported(_long_graph(blocks), tmp_path)
        profile = cProfile.Profile()
        profile.runcall(run, graph)
        calls[blocks] = sum(entry.callcount for entry in profile.getstats())
    assert calls[200] < 5 * calls[50]


def test_every_pass_tells_what_it_did(tmp_path: Path) -> None:
    """One line for each kind of rewrite, counted over all rounds; a watcher sees each graph."""
    seen: list[str] = []
    graph = run(imported(_long_graph(3), tmp_path), lambda name, _: seen.append(name))
    assert Rewritten(Rewrite.AFFINE_FOLDED, 3) in graph.notes
    assert Rewritten(Rewrite.ACTIVATION_FUSED, 3) in graph.notes
    assert 1 == max(Counter(note.what for note in graph.notes).values())
    assert {"fold_batch_norm", "fuse_activation"} <= set(seen)
