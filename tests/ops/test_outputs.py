# SPDX-License-Identifier: Apache-2.0
"""Outputs of every kind: constant, an input, a scalar, one tensor twice, and unread ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcuplan.errors import McuplanError
from mcuplan.importer.onnx import load_model

from .host_proof import proves
from .onnx_cases import model, node

LINE, IMAGE = {"x": (1, 6)}, {"x": (1, 3, 4, 6)}
ANCHORS = np.linspace(-1, 3, 12, dtype=np.float32)
ONES = {name: np.ones(3, np.float32) for name in "sbmv"}

MODELS: dict[str, Any] = {
    "constant": model(node("Relu", "x"), LINE, {"z": ANCHORS.reshape(1, 12)}, outputs="y z"),
    "constant without batch": model(
        node("Relu", "x"), IMAGE, {"z": ANCHORS.reshape(3, 2, 2)}, outputs="z y"
    ),
    "constant image": model(
        [node("Relu", "x"), node("Transpose", "c", "z", perm=[0, 2, 3, 1])],
        IMAGE,
        {"c": ANCHORS.reshape(1, 3, 2, 2)},
        outputs="y z",
    ),
    "constant scalar": model(node("Relu", "x"), LINE, {"z": np.float32(2.5)}, outputs="y z"),
    "constants alone": model(
        node("Identity", "c"), LINE, {"c": ANCHORS.reshape(2, 6), "z": ANCHORS}, outputs="y z"
    ),
    "a shape as numbers": model(
        [node("Relu", "x"), node("Shape", "x", "s"), node("Cast", "s", "z", to=1)],
        LINE,
        outputs="y z",
    ),
    "an input": model(node("Relu", "x"), LINE, outputs="x y"),
    "a copy of the input": model(node("Identity", "x"), IMAGE),
    "two copies of the input": model(
        [node("Identity", "x"), node("Identity", "x", "z")], LINE, outputs="y z"
    ),
    "one tensor twice": model(
        [node("MaxPool", "x", "y", kernel_shape=[2, 2]), node("Identity", "y", "z")],
        IMAGE,
        outputs="y z",
    ),
    "a view of another output": model(
        [node("Relu", "x"), node("Flatten", "y", "z")], IMAGE, outputs="y z"
    ),
    "a scalar": model(
        [node("Gather", "x i", "a", axis=1), node("Gather", "a j", axis=0)],
        LINE,
        {"i": np.int64(-2), "j": np.int64(0)},
    ),
    "unread mask": model([node("Dropout", "x", "a m"), node("Relu", "a")], LINE),
    "unread indices": model(
        [node("MaxPool", "x", "a m", kernel_shape=[2, 2]), node("Relu", "a")], IMAGE
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_outputs(name: str, tmp_path: Path, host_gcc: str) -> None:
    """The C code delivers what the runtime computes, to the rounding of the grids."""
    _, outputs = proves(tmp_path, MODELS[name])
    assert max(output.steps_off() for output in outputs) <= 1.6  # the grid of x has wider steps


def test_whole_numbers_are_exact(tmp_path: Path, host_gcc: str) -> None:
    """A constant of whole numbers is delivered as it is, far from 0 too."""
    values = np.float32([[0, 17, 255, 3]])
    for constant in (values, -values, values - 100):
        proto = model(node("Relu", "x"), LINE, {"z": constant}, outputs="y z")
        _, (_, output) = proves(tmp_path, proto, samples=2)
        assert np.array_equal(output.ours, np.repeat(constant, 2, axis=0))


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (model(node("BatchNormalization", "x s b m v", "y c d e f"), IMAGE, ONES, 9), "statistics"),
    ],
)
def test_refused(proto: Any, message: str, tmp_path: Path) -> None:
    """What no int8 tensor can hold is refused, with the output's name."""
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(McuplanError, match=message):
        load_model(path)
