# SPDX-License-Identifier: Apache-2.0
"""What an assessor asks of a real model: coverage of its kernels, and no open rule."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from mcuplan.cli import run

_TOOLS = ("gcc", "gcov", "cppcheck", "arm-none-eabi-gcc", "qemu-system-arm")


@pytest.mark.slow
def test_kernels_of_a_keyword_spotter_are_covered(tmp_path: Path) -> None:
    """At least 95 % of statements and branches of all called kernels, on both machines."""
    source = Path(os.environ.get("MCUPLAN_TEST_MODELS", "none"), "mlperf_kws_dscnn/model_qdq.onnx")
    if not source.is_file():
        pytest.skip("MCUPLAN_TEST_MODELS is not set")
    if any(shutil.which(tool) is None for tool in _TOOLS):
        pytest.skip("a tool is not installed: tests/run.sh installs it")
    shutil.copy(source, tmp_path / "kws.onnx")
    out = tmp_path / "out"
    assert 0 == run(
        ["evidence", str(tmp_path / "kws.onnx"), "-t", "nucleo-f446re", "-q", "-o", str(out)]
    )
    for place in json.loads((out / "coverage.json").read_text("ascii"))["places"]:
        assert place["outputs_equal_reference"]
        assert place["called_kernels"]["statements"][2] >= 95
        assert place["called_kernels"]["branches"][2] >= 95
        assert all(line["reason"] for line in place["unreached"])
    assert 0 == json.loads((out / "misra.json").read_text("ascii"))["open"]
