# SPDX-License-Identifier: Apache-2.0
"""Networks that lose their accuracy on plain grids, and what repair leaves of that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from repair.points import integer_outputs, right
from repair.trap_models import ROOT, TRAPS, trap

from mcuplan import pipeline
from mcuplan.budget.quantization import quantization_findings
from mcuplan.ir.evaluate import evaluate
from mcuplan.record import Request
from mcuplan.targets import load_target

DATA = ROOT / "models" / "digits_dscnn"
CAUSES = {
    "channels": "quant/outlier-channel",
    "outlier": "quant/outlier-channel",
    "prelu": "quant/outlier-channel",
    "swish": "quant/outlier-channel",
    "difference": "quant/coarse-steps",
}


@pytest.mark.parametrize("name", TRAPS)
def test_best_keeps_what_plain_grids_lose(name: str, tmp_path: Path) -> None:
    """Min-max loses at least 5 points and says why; best at most 1, in the same arithmetic."""
    held = np.load(DATA / "test.npz")
    inputs, labels = held["input"], held["labels"]
    asked = {"model": trap(name, tmp_path), "target": load_target("cortex-m4")}
    asked["calibration"] = DATA / "calibration.npz"
    plain = Request(**asked)
    _, graph = pipeline.simplify(plain)
    feeds = {graph.inputs[0].tensor: graph.inputs[0].from_model(inputs).reshape(-1, 8, 8, 1)}
    real = right(evaluate(graph, feeds)[graph.outputs[0].tensor], labels)
    assert real > 95
    lost = pipeline.quantize(plain, graph)
    assert right(integer_outputs(lost.grids.graph, inputs), labels) <= real - 5
    found = quantization_findings(lost.grids, lost.calibrated, real_ranges=True)
    assert CAUSES[name] in {each.code for each in found}
    best = pipeline.quantize(Request(**asked, quantize_effort="best"), graph)
    assert right(integer_outputs(best.grids.graph, inputs), labels) >= real - 1
    assert best.calibrated is not None
    gains = [each.after_db - each.before_db for each in best.calibrated.repairs if each.kept]
    assert max(gains) > 3
