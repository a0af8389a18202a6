# SPDX-License-Identifier: Apache-2.0
"""Quantized models as other tools write them, node by node: read to the bit, without float.

Patterns after Brevitas (QuantizeLinear, Clip of integers, DequantizeLinear), QKeras through
tf2onnx (powers of two, Clip in front), PT2E of PyTorch (narrow ranges, biases left real, Constant
nodes) and the converters of TFLite (uint8 everywhere, shared scales).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from mcuplan import pipeline
from mcuplan.calibrate import Data
from mcuplan.passes.lower import lower
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.compare import ModelRuntime, QuantizedLayers
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Request
from mcuplan.targets import load_target
from tests.passes.nets import Net

TARGET = load_target("cortex-m4")


def _rounded(
    net: Net,
    x: str,
    scale: float,
    zero: int = 0,
    dtype: type = np.int8,
    ends: tuple[int, int] | None = None,
) -> str:
    """QuantizeLinear, perhaps Clip of integers, DequantizeLinear."""
    grid = [net.const(scale), net.const(zero, dtype)]
    q = net.add("QuantizeLinear", x, *grid)
    if ends is not None:
        q = net.add("Clip", q, *(net.const(end, dtype) for end in ends))
    return net.add("DequantizeLinear", q, *grid)


def _weights(net: Net, *shape: int, most: int = 127) -> str:
    """Integers of a scale for each filter."""
    values = net.const(net.rng.integers(-most, most + 1, shape), np.int8)
    scales = net.const(net.rng.uniform(0.003, 0.01, shape[0]))
    return net.add("DequantizeLinear", values, scales, net.const([0] * shape[0], np.int8), axis=0)


def _brevitas(net: Net) -> str:
    x = _rounded(net, "x", 0.03, ends=(-127, 127))
    x = net.add("Relu", net.add("Conv", x, _weights(net, 6, 4, 3, 3, most=7), pads=[1] * 4))
    x = _rounded(net, x, 0.05, dtype=np.uint8, ends=(0, 15))
    x = _rounded(net, net.add("Conv", x, _weights(net, 5, 6, 1, 1)), 0.1, ends=(-8, 7))
    x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return _rounded(net, net.add("Conv", x, _weights(net, 3, 5, 1, 1)), 0.2, ends=(-7, 7))


def _brevitas_weights(net: Net) -> str:
    """Weights rounded and cut in the graph, a bias of integers that is cut, too."""
    x = _rounded(net, "x", 0.03, ends=(-127, 127))
    scales, zeros = net.random(6, low=0.01), net.const([0] * 6, np.int8)
    w = net.add("QuantizeLinear", net.random(6, 4, 3, 3), scales, zeros, axis=0)
    w = net.add("Clip", w, net.const(-7, np.int8), net.const(7, np.int8))
    w = net.add("DequantizeLinear", w, scales, zeros, axis=0)
    b = net.const(net.rng.integers(-900, 900, 6), np.int32)
    b = net.add("Clip", b, net.const(-500, np.int32), net.const(500, np.int32))
    b = net.add("DequantizeLinear", b, net.const(0.03), net.const(0, np.int32))
    return _rounded(net, net.add("Conv", x, w, b), 2.0, ends=(-128, 126))


def _qkeras(net: Net) -> str:
    x = _rounded(net, net.add("Clip", "x", net.const(-4.0), net.const(3.96875)), 2.0**-5)
    x = net.add("Relu", net.add("Conv", x, _weights(net, 4, 4, 3, 3)))
    return _rounded(net, net.add("Clip", x, net.const(0.0), net.const(1.9375)), 2.0**-4)


def _qkeras_steps(net: Net, x: str, bits: int, whole: int, *, relu: bool = False) -> str:
    """quantized_bits, or quantized_relu: ``x + (scale * clip(round(x / scale)) - x)``."""
    scale, most = 2.0 ** (whole - bits + (not relu)), 2.0 ** (bits - (not relu))
    ends = (0.0 if relu else -1.0, 1.0 - 1.0 / most)
    y = net.add("Round", net.add("Mul", x, net.const(1.0 / scale)))
    y = net.add("Clip", net.add("Mul", y, net.const(1.0 / most)), *map(net.const, ends))
    y = net.add("Mul", y, net.const(scale * most))
    return net.add("Add", x, net.add("Add", net.add("Neg", x), y))


def _on_steps(net: Net, *shape: int, most: int) -> str:
    """Weights as real numbers, each filter on steps of its own."""
    values = net.rng.integers(-most, most + 1, shape)
    return net.const(values * net.rng.uniform(0.01, 0.1, (shape[0], *[1] * (len(shape) - 1))))


def _qkeras_written_out(net: Net) -> str:
    x = _qkeras_steps(net, "x", 8, 2)
    x = net.add("Conv", x, _on_steps(net, 6, 4, 3, 3, most=7), net.random(6), pads=[1] * 4)
    x = _qkeras_steps(net, net.add("Relu", x), 4, 2, relu=True)
    x = net.add("Conv", x, _on_steps(net, 5, 6, 3, 3, most=7))
    return _qkeras_steps(net, x, 6, 3)


def _qkeras_floor(net: Net) -> str:
    """Floor in place of Round, limits in front, Div, Min and Max."""
    x = _qkeras_steps(net, "x", 8, 2)
    x = net.add("Conv", x, _on_steps(net, 6, 4, 3, 3, most=7), net.random(6))
    x = net.add("Max", net.add("Min", x, net.const(3.9375)), net.const(0.0))
    x = net.add("Floor", net.add("Div", x, net.const(0.0625)))
    x = net.add("Mul", x, net.const(0.0625))
    x = net.add("Conv", x, _on_steps(net, 5, 6, 3, 3, most=3))
    y = net.add("Floor", net.add("Add", net.add("Mul", x, net.const(8.0)), net.const(0.5)))
    y = net.add("Clip", y, net.const(-128.0), net.const(127.0))
    return net.add("Add", x, net.add("Sub", net.add("Mul", y, net.const(0.125)), x))


def _narrow(net: Net) -> str:
    """7 bits of activations and weights."""
    x = _rounded(net, "x", 0.05, 60, ends=(0, 127))
    x = net.add("Conv", x, _weights(net, 6, 4, 3, 3, most=63), net.random(6))
    x = _rounded(net, net.add("Relu", x), 0.2, dtype=np.uint8, ends=(0, 127))
    return _rounded(net, net.add("Conv", x, _weights(net, 4, 6, 1, 1)), 0.3, 64, np.uint8, (0, 127))


def _pt2e(net: Net) -> str:
    x = _rounded(net, "x", 0.03, -5)
    x = net.add("Relu", net.add("Conv", x, _weights(net, 6, 4, 3, 3), net.random(6), pads=[1] * 4))
    x = _rounded(net, x, 0.08, -128)
    y = net.add("Conv", x, _weights(net, 6, 6, 3, 3), net.random(6), pads=[1] * 4)
    y = _rounded(net, y, 0.1, 3)
    x = _rounded(net, net.add("Relu", net.add("Add", x, y)), 0.12, -128)
    x = _rounded(net, net.add("GlobalAveragePool", x), 0.05, -128)
    x = _rounded(net, net.add("Reshape", x, net.const([1, 6], np.int64)), 0.05, -128)
    w = net.add("Transpose", _weights(net, 3, 6), perm=[1, 0])
    return _rounded(net, net.add("Gemm", x, w, net.random(3)), 0.1, 9)


def _smoothed(net: Net) -> str:
    """Channels divided in front of a product whose weights took the factors (SmoothQuant)."""
    x = net.add("Reshape", _rounded(net, "x", 0.03), net.const([1, 16, 16], np.int64))
    x = net.add("Mul", _rounded(net, x, 0.03), net.random(16, low=0.2))
    x = _rounded(net, x, 0.04, 3)
    values = net.const(net.rng.integers(-127, 128, (16, 6)), np.int8)
    w = net.add("DequantizeLinear", values, net.const(0.01), net.const(0, np.int8))
    return _rounded(net, net.add("MatMul", x, w), 0.15, 7)


def _constant_nodes(net: Net) -> str:
    """Scales as nodes; a zero point that is left out is 0 of uint8."""

    def constant(value: float, dtype: type = np.float32) -> str:
        return net.add("Constant", value=onnx.numpy_helper.from_array(np.asarray(value, dtype)))

    q = net.add("QuantizeLinear", "x", constant(0.03))
    x = net.add("Conv", net.add("DequantizeLinear", q, constant(0.03)), _weights(net, 4, 4, 3, 3))
    grid = [constant(0.1), constant(128, np.uint8)]
    return net.add("DequantizeLinear", net.add("QuantizeLinear", x, *grid), *grid)


def _tflite(net: Net) -> str:
    u8 = np.uint8
    x = _rounded(net, net.add("Transpose", "x", perm=[0, 2, 3, 1]), 0.03, 120, u8)
    x = net.add("Conv", net.add("Transpose", x, perm=[0, 3, 1, 2]), _weights(net, 6, 4, 3, 3))
    x = _rounded(net, net.add("Clip", x, net.const(0.0), net.const(6.0)), 6 / 255, 0, u8)
    y = net.add("Conv", x, _weights(net, 6, 1, 3, 3), group=6, pads=[1] * 4)
    y = _rounded(net, y, 0.05, 130, u8)
    x = _rounded(net, net.add("Add", x, y), 0.06, 100, u8)
    x = _rounded(net, net.add("Concat", x, y, axis=1), 0.06, 100, u8)
    x = net.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.add("Flatten", _rounded(net, x, 0.06, 100, u8))
    return _rounded(net, net.add("Softmax", x), 1 / 256, 0, u8)


DIALECTS: dict[str, Callable[[Net], str]] = {
    "brevitas": _brevitas,
    "brevitas_weights": _brevitas_weights,
    "qkeras": _qkeras,
    "qkeras_written_out": _qkeras_written_out,
    "qkeras_floor": _qkeras_floor,
    "narrow": _narrow,
    "pt2e": _pt2e,
    "smoothed": _smoothed,
    "constant_nodes": _constant_nodes,
    "tflite": _tflite,
}


def _saved(name: str, folder: Path) -> tuple[Path, Net]:
    net = Net((1, 4, 8, 8), seed=3)
    path = folder / "net.onnx"
    path.write_bytes(net.model(DIALECTS[name](net)).SerializeToString())
    return path, net


@pytest.mark.parametrize("name", DIALECTS)
def test_read_to_the_bit(name: str, tmp_path: Path) -> None:
    """No calibration, no layer in float32, each within a step of the runtime's."""
    path, net = _saved(name, tmp_path)
    request = Request(path, TARGET)
    _, floating = pipeline.simplify(request)
    graph = lower(pipeline.quantize(request, floating).grids.graph, None).whole
    assert not any(tensor.type.dtype.is_float for tensor in graph.tensors.values())
    data = Data({"x": 2 * net.samples(6)}, 6)
    layers = QuantizedLayers(graph)
    values = ModelRuntime(path, graph).values(data)
    layers.update(dict(boundary_inputs(graph, data)), {}, values)
    found = layers.result()
    assert len(found) > 1
    assert max(layer.max_lsb or 0 for layer in found.values()) <= 1


def test_integers_are_cut_where_they_are_computed(tmp_path: Path, host_gcc: str) -> None:
    """Limits of integers are those of the layer in front; only the input needs a step for them."""
    path, _ = _saved("brevitas", tmp_path)
    planned = pipeline.plan(Request(path, TARGET))
    kernels = [step.kernel.function for step in planned.plan.program.steps]
    assert 1 == sum("lookup" in kernel for kernel in kernels)
    evidence = verify(planned, planned.request, Wanted("net", on=("host",)))
    assert evidence.verifications[0].equal_to_reference
    assert [] == [finding for finding in evidence.findings if finding.severity == "error"]
