# SPDX-License-Identifier: Apache-2.0
"""`check --reshape`: figures of a form that is still to be trained, said to be that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcuplan.cli import run

MODELS = Path(__file__).parents[2] / "models"
NET = str(MODELS / "digits_dscnn" / "model.onnx")


def _report(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, object]:
    status = run(["check", NET, "-t", "cortex-m4", "--effort", "fast", "-f", "json", *options])
    report: dict[str, object] = json.loads(capsys.readouterr().out)
    assert (0 if report["verdict"]["status"] == "fits" else 1) == status  # type: ignore[index]
    return report


def test_figures_are_those_of_the_form_and_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Half the channels need less of everything; nothing of the calibration is claimed."""
    before = _report(capsys)
    data = ("--calibration", str(MODELS / "digits_dscnn" / "calibration.npz"))
    after = _report(capsys, "--reshape", "width=0.5", *data)
    for part, figure in (("ram", "total_bytes"), ("flash", "weights_bytes"), ("totals", "macs")):
        assert after[part][figure] < before[part][figure]  # type: ignore[index]
    findings = after["verdict"]["findings"]  # type: ignore[index]
    (said,) = [each for each in findings if each["code"] == "model/placeholder-weights"]
    assert "width=0.5" in said["message"]
    assert "calibration" not in after
    codes = {each["code"] for each in before["verdict"]["findings"]}  # type: ignore[index]
    assert "model/placeholder-weights" not in codes


@pytest.mark.parametrize("wrong", ["width=0", "input=1x1x1", "separable=nobody", "width=0.99"])
def test_a_form_that_is_not_there_is_wrong_usage(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A coded error with a hint, and no report."""
    assert 2 == run(["check", NET, "-t", "cortex-m4", "--reshape", wrong])
    error = capsys.readouterr().err
    assert "error[usage/" in error
    assert "hint:" in error
