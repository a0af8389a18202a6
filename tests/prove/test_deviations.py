# SPDX-License-Identifier: Apache-2.0
"""Where ONNX Runtime is known to do otherwise than ONNX says, ONNX's own evaluator is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from nets import Net

from mcuplan import pipeline
from mcuplan.calibrate import random_data
from mcuplan.ir.types import DType
from mcuplan.prove.evidence import against_runtime
from mcuplan.record import Request
from mcuplan.targets import load_target


def _pool(net: Net, mode: str, gaps: int) -> str:
    sizes = {"kernel_shape": [2, 2], "strides": [1, 1], "dilations": [gaps, gaps]}
    return net.add("MaxPool", "x", auto_pad=mode, **sizes)


def _resize(net: Net, factor: float) -> str:
    corners = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    return net.add("Resize", "x", "", net.const([1, 1, factor, factor]), **corners)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("gaps", "MaxPool"), ("fraction", "Resize"), ("pool", ""), ("whole", ""), ("valid", "")],
)
def test_onnx_itself_is_the_reference(kind: str, said: str, tmp_path: Path) -> None:
    """A dilated pool with auto_pad and corners of a fractional size; others stay as they were."""
    net = Net((1, 3, 8, 8))
    if kind in ("fraction", "whole"):
        output = _resize(net, 1.55 if kind == "fraction" else 1.5)
    else:
        output = _pool(net, "VALID" if kind == "valid" else "SAME_UPPER", 1 + (kind != "pool"))
    path = tmp_path / "net.onnx"
    path.write_bytes(net.model(output).SerializeToString())
    planned = pipeline.plan(Request(path, load_target("cortex-m4"), dtype=DType.FLOAT32))
    data = random_data(planned.model.graph.inputs, 4)
    seen = against_runtime(path, planned.removal.whole, data, quantized=False)
    notes = [finding.message for finding in seen.findings]
    assert bool(said) == bool(notes)
    assert all(f" {said} node_" in note for note in notes)
    assert all(error.sqnr_db is None or error.sqnr_db > 100 for error in seen.outputs)
