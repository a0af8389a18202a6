# SPDX-License-Identifier: Apache-2.0
"""Imported graphs compute what ONNX Runtime computes, on real networks."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from onnx_files import run_onnx

from mcuplan.importer.onnx import ImportedModel, load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType

FOLDERS = (
    "mcunet_vww",
    "micro_kws_m",
    "mlperf_ad_autoencoder",
    "mlperf_ic_resnet8",
    "mlperf_ic_resnet8_nchw",
    "mlperf_kws_dscnn",
    "mlperf_vww_mobilenetv1",
    "onnx2c_mnist14",
    "tflm_hello_world",
)
QUANTIZED = (
    ("mcunet_vww", "model_qdq"),
    ("micro_kws_m", "model_qdq"),
    ("micro_kws_m", "model_qdq_dynbatch"),
    ("micro_kws_m", "model_qoperator"),
    ("micro_kws_m", "model_qoperator_softmax"),
    ("mlperf_ic_resnet8", "model_qdq"),
    ("mlperf_ic_resnet8_nchw", "model_ort_qdq"),
    ("mlperf_kws_dscnn", "model_qdq"),
    ("mlperf_vww_mobilenetv1", "model_qdq"),
    ("tflm_hello_world", "model_qdq"),
)


def _model(folder: str, stem: str) -> Path:
    """The model file, or a skip that says why there is none."""
    root = os.environ.get("MCUPLAN_TEST_MODELS")
    if not root:
        pytest.skip("MCUPLAN_TEST_MODELS does not name a folder of models")
    path = Path(root) / folder / f"{stem}.onnx"
    if not path.exists():
        pytest.skip(f"{folder} has no {stem}.onnx")
    return path


def _samples(path: Path, imported: ImportedModel, count: int) -> list[np.ndarray]:
    """Samples for the only input, in the element type of the model."""
    with np.load(path.parent / "inputs.npz") as data:
        x = data["x"][:count] * data["scale"] + data["offset"]
    (port,) = imported.graph.inputs
    x = x.astype(np.float32).reshape(-1, *port.shape[1:])
    if port.dtype is not DType.FLOAT32:
        quant = imported.graph.tensor(port.tensor).type.q
        x = quant.quantize(x)
    return [x[i : i + 1] for i in range(count)]


def _difference(path: Path, sample: np.ndarray, imported: ImportedModel) -> tuple[float, float]:
    """Largest difference of the outputs and largest output, real values or grid steps."""
    graph = imported.graph
    (source,), (output,) = graph.inputs, graph.outputs
    (expected,) = run_onnx(path, {source.name: sample})
    if source.dtype is not DType.FLOAT32:
        sample = graph.tensor(source.tensor).type.q.dequantize(sample).astype(np.float32)
    found = evaluate(graph, {source.tensor: sample})[output.tensor]
    quant = graph.tensor(output.tensor).type.quant
    if output.dtype is not DType.FLOAT32:
        assert quant is not None
        found = quant.quantize(found).astype(np.float64)
    step = 1.0 if quant is None or output.dtype is not DType.FLOAT32 else quant.s
    return float(np.abs(found - expected).max()) / step, float(np.abs(expected).max()) / step


@pytest.mark.parametrize(
    ("folder", "stem"),
    [(folder, "model") for folder in FOLDERS]
    + [("mlperf_kws_dscnn", "model_weightonly_dq"), ("mlperf_ad_autoencoder", "model_from_tflite")],
)
def test_float_models(folder: str, stem: str) -> None:
    """The float graph is within 1e-4 of the largest output of ONNX Runtime's."""
    path = _model(folder, stem)
    imported = load_model(path)
    imported.graph.check()
    assert "float32" == imported.form
    for sample in _samples(path, imported, 2):
        difference, largest = _difference(path, sample, imported)
        assert difference <= 1e-4 * largest


@pytest.mark.parametrize(("folder", "stem"), QUANTIZED)
def test_quantized_models(folder: str, stem: str) -> None:
    """The roundings of a quantized model are those of ONNX Runtime, up to two steps."""
    path = _model(folder, stem)
    imported = load_model(path)
    imported.graph.check()
    assert imported.form.startswith("int8")
    for sample in _samples(path, imported, 2):
        difference, _ = _difference(path, sample, imported)
        assert difference <= 2


@pytest.mark.parametrize("folder", ["mlperf_vww_mobilenetv1", "mcunet_vww"])
def test_importing_is_quick(folder: str) -> None:
    """A model of a few hundred kilobytes imports in well under half a second."""
    path = _model(folder, "model")
    load_model(path)
    start = time.process_time()
    load_model(path)
    assert time.process_time() - start < 0.5
