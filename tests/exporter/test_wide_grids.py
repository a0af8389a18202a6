# SPDX-License-Identifier: Apache-2.0
"""Grids of 16 bits, which ONNX itself has in later opsets only."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime

from mcuplan.cli import run

_MODEL = Path(__file__).resolve().parents[2] / "models" / "digits_gru"


def test_a_runtime_loads_recurrent_cells(tmp_path: Path) -> None:
    """What a cell keeps in 16 bits is written with operators that take them."""
    data, written = _MODEL / "calibration.npz", tmp_path / "out.onnx"
    arguments = [str(_MODEL / "model.onnx"), "--calibration", str(data), "-o", str(written)]
    assert run(["quantize", *arguments]) == 0
    onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    domains = {node.domain for node in onnx.load(str(written)).graph.node}
    assert domains == {"", "com.microsoft"}
