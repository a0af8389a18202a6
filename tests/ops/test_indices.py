# SPDX-License-Identifier: Apache-2.0
"""ArgMax and ArgMin: read, written, run on the host, and judged by what is equal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from mcuplan.errors import McuplanError
from mcuplan.importer.onnx import load_model
from mcuplan.ir.types import DType
from mcuplan.pipeline import generate

from .host_proof import proves
from .onnx_cases import agrees, kinds, model, node

LINE, SERIES, IMAGE = {"x": (1, 9)}, {"x": (1, 5, 8)}, {"x": (1, 4, 6, 5)}
INDEX = {"y": TensorProto.INT64}


def _index(op: str, inputs: Any, opset: int = 13, **attributes: Any) -> Any:
    return model(node(op, "x", **attributes), inputs, opset=opset, types=INDEX)


MODELS: dict[str, Any] = {
    "vector": _index("ArgMax", LINE, axis=1),
    "flat": _index("ArgMax", LINE, axis=-1, keepdims=0),
    "least": _index("ArgMin", SERIES, axis=2, keepdims=0),
    "middle axis": _index("ArgMin", SERIES, axis=1),
    "last of equal ones": _index("ArgMax", SERIES, axis=2, select_last_index=1),
    "classes of pixels": _index("ArgMax", IMAGE, axis=1, keepdims=0),
    "columns": _index("ArgMax", IMAGE, axis=3, keepdims=1),
    "rows": _index("ArgMax", IMAGE, axis=2, keepdims=0),
    "batch": _index("ArgMax", IMAGE, axis=0),
    "opset 11": _index("ArgMax", IMAGE, 11, axis=1),
    "renamed": model(
        [
            node("ArgMax", "x", "a", axis=1, keepdims=0),
            node("Cast", "a", "b", to=TensorProto.INT32),
            node("Reshape", "b s"),
        ],
        IMAGE,
        {"s": np.int64([1, 30])},
        types={"y": TensorProto.INT32},
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_indices(name: str, tmp_path: Path) -> None:
    """Indices along any axis, kept or dropped, are those of ONNX Runtime."""
    graph = agrees(tmp_path, MODELS[name])
    assert set(kinds(graph)) <= {"ArgExtreme", "Transpose", "Cast"}
    assert graph.outputs[0].whole


SCORES = [
    node("Conv", "x w", "a"),
    node("ArgMax", "a", "y", axis=1, keepdims=0),
]


def _segmenting(classes: int) -> Any:
    weights = np.random.default_rng(2).normal(size=(classes, 4, 1, 1)).astype(np.float32)
    return model(SCORES, IMAGE, {"w": weights}, types=INDEX)


@pytest.mark.parametrize("streaming", ["off", "auto", "input"])
def test_classes_of_pixels(streaming: Any, tmp_path: Path, host_gcc: str) -> None:
    """The C code has int32 indices of more than a byte's classes, by rows too."""
    asked = {"streaming": streaming, "objective": "ram", "io_layout": "nhwc"}
    planned, (output,) = proves(tmp_path, _segmenting(300), **asked)
    assert np.mean(output.ours == output.runtime) > 0.8
    assert output.runtime.max() > 255
    header = next(t for p, t in generate(planned, "net").files.items() if p.name == "net.h")
    assert "const int32_t *net_output(const net_ctx_t *ctx);" in header
    assert "int64 in the model" in header
    said = re.findall(r"NET_OUTPUT_(BYTES|COUNT) \((\d+)U\)", header)
    assert ["BYTES", "COUNT"] == [word for word, _ in said]
    assert int(said[0][1]) == 4 * int(said[1][1])


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("last", [0, 1])
def test_of_equal_integers_the_first_or_last(
    op: str, last: int, tmp_path: Path, host_gcc: str
) -> None:
    """Values that int8 does not tell apart have the index that the integers say."""
    proto = _index(op, {"x": (1, 40)}, axis=1, select_last_index=last)
    _, (output,) = proves(tmp_path, proto, samples=30, low=0.0, high=1e-3)
    near = output.ours == output.runtime
    assert 0.5 < near.mean()


@pytest.mark.parametrize(
    "behind", [node("Transpose", "a", perm=[1, 0]), node("Cast", "a", to=TensorProto.INT32)]
)
def test_indices_are_integers(behind: Any, tmp_path: Path, host_gcc: str) -> None:
    """They may be moved and cast, and stay 32 bits wide on their way out of the model."""
    kind = TensorProto.INT32 if behind.op_type == "Cast" else TensorProto.INT64
    proto = model(
        [node("ArgMax", "x", "a", axis=2, keepdims=0), behind], {"x": (1, 5, 8)}, types={"y": kind}
    )
    planned, (output,) = proves(tmp_path, proto)
    assert np.mean(output.ours == output.runtime) > 0.9  # int8 does not tell all apart
    graph = planned.integer
    assert DType.INT32 is graph.tensor(graph.outputs[0].tensor).type.dtype
    assert "Cast" not in kinds(graph)


def test_what_is_there_for_real_values_refuses_indices(tmp_path: Path) -> None:
    """By its name."""
    nodes = [node("ArgMax", "x", "a", axis=2, keepdims=0), node("Softplus", "a")]
    path = tmp_path / "model.onnx"
    path.write_bytes(model(nodes, SERIES).SerializeToString())
    with pytest.raises(McuplanError, match="Softplus"):
        load_model(path)
