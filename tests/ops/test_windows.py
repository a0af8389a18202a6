# SPDX-License-Identifier: Apache-2.0
"""Windows of any kind over one to three axes, with attributes at random, against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from mcuplan.facts import InType
from mcuplan.importer import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.op import Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv3d import Conv3D
from mcuplan.ops.lp_pool import LpPool
from mcuplan.passes import run
from mcuplan.passes.keep_real import keep_real

from .onnx_cases import agrees, kinds, model, node, run_onnx

_PADS = ("NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def _window(rng: np.random.Generator, axes: int, most: int) -> dict[str, Any]:
    """Kernel, strides, dilations and padding that leave no window in the padding alone."""
    kernel = rng.integers(1, most + 1, axes)
    dilations, strides = rng.integers(1, 3, axes), rng.integers(1, 4, axes)
    auto = str(rng.choice(_PADS))
    pads = [int(rng.integers(0, k)) for k in (*kernel, *kernel)] if auto == "NOTSET" else None
    if auto.startswith("SAME"):
        dilations, strides = np.ones(axes, int), np.minimum(strides, kernel)  # runtimes agree
    made = {
        "kernel_shape": kernel.tolist(),
        "strides": strides.tolist(),
        "dilations": dilations.tolist(),
        "auto_pad": auto,
    }
    return made | ({"pads": pads} if pads else {})


def _shape(rng: np.random.Generator, axes: int, channels: int) -> tuple[int, ...]:
    return (1, channels, *(int(n) for n in rng.integers(7, 10, axes)))


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_pools(kind: str, seed: int, tmp_path: Path) -> None:
    """What is read, and what is written again, computes what ONNX Runtime does."""
    rng = np.random.default_rng([seed, len(kind)])
    axes = int(rng.integers(1, 4))
    attributes = _window(rng, axes, 3) | {"ceil_mode": int(rng.integers(0, 2))}
    if attributes["auto_pad"] != "NOTSET":
        attributes["ceil_mode"] = 0
    if kind == "AveragePool":
        attributes["count_include_pad"] = int(rng.integers(0, 2))
    agrees(tmp_path, model(node(kind, "x", **attributes), {"x": _shape(rng, axes, 3)}, opset=19))


@pytest.mark.parametrize("seed", range(16))
def test_convolutions(seed: int, tmp_path: Path) -> None:
    """The same of Conv, in groups."""
    rng = np.random.default_rng([seed, 1])
    axes, groups = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    attributes = _window(rng, axes, 3)
    weights = rng.normal(0, 0.3, (2 * groups, 2, *attributes["kernel_shape"])).astype(np.float32)
    made = node("Conv", "x w b", group=groups, **attributes)
    constants = {"w": weights, "b": rng.normal(0, 1, 2 * groups).astype(np.float32)}
    agrees(tmp_path, model(made, {"x": _shape(rng, axes, 2 * groups)}, constants))


@pytest.mark.parametrize("seed", range(32))
def test_transposed_convolutions(seed: int, tmp_path: Path) -> None:
    """The same of ConvTranspose, its output padded or of a given shape."""
    rng = np.random.default_rng([seed, 2])
    axes, groups = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    attributes = _window(rng, axes, 4) | {"group": groups}
    strides = attributes["strides"]
    if attributes["auto_pad"] == "NOTSET" and seed % 3 == 0:
        attributes["output_padding"] = [int(rng.integers(0, s)) for s in strides]
    size = rng.integers(3, 6, axes)
    if seed % 5 == 0:
        attributes.pop("pads", None)
        attributes["auto_pad"] = "NOTSET"
        attributes["output_shape"] = [int(n * s) for n, s in zip(size, strides, strict=True)]
    filters = int(rng.integers(1, 4))
    shape = (2 * groups, filters, *attributes["kernel_shape"])
    constants = {"w": rng.normal(0, 0.3, shape).astype(np.float32)}
    constants["b"] = rng.normal(0, 1, filters * groups).astype(np.float32)
    made = node("ConvTranspose", "x w b", **attributes)
    agrees(tmp_path, model(made, {"x": (1, 2 * groups, *map(int, size))}, constants))


def test_several_samples(tmp_path: Path) -> None:
    """A transposed convolution of several samples has an axis for them."""
    made = node("ConvTranspose", "x w", strides=[2, 1])
    constants = {"w": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)}
    proto = model(made, {"x": (3, 2, 3, 4)}, constants)
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    graph, x = load_model(tmp_path / "model.onnx").graph, np.arange(72, dtype=np.float32)
    found = evaluate(graph, {graph.inputs[0].tensor: x.reshape(1, 3, 2, 3, 4)})
    (wanted,) = run_onnx(proto, {"x": x.reshape(3, 2, 3, 4)})
    assert np.array_equal(wanted, found[graph.outputs[0].tensor].reshape(wanted.shape))


def test_a_transposed_convolution_without_stride_is_a_convolution(tmp_path: Path) -> None:
    """It then runs on the kernels that convolutions have."""
    weights = {"w": np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3)}
    made = node("ConvTranspose", "x w", pads=[1, 1, 1, 1])
    graph = agrees(tmp_path, model(made, {"x": (1, 2, 5, 4)}, weights))
    assert any(isinstance(n.op, Conv2D) for n in graph.nodes)
    made = node("ConvTranspose", "x w", pads=[1, 1, 1, 1], strides=[2, 2])
    graph = agrees(tmp_path, model(made, {"x": (1, 2, 5, 4)}, weights))
    assert any(isinstance(n.op, Conv3D) for n in graph.nodes)


@pytest.mark.parametrize("seed", range(12))
def test_norms(seed: int, tmp_path: Path) -> None:
    """LpPool of each order, padded and dilated; the norm of a whole map."""
    rng = np.random.default_rng([seed, 3])
    axes, order = int(rng.integers(1, 4)), 1 + seed % 4
    made = node("LpPool", "x", p=order, **_window(rng, axes, 3))
    agrees(tmp_path, model(made, {"x": _shape(rng, axes, 3)}, opset=18))
    made = node("GlobalLpPool", "x", p=order)
    agrees(tmp_path, model(made, {"x": _shape(rng, axes, 2)}))


@pytest.mark.parametrize(("order", "real"), [(4, False), (5, True), (64, True)])
def test_high_norms_are_real(order: int, real: bool, tmp_path: Path) -> None:
    """Powers of more than 32 bits compute in float32 inside an int8 model."""
    nodes = [node("LpPool", "x", "p", p=order, kernel_shape=[2, 2]), node("Relu", "p", "y")]
    (tmp_path / "net.onnx").write_bytes(model(nodes, {"x": (1, 2, 4, 4)}).SerializeToString())
    graph = keep_real(run(load_model(tmp_path / "net.onnx").graph))
    assert real == any(isinstance(note, InType) for note in graph.notes)


@pytest.mark.parametrize("seed", range(8))
def test_indices_of_the_largest(seed: int, tmp_path: Path) -> None:
    """Both orders of the input, over one to three axes."""
    rng = np.random.default_rng([seed, 4])
    axes = int(rng.integers(1, 4))
    attributes = _window(rng, axes, 3) | {"storage_order": seed % 2 if axes == 2 else 0}
    made = node("MaxPool", "x", "y i", **attributes)
    types = {"i": TensorProto.INT64}
    proto = model(made, {"x": _shape(rng, axes, 3)}, outputs="y i", types=types)
    agrees(tmp_path, proto)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(6))
def test_norms_of_integers_are_exact_to_one_step(order: int, seed: int) -> None:
    """The integers are the nearest ones to exact norms, or beside them."""
    rng = np.random.default_rng([seed, order])
    op = LpPool((2, 3), (1, 2), pads=(0, 1, 1, 0), order=order)
    source = Quant.per_tensor(float(2.0 ** rng.uniform(-9, 4)), int(rng.integers(-128, 128)))
    output = Quant.per_tensor(source.s * float(rng.uniform(0.5, 6)), int(rng.integers(-128, 128)))
    kind = TensorType((1, 9, 8, 30), DType.INT8, source)
    made = TensorType(op.infer([kind])[0].shape, DType.INT8, output)
    spread = int(rng.integers(1, 128))
    q = np.clip(source.z + rng.integers(-spread, spread + 1, kind.shape), -128, 127).astype(np.int8)
    found = op.integer(Signature(op, (kind,), (made,), (None,)), q)[0]
    real = op.reference(source.dequantize(q))[0].astype(np.float64)
    exact = np.clip(real / output.s + output.z, -128, 127)
    assert (0.51 if order < 3 else 1.5) > np.abs(found - exact).max()


def test_a_normalized_decoder_is_one_layer(tmp_path: Path) -> None:
    """BatchNormalization and Relu go into the transposed convolution in front of them."""
    rng = np.random.default_rng(8)
    constants = {"w": rng.normal(0, 0.3, (2, 3, 3, 3)).astype(np.float32)}
    constants |= {name: rng.uniform(0.5, 1.5, 3).astype(np.float32) for name in "gbmv"}
    nodes = [
        node("ConvTranspose", "x w", "c", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c g b m v", "n"),
        node("Relu", "n"),
    ]
    graph = run(agrees(tmp_path, model(nodes, {"x": (1, 2, 5, 4)}, constants)))
    assert ["Conv3D"] == [kind for kind in kinds(graph) if kind != "Transpose"]


@pytest.mark.parametrize("given", [False, True])
def test_values_go_where_they_were(given: bool, tmp_path: Path) -> None:
    """MaxUnpool of a MaxPool, to the shape that it had."""
    window = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        node("MaxPool", "x", "p i", **window),
        node("MaxUnpool", "p i s" if given else "p i", **window),
    ]
    constants = {"s": np.array([1, 2, 7, 6], np.int64)} if given else {}
    agrees(tmp_path, model(nodes, {"x": (1, 2, 7 if given else 6, 6)}, constants))
