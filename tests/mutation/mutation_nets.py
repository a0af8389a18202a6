# SPDX-License-Identifier: Apache-2.0
"""Small model files that reach the kernels and the texts that mutants change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

__all__ = ["RUNS", "write_nets"]

_NHWC = ("--io-layout", "nhwc")
_FED = ("--streaming", "input", *_NHWC)
RUNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "chain": ("chain", ("--on", "host", "--streaming", "off")),
    "rows": ("wide", ("--on", "host", "--streaming", "auto", "--objective", "ram", *_NHWC)),
    "fed": ("wide", ("--on", "host", *_FED)),
    "parts": ("wide", ("--on", "host", "--max-row-latency", "50us", *_FED)),
    "mix": ("mix", ("--on", "host", "--streaming", "off")),
    "limits": ("limits", ("--on", "host")),
    "m4limits": ("limits", ("--on", "emulator", "-t", "cortex-m4")),
    "m4small": ("limits", ("--on", "emulator", "-t", "cortex-m4", "--objective", "ram")),
    "m55limits": ("limits", ("--on", "emulator", "-t", "cortex-m55")),
    "m4odd": ("odd", ("--on", "emulator", "-t", "cortex-m4", "--objective", "latency")),
    "m0odd": ("odd", ("--on", "emulator", "-t", "cortex-m0plus", "--objective", "latency")),
    "m0": ("chain", ("--on", "emulator", "--streaming", "off", "-t", "cortex-m0plus")),
    "m4": ("chain", ("--on", "emulator", "--streaming", "off", "-t", "cortex-m4")),
    "m4mix": ("mix", ("--on", "emulator", "--streaming", "off", "-t", "cortex-m4")),
    "m55": ("chain", ("--on", "emulator", "--streaming", "off", "-t", "cortex-m55")),
    "m55mix": ("mix", ("--on", "emulator", "--streaming", "off", "-t", "cortex-m55")),
}
"""By name: a model, and the options of ``mcuplan verify``."""


class _Net:
    """Nodes in order, constants with random values."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(7)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def weights(self, *shape: int) -> str:
        return self.constant(self.rng.normal(0, 0.5, shape).astype(np.float32))

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def save(self, path: Path, shape: list[int], outputs: list[str]) -> None:
        value = helper.make_tensor_value_info
        ends = [value(name, TensorProto.FLOAT, None) for name in outputs]
        starts = [value("x", TensorProto.FLOAT, shape)]
        graph = helper.make_graph(self.nodes, path.stem, starts, ends, self.constants)
        opset = [helper.make_opsetid("", 17)]
        path.write_bytes(
            helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
        )


def _chain(path: Path) -> None:
    """Convolution, depthwise, 1x1, global average, dense, softmax; odd sizes."""
    net = _Net()
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    y = net.add("Conv", "x", net.weights(6, 2, 3, 3), net.weights(6), strides=[2, 2], **conv)
    y = net.add("Relu", y)
    y = net.add("Conv", y, net.weights(6, 1, 3, 3), net.weights(6), group=6, **conv)
    y = net.add("Relu", y)
    y = net.add("Conv", y, net.weights(5, 6, 1, 1), net.weights(5), kernel_shape=[1, 1])
    y = net.add("Flatten", net.add("GlobalAveragePool", y))
    y = net.add("Gemm", y, net.weights(5, 3), net.weights(3))
    net.save(path, [1, 2, 8, 7], [net.add("Softmax", y, axis=1)])


def _wide(path: Path) -> None:
    """Layers that are wide between narrow ones: by rows they take less."""
    net = _Net()
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    y = net.add("Relu", net.add("Conv", "x", net.weights(12, 2, 3, 3), net.weights(12), **conv))
    y = net.add("Conv", y, net.weights(12, 1, 3, 3), net.weights(12), group=12, **conv)
    y = net.add("Conv", net.add("Relu", y), net.weights(5, 12, 1, 1), net.weights(5))
    y = net.add("Flatten", net.add("GlobalAveragePool", y))
    net.save(path, [1, 2, 12, 6], [net.add("Gemm", y, net.weights(5, 3), net.weights(3))])


def _mix(path: Path) -> None:
    """One layer of every other kernel, and three outputs."""
    net = _Net()
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    a = net.add("Conv", "x", net.weights(10, 2, 3, 3), net.weights(10), group=2, **conv)
    table = net.add("Sigmoid", a)
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    c = net.add("MaxPool", a, **window)
    d = net.add("AveragePool", a, **window)
    joined = net.add("Concat", net.add("Mul", c, d), net.add("Sub", c, d), axis=1)
    joined = net.add("Concat", joined, net.add("Max", d, net.weights(1, 10, 1, 1)), axis=1)
    pads = net.constant(np.array([0, 0, 1, 1, 0, 0, 1, 2], np.int64))
    padded = net.add("Pad", joined, pads, mode="reflect")
    bounds = [net.constant(np.array(v, np.int64)) for v in ([0, 1], [6, 7], [2, 3], [2, 1])]
    net.save(path, [1, 4, 9, 9], [net.add("Slice", padded, *bounds), net.add("Add", c, d), table])


def _limits(path: Path) -> None:
    """A convolution with a factor above one half, clamped inside its grid on both sides."""
    net = _Net()
    scale, zero = (net.constant(np.float32(0.02)), net.constant(np.int8(-10)))
    wide = (net.constant(np.float32(0.75)), net.constant(np.int8(0)))
    weights = net.constant(net.rng.integers(-1, 2, (6, 4, 5, 5)).astype(np.int8))
    x = net.add("DequantizeLinear", net.add("QuantizeLinear", "x", scale, zero), scale, zero)
    y = net.add("Conv", x, net.add("DequantizeLinear", weights, *wide), pads=[2, 2, 2, 2])
    y = net.add("Clip", y, net.constant(np.float32(0)), net.constant(np.float32(1)))
    y = net.add("DequantizeLinear", net.add("QuantizeLinear", y, scale, zero), scale, zero)
    net.save(path, [1, 4, 5, 5], [y])


def _odd(path: Path) -> None:
    """Convolutions with an odd number of pixels: one is left over when they go by two."""
    net = _Net()
    y = net.add("Conv", "x", net.weights(42, 2, 5, 5), net.weights(42), pads=[2, 2, 2, 2])
    y = net.add("Conv", net.add("Relu", y), net.weights(5, 42, 1, 1), net.weights(5))
    net.save(path, [1, 2, 5, 5], [y])


def write_nets(folder: Path) -> None:
    """Write every model."""
    _chain(folder / "chain.onnx")
    _wide(folder / "wide.onnx")
    _mix(folder / "mix.onnx")
    _limits(folder / "limits.onnx")
    _odd(folder / "odd.onnx")
