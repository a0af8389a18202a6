# SPDX-License-Identifier: Apache-2.0
"""Nets of many kinds: what min-max grids cost each, why, and what repair leaves of that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from repair.feature_nets import FEATURES, ROOT, classifier, labelled
from repair.points import integer_outputs, right

from mcuplan import pipeline
from mcuplan.budget.quantization import quantization_findings
from mcuplan.ir.evaluate import evaluate
from mcuplan.record import Request
from mcuplan.targets import load_target

_LOST = {  # points of top-1 at least, and why
    "massive": (40, "quant/outlier-channel"),
    "joined": (40, "quant/mixed-ranges"),
    "sums": (20, "quant/coarse-steps"),
    "centred": (2, "quant/coarse-steps"),
    "relu6": (5, "quant/outlier-channel"),
    "leaky": (40, "quant/outlier-channel"),
    "dead": (5, "quant/outlier-channel"),
    "normalized": (2, "quant/outlier-channel"),
    "windows": (5, "quant/outlier-channel"),
    "transposed": (20, "quant/outlier-channel"),
    "parted": (10, "quant/outlier-channel"),
}
_LARGE = ("sparse", "growing", "gates")
_KEPT = [
    pytest.param(kind, marks=pytest.mark.slow) if kind in _LARGE else kind
    for kind in FEATURES
    if kind not in _LOST
]


def _lost(kind: str, folder: Path, effort: str) -> tuple[float, set[str]]:
    """Points of top-1 that the integer program is below the float model, and what is said."""
    (folder / "net.onnx").write_bytes(classifier(kind).SerializeToString())
    with np.load(ROOT / "models" / "digits_dscnn" / "calibration.npz") as data:
        np.savez(folder / "data.npz", x=data["input"])
    asked = Request(
        folder / "net.onnx",
        load_target("cortex-m4"),
        calibration=folder / "data.npz",
        quantize_effort=effort,
    )
    _, graph = pipeline.simplify(asked)
    inputs, labels = labelled()
    (port,) = graph.inputs
    feeds = {port.tensor: port.from_model(inputs).reshape(-1, 8, 8, 1)}
    real = right(evaluate(graph, feeds)[graph.outputs[0].tensor], labels)
    assert real > 65
    found = pipeline.quantize(asked, graph)
    told = quantization_findings(found.grids, found.calibrated, real_ranges=True)
    made = right(integer_outputs(found.grids.graph, inputs), labels)
    return real - made, {each.code for each in told}


@pytest.mark.parametrize("kind", _LOST)
def test_best_keeps_what_plain_grids_lose(kind: str, tmp_path: Path) -> None:
    """Min-max loses and says why; best loses at most a point, on samples that nothing has seen."""
    least, cause = _LOST[kind]
    lost, told = _lost(kind, tmp_path, "fast")
    assert lost >= least
    assert cause in told
    assert _lost(kind, tmp_path, "best")[0] <= 1


@pytest.mark.parametrize("kind", _KEPT)
def test_what_plain_grids_keep_stays(kind: str, tmp_path: Path) -> None:
    """At most two points, and one with best."""
    assert _lost(kind, tmp_path, "fast")[0] <= 2
    assert _lost(kind, tmp_path, "best")[0] <= 1
