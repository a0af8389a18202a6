# SPDX-License-Identifier: Apache-2.0
"""What activations of 16 bits are worth and cost, as `verify` says it on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcuplan
from mcuplan.cli import run

_MODELS = Path(__file__).resolve().parents[2] / "models"
_REGRESSION = _MODELS / "diabetes_mlp"
_SMALL = ("cortex-m0plus", "cortex-m3")
_CORES = (*_SMALL, "cortex-m4", "cortex-m33", "cortex-m55")
_LEAST_GAIN, _MOST_CYCLES = 0.2, 1.6  # of the error and of the cycles of int8
_WINDOW, _HOP = 5, 49  # frames of a recording in one sample, and to the next


def _windows(recordings: Any, arrays: Any) -> Any:
    """Some windows of each recording, as the autoencoder reads them: [samples, 640]."""
    real = recordings.astype(np.float32) * arrays["scale"] + arrays["offset"]
    starts = range(0, real.shape[1] - _WINDOW + 1, _HOP)
    parts = [real[:, i : i + _WINDOW].reshape(len(real), -1) for i in starts]
    return np.concatenate(parts).astype(np.float32)


def _autoencoder(folder: Path, made: Path) -> tuple[Path, Path, Path]:
    """The model, samples of recordings for calibration, and of others."""
    with np.load(folder / "inputs.npz") as arrays:
        for name, key in (("calibration", "calib"), ("test", "x")):
            np.savez(made / f"{name}.npz", input_1=_windows(arrays[key], arrays))
    return folder / "model.onnx", made / "calibration.npz", made / "test.npz"


def _verified(
    files: tuple[Path, Path, Path], dtype: str, core: str, made: Path, *more: str
) -> dict[str, Any]:
    """The report of `verify`: bytes equal on the host and on the core, or the run has failed."""
    model, calibration, inputs = map(str, files)
    command = ["verify", model, "--target", core, "--dtype", dtype, "--calibration", calibration]
    command += ["--inputs", inputs, "--samples", "1", "--no-save", "-q", "--exit-zero", *more]
    assert 0 == run([*command, "--report", f"json={made / 'report.json'}"])
    report: dict[str, Any] = json.loads((made / "report.json").read_text())
    assert report["verification"]
    assert all(each["equal_to_reference"] for each in report["verification"])
    return report


def _is_worth_it(files: tuple[Path, Path, Path], made: Path) -> list[dict[str, Any]]:
    """On a Cortex-M4; what the host says, int8 first."""
    reports = [_verified(files, dtype, "cortex-m4", made) for dtype in ("int8", "int16")]
    few, many = (r["latency"]["cycles"] for r in reports)
    assert ["measured"] * 2 == [r["latency"]["origin"] for r in reports]
    assert many <= _MOST_CYCLES * few
    hosts = [next(v for v in r["verification"] if v["on"] == "host") for r in reports]
    coarse, fine = (host["outputs"][0]["mean_error"] for host in hosts)
    assert 0 < fine <= _LEAST_GAIN * coarse
    return hosts


def test_a_regression_is_nearer_to_the_float_model_and_to_its_labels(
    tmp_path: Path, host_gcc: str, arm_gcc: str, qemu: str
) -> None:
    """By five times and more, at no more than 1.6 times the cycles; labels have their own error."""
    names = ("model.onnx", "calibration.npz", "test.npz")
    model, calibration, inputs = (_REGRESSION / name for name in names)
    found = [host["accuracy"] for host in _is_worth_it((model, calibration, inputs), tmp_path)]
    assert {"mean absolute error"} == {each["metric"] for each in found}
    coarse, fine = (abs(each["integer"] - each["float"]) for each in found)
    assert fine <= _LEAST_GAIN * coarse


@pytest.mark.parametrize("core", [core for core in _CORES if core != "cortex-m4"])
def test_a_regression_is_the_reference_on_other_cores(
    core: str, tmp_path: Path, arm_gcc: str, qemu: str
) -> None:
    """Byte for byte."""
    names = ("model.onnx", "calibration.npz", "test.npz")
    model, calibration, inputs = (_REGRESSION / name for name in names)
    _verified((model, calibration, inputs), "int16", core, tmp_path, "--on", "emulator")


@pytest.mark.parametrize("core", _SMALL)
@pytest.mark.parametrize("weights", ["int16", "int8"])
@pytest.mark.parametrize("name", ["diabetes_mlp", "digits_dscnn"])
def test_small_cores_take_no_longer_than_that(name: str, weights: str, core: str) -> None:
    """By the counted costs of their kernels, with weights of 16 bits and of 8."""
    model, made = str(_MODELS / name / "model.onnx"), str(_MODELS / name / "calibration.npz")
    narrow = {"weight_dtype": "int8"} if weights == "int8" else {}
    few, many = (
        mcuplan.plan(model, core, dtype=dtype, calibration=made, effort="fast", **narrow)
        for dtype in ("int8", "int16")
    )
    assert few.latency is not None
    assert many.latency is not None
    assert many.latency.cycles <= _MOST_CYCLES * few.latency.cycles
    own = [layer.kernel for layer in many.layers if layer.macs]
    assert all(kernel.endswith("_scalar") for kernel in own), own


@pytest.mark.slow
def test_the_autoencoder_is_nearer_to_the_float_model(
    tmp_path: Path, test_models: Path, host_gcc: str, arm_gcc: str, qemu: str
) -> None:
    """By five times and more, at no more than 1.6 times the cycles, on recordings never seen."""
    _is_worth_it(_autoencoder(test_models / "mlperf_ad_autoencoder", tmp_path), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("core", [core for core in _CORES if core != "cortex-m4"])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_the_autoencoder_is_the_reference_on_other_cores(
    core: str, dtype: str, tmp_path: Path, test_models: Path, arm_gcc: str, qemu: str
) -> None:
    """Byte for byte; that it is over the flash of the smallest is another matter."""
    files = _autoencoder(test_models / "mlperf_ad_autoencoder", tmp_path)
    _verified(files, dtype, core, tmp_path, "--on", "emulator")
