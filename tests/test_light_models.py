# SPDX-License-Identifier: Apache-2.0
"""Well-known networks that the onnx package has without their weights: read, planned, generated."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
import pytest

from mcuplan import pipeline
from mcuplan.budget import assess
from mcuplan.record import Request
from mcuplan.targets import load_target

_FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
_SMALL = {"squeezenet": (1_235_496, 349), "shufflenet": (1_379_880, 125)}
_LARGE = {  # parameters, and millions of multiply-accumulates
    "bvlc_alexnet": (60_965_224, 655),
    "densenet121": (7_905_576, 2_834),
    "inception_v1": (6_998_552, 1_432),
    "inception_v2": (11_185_032, 2_019),
    "resnet50": (25_530_472, 4_089),
    "vgg19": (143_667_240, 19_632),
    "zfnet512": (87_250_536, 1_482),
}


def _request(name: str, *, random: bool = False) -> Request:
    path = _FOLDER / f"light_{name}.onnx"
    if not path.is_file():
        pytest.skip(f"this onnx package has no {path.name}")
    target = load_target("cortex-m4")
    return Request(path, target, effort="fast", streaming="off", random_calibration=random)


@pytest.mark.parametrize("name", _SMALL)
def test_small_ones_are_generated(name: str) -> None:
    """Parameters and products are the published ones; C comes out."""
    planned = pipeline.plan(_request(name, random=True))
    model = assess(planned, command="check").model
    assert _SMALL[name] == (model.parameters, round(model.macs / 1e6))
    bundle = pipeline.generate(planned, "net")
    assert any(path.name == "net.c" for path in bundle.files)


@pytest.mark.parametrize("name", _LARGE)
@pytest.mark.skipif(
    "MCUPLAN_TEST_LIGHT" not in os.environ,
    reason="large: seconds and gigabytes; MCUPLAN_TEST_LIGHT=1",
)
def test_large_ones_are_planned(name: str) -> None:
    """Parameters and products are the published ones."""
    planned = pipeline.plan(_request(name), sizes_only=True)
    model = assess(planned, command="check").model
    assert _LARGE[name] == (model.parameters, round(model.macs / 1e6))
