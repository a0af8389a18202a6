# SPDX-License-Identifier: Apache-2.0
"""A model that `quantize` wrote is planned as the one that it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcuplan.cli import run

_MODELS = Path(__file__).resolve().parents[2] / "models"


def _totals(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(["check", *words, "-t", "cortex-m4", "-f", "json"]) == 0
    totals: dict[str, Any] = json.loads(capsys.readouterr().out)["totals"]
    return totals


@pytest.mark.parametrize("name", ["digits_dscnn", "imu_gesture_cnn", "diabetes_mlp"])
def test_its_rows_are_those_of_the_float_model(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Held and fed: images in planes, and series in channels, which become images of one column."""
    model, data = str(_MODELS / name / "model.onnx"), str(_MODELS / name / "calibration.npz")
    written = str(tmp_path / "int8.onnx")
    assert run(["quantize", model, "--calibration", data, "-o", written]) == 0
    capsys.readouterr()
    for streaming in ("auto", "input") if name != "diabetes_mlp" else ("auto",):
        how = ["--streaming", streaming, "--objective", "ram", "--effort", "fast"]
        given = _totals([model, "--calibration", data, *how], capsys)
        assert given == _totals([written, *how], capsys)
