# SPDX-License-Identifier: Apache-2.0
"""Calibration of a public network: its time, its memory, and that sources agree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mcuplan.cli import run

_MEASURED = """
import sys, time
from mcuplan.cli import run
began = time.process_time()
assert 0 == run(["quantize", *sys.argv[1:]])
peak = open("/proc/self/status").read().split("VmHWM:")[1].split()[0]
print(time.process_time() - began, 1024 * int(peak))
"""


def _samples(test_models: Path, many: int) -> np.ndarray:
    with np.load(test_models / "mlperf_ic_resnet8" / "inputs.npz") as data:
        pixels = np.resize(np.concatenate([data["calib"], data["x"]]), (many, 32, 32, 3))
    made: np.ndarray = pixels.astype(np.uint8)
    return made


@pytest.mark.parametrize("observer", ["minmax", "auto"])
def test_five_hundred_samples(observer: str, test_models: Path, tmp_path: Path) -> None:
    """Under 10 s of one core and 300 MB."""
    np.savez(tmp_path / "data.npz", input_1=_samples(test_models, 500).astype(np.float32))
    model = test_models / "mlperf_ic_resnet8" / "model.onnx"
    options = ["--calibration", str(tmp_path / "data.npz"), "--observer", observer, "-q"]
    command = [
        sys.executable,
        "-c",
        _MEASURED,
        str(model),
        *options,
        "-o",
        str(tmp_path / "q.onnx"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, nbytes = map(float, done.stdout.split())
    assert seconds < 10
    assert nbytes < 300e6


def test_images_give_the_model_that_arrays_give(test_models: Path, tmp_path: Path) -> None:
    """The same bytes from an ``.npz`` file, from PNG files and from files of arrays."""
    pillow = pytest.importorskip("PIL.Image")
    pixels = _samples(test_models, 24)
    np.savez(tmp_path / "data.npz", input_1=pixels.astype(np.float32))
    for name in ("png", "npy"):
        (tmp_path / name).mkdir()
    for k, each in enumerate(pixels):
        pillow.fromarray(each).save(tmp_path / "png" / f"{k:03}.png")
        np.save(tmp_path / "npy" / f"{k:03}.npy", each.astype(np.float32))
    model = str(test_models / "mlperf_ic_resnet8" / "model.onnx")
    made = []
    for source in ("data.npz", "png", "npy"):
        output = tmp_path / f"{source}.onnx"
        command = ["quantize", model, "--calibration", str(tmp_path / source), "-o", str(output)]
        assert 0 == run([*command, *(["--preprocess", "scale=1"] if source == "png" else []), "-q"])
        made.append(output.read_bytes())
    assert made[0] == made[1] == made[2]
