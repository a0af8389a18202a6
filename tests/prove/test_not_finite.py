# SPDX-License-Identifier: Apache-2.0
"""What is no finite number: compared with nothing where it is the model's, noise where ours."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnx
import pytest

from mcuplan.cli import run
from mcuplan.ir.graph import Port
from mcuplan.ir.types import DType
from mcuplan.prove.outputs import LARGEST, LIMIT_DB, OutputTally
from mcuplan.report.json import dumped

_NET = """<ir_version: 8, opset_import: ["" : 18]>
net (float[1,2] x) => (float[1,2] y) <float[2,2] w = {2,-2,2,-2}, float one = {1}>
"""


def _save(body: str, samples: list[list[float]]) -> list[str]:
    """A network and samples of it; words that verify them on the host."""
    onnx.save(onnx.parser.parse_model(f"{_NET} {{ {body} }}"), "net.onnx")
    np.savez("data.npz", x=np.array(samples, np.float32))
    words = ["net.onnx", "-t", "cortex-m4", "--inputs", "data.npz", "--on", "host", "--no-save"]
    return ["verify", *words]


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.filterwarnings("error")
def test_a_sample_without_an_answer_is_refused(
    dtype: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Sums that leave float32 are infinite, their difference is no number: nothing to prove by."""
    monkeypatch.chdir(tmp_path)
    words = _save("z = MatMul (x, w) y = Sub (z, z)", [[1, 2], [3, 4], [3e38, 3e38]])
    assert 2 == run([*words, "--dtype", dtype, "--calibration", "random"])
    said = capsys.readouterr().err
    assert "output 'y' of the model is NaN or infinite" in said
    assert "sample 2" in said


@pytest.mark.filterwarnings("error")
def test_what_is_infinite_inside_may_have_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The C gives what the model does; figures of the layer are of what is finite."""
    monkeypatch.chdir(tmp_path)
    words = _save("z = MatMul (x, w) y = Sigmoid (z)", [[1, 2], [3, 4], [3e38, 3e38]])
    assert 0 == run([*words, "--dtype", "float32", "-q", "--report", "json=report.json"])
    report = json.loads(Path("report.json").read_text())
    assert report["verification"][0]["equal_to_reference"]


@pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
def test_our_own_is_all_noise(strange: float) -> None:
    """No answer where the model has one is the worst there is, and a report can hold it."""
    tally = OutputTally(Port("y", "y", (1, 2), DType.FLOAT32), 1.0, quantized=False)
    with np.errstate(invalid="ignore"):
        tally.update(np.array([[1.0, 2.0]]), np.array([[1.0, strange]]))
    error = tally.result().error
    assert (-LIMIT_DB, LARGEST) == (error.sqnr_db, error.max_error)
    assert "NaN" not in dumped(error)
