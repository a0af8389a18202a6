# SPDX-License-Identifier: Apache-2.0
"""Operators on quantized integers that lie on no grid of one scale, and dynamic quantization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from mcuplan import pipeline
from mcuplan.calibrate import random_data
from mcuplan.errors import McuplanError
from mcuplan.facts import DynamicAsReal
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType
from mcuplan.prove.evidence import against_runtime
from mcuplan.record import Request
from mcuplan.targets import load_target

from .host_proof import proves
from .onnx_cases import agrees, kinds, model, node

U8, I8, I32, FLOAT = TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.FLOAT
LINE, IMAGE = {"x": (1, 6)}, {"x": (1, 3, 4, 6)}
_RNG = np.random.default_rng(4)
BYTES = _RNG.integers(0, 256, (6, 5)).astype(np.uint8)
SCALES = np.float32([0.02, 0.1, 0.5])
POINTS = np.uint8([0, 128, 200])
AXIS = {"s": SCALES, "z": POINTS}

MODELS: dict[str, Any] = {
    "quantized by axis": model(
        node("QuantizeLinear", "x s z", axis=1), IMAGE, AXIS, types={"y": U8}
    ),
    "without zero point": model(
        node("QuantizeLinear", "x s", axis=-3), IMAGE, {"s": SCALES}, types={"y": U8}
    ),
    "there and back by axis": model(
        [
            node("QuantizeLinear", "x s z", "q", axis=1),
            node("DequantizeLinear", "q s z", axis=1),
        ],
        IMAGE,
        AXIS,
    ),
    "dynamic": model(
        node("DynamicQuantizeLinear", "x", "y s z"),
        LINE,
        outputs="y s z",
        types={"y": U8, "s": FLOAT, "z": U8},
    ),
    "dynamic and back": model(
        [
            node("DynamicQuantizeLinear", "x", "q s z"),
            node("DequantizeLinear", "q s z"),
        ],
        LINE,
    ),
    "whole products": model(
        [node("Cast", "x", "q", to=U8), node("MatMulInteger", "q w z v")],
        LINE,
        {"w": BYTES, "z": np.uint8(7), "v": np.uint8([0, 9, 100, 255, 3])},
        types={"y": I32},
    ),
    "whole windows": model(
        [
            node("Cast", "x", "q", to=U8),
            node("ConvInteger", "q w z", pads=[1, 1, 1, 1]),
        ],
        {"x": (1, 1, 5, 6)},
        {"w": BYTES[:3, :3].reshape(1, 1, 3, 3), "z": np.uint8(9)},
        types={"y": I32},
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_as_onnx_runtime(name: str, tmp_path: Path) -> None:
    """Integers in every bit, halves as they come."""
    signed = "dynamic" in name
    agrees(tmp_path, MODELS[name], low=-9.0 if signed else 0.0, high=60.0)


def _dynamic_layer(read: str, made: str, weights: str) -> list[Any]:
    """A layer as ONNX Runtime quantizes it dynamically."""
    return [
        node("DynamicQuantizeLinear", read, f"{read}_q {read}_s {read}_z"),
        node("Mul", f"{read}_s {weights}_s", f"{made}_s"),
        node("MatMulInteger", f"{read}_q {weights} {read}_z {weights}_z", f"{made}_i"),
        node("Cast", f"{made}_i", f"{made}_f", to=FLOAT),
        node("Mul", f"{made}_f {made}_s", made),
    ]


def test_dynamic_layers_become_static(tmp_path: Path, host_gcc: str) -> None:
    """Their products are those of the weights, and no float is left in the C code."""
    weights = {"w": (12, 8), "v": (8, 4)}
    held: dict[str, Any] = {
        n: _RNG.integers(-127, 128, s).astype(np.int8) for n, s in weights.items()
    }
    held |= {"w_s": np.float32(0.01), "v_s": np.float32(0.02), "w_z": np.int8(0), "v_z": np.int8(3)}
    nodes = [
        *_dynamic_layer("x", "h", "w"),
        node("Relu", "h", "r"),
        *_dynamic_layer("r", "y", "v"),
    ]
    planned, (output,) = proves(tmp_path, model(nodes, {"x": (1, 12)}, held))
    assert ["Dense", "Dense"] == kinds(planned.integer)
    noise = np.square(output.ours - output.runtime).sum() / np.square(output.runtime).sum()
    assert 10 * np.log10(noise) < -25


@pytest.mark.parametrize("terms", [258, 259, 700])
def test_long_sums_of_bytes_are_exact(terms: int, tmp_path: Path) -> None:
    """Where float32 does not hold the largest sum, it is that of parts in int32."""
    held = {"w": np.full((terms, 3), 255, np.uint8)}
    nodes = [
        node("Cast", "x", "q", to=U8),
        node("MatMulInteger", "q w", "i"),
        node("Sub", "i top", "y"),
    ]
    held["top"] = np.array([[255 * 255 * terms - 1, 1, 0]], np.int32)
    proto = model(nodes, {"x": (1, terms)}, held, types={"y": I32})
    (tmp_path / "net.onnx").write_bytes(proto.SerializeToString())
    graph = load_model(tmp_path / "net.onnx").graph
    feeds = {graph.inputs[0].tensor: np.full((1, terms), 255, np.float32)}
    (made,) = evaluate(graph, feeds).values()
    whole = 255 * 255 * terms
    assert [1, whole - 1, whole] == made.reshape(-1).tolist()


def test_dynamic_layers_in_float32(tmp_path: Path) -> None:
    """The runtime rounds what each sample holds, the C code does not: no defect of either."""
    held = {
        "w": _RNG.integers(-127, 128, (12, 8)).astype(np.int8),
        "w_s": np.float32(0.01),
        "w_z": np.int8(0),
    }
    path = tmp_path / "net.onnx"
    proto = model(_dynamic_layer("x", "y", "w"), {"x": (1, 12)}, held)
    path.write_bytes(proto.SerializeToString())
    planned = pipeline.plan(Request(path, load_target("cortex-m4"), dtype=DType.FLOAT32))
    assert DynamicAsReal(1) in planned.notes
    data = random_data(planned.model.graph.inputs)
    seen = against_runtime(path, planned.removal.whole, data, quantized=False)
    assert not seen.findings
    assert 20 < (seen.outputs[0].sqnr_db or 0) < 80


@pytest.mark.parametrize(
    ("proto", "said"),
    [
        (model(node("QuantizeLinear", "x s", axis=2), IMAGE, {"s": SCALES}), "3 scales"),
        (model(node("QuantizeLinear", "x s", axis=7), IMAGE, {"s": SCALES}), "axis=7"),
        (
            model(
                [node("Cast", "x", "q", to=U8), node("ConvInteger", "q w")],
                {"x": (1, 300, 2)},
                {"w": np.ones((4, 300, 1), np.uint8)},
                types={"y": I32},
            ),
            "sums of 300",
        ),
    ],
)
def test_refused(proto: Any, said: str, tmp_path: Path) -> None:
    """What does not fit, or would not be exact."""
    (tmp_path / "net.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(McuplanError, match=said):
        load_model(tmp_path / "net.onnx")
