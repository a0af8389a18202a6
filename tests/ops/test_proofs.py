# SPDX-License-Identifier: Apache-2.0
"""Operators that are read as others, all the way to C on the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .host_proof import proves
from .onnx_cases import model, node

LINE, SERIES, IMAGE = {"x": (1, 6)}, {"x": (1, 5, 8)}, {"x": (1, 4, 6, 5)}
RNG = np.random.default_rng(4)


def floats(*shape: int) -> np.ndarray:
    """Random constants."""
    return RNG.normal(size=shape).astype(np.float32)


MODELS: dict[str, Any] = {
    "last of a series": model(
        [node("MatMul", "x w", "a"), node("Gather", "a i", axis=1)],
        SERIES,
        {"w": floats(1, 8, 4), "i": np.int64(-1)},
    ),
    "channels by a list": model(
        [node("MaxPool", "x", "a", kernel_shape=[2, 2]), node("Gather", "a i", axis=1)],
        IMAGE,
        {"i": np.int64([3, 0, 0, 2])},
    ),
    "shuffled rows": model(
        node("Gather", "x i", axis=2), IMAGE, {"i": np.int64([0, 2, 4, 1, 3, 5])}
    ),
    "least": model(node("ReduceMin", "x", axes=[2], keepdims=0), SERIES, opset=13),
    "least and largest": model(
        [
            node("ReduceMin", "x", "a", axes=[2, 3]),
            node("ReduceMax", "x", "b", axes=[2, 3]),
            node("Sub", "b a"),
        ],
        IMAGE,
        opset=13,
    ),
    "log softmax": model(node("LogSoftmax", "x", axis=-1), SERIES),
    "log softmax of channels": model(node("LogSoftmax", "x", axis=1), IMAGE),
    "slopes of channels": model(
        [node("PRelu", "x s", "a"), node("MaxPool", "a", kernel_shape=[2, 2])],
        IMAGE,
        {"s": floats(4, 1, 1)},
    ),
    "slopes of rows": model(node("PRelu", "x s"), SERIES, {"s": floats(5, 1)}),
    "blocks of pixels": model(
        [
            node("Conv", "x w", "a"),
            node("DepthToSpace", "a", "b", blocksize=2, mode="CRD"),
            node("Conv", "b v"),
        ],
        IMAGE,
        {"w": floats(8, 4, 1, 1), "v": floats(3, 2, 3, 3)},
        opset=13,
    ),
    "channels of blocks": model(
        [node("SpaceToDepth", "x", "a", blocksize=2), node("Conv", "a w")],
        {"x": (1, 3, 6, 8)},
        {"w": floats(4, 12, 1, 1)},
    ),
    "length": model(node("ReduceL2", "x", axes=[2]), SERIES, opset=13),
    "matrix on the left": model(node("MatMul", "w x"), SERIES, {"w": floats(1, 3, 5)}),
    "vector on the right": model(node("MatMul", "x w"), SERIES, {"w": floats(8)}),
}


@pytest.mark.parametrize("name", MODELS)
def test_proofs(name: str, tmp_path: Path, host_gcc: str) -> None:
    """The C code gives the reference's bytes, and the runtime's values to a few steps."""
    _, outputs = proves(tmp_path, MODELS[name])
    assert max(output.steps_off() for output in outputs) <= 4
