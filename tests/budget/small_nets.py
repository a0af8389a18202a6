# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models built in tests, channels first, from a fixed seed or all zero."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """A chain of layers; each method adds one that reads what the last one made."""

    def __init__(self, shape: Sequence[int], *, zeros: bool = False, name: str = "input") -> None:
        self._shape, self._zeros, self._first = list(shape), zeros, name
        self._rng = np.random.default_rng(1)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self.last = name

    def add(self, kind: str, constants: Sequence[Sequence[int]] = (), **attributes: Any) -> Net:
        """One node; ``constants`` are shapes of further inputs; ``name`` may be given."""
        name = attributes.pop("name", f"{kind.lower()}{len(self._nodes)}")
        inputs = [self.last, *attributes.pop("others", ())]
        for i, shape in enumerate(constants):
            tensor = self._constant(f"{name}_c{i}", shape)
            self._weights.append(tensor)
            inputs.append(tensor.name)
        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        self.last = name
        return self

    def conv(self, outputs: int, inputs: int, kernel: int, **attributes: Any) -> Net:
        """Conv with bias; ``inputs`` per group."""
        shapes = ((outputs, inputs, kernel, kernel), (outputs,))
        return self.add("Conv", shapes, **attributes)

    def dense(self, outputs: int, inputs: int, **attributes: Any) -> Net:
        """Gemm with bias."""
        return self.add("Gemm", ((outputs, inputs), (outputs,)), transB=1, **attributes)

    def model(self) -> onnx.ModelProto:
        """The model; its only output is what the last layer made."""
        first = helper.make_tensor_value_info(self._first, TensorProto.FLOAT, self._shape)
        final = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)
        graph = helper.make_graph(self._nodes, "net", [first], [final], self._weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        made.ir_version = 8
        return made

    def zero(self, name: str, filters: Sequence[int]) -> Net:
        """Weights and bias of some filters of a layer become zero."""
        for k, tensor in enumerate(self._weights):
            if tensor.name.startswith(f"{name}_c"):
                values = np.array(numpy_helper.to_array(tensor))
                values[list(filters)] = 0
                self._weights[k] = numpy_helper.from_array(values, tensor.name)
        return self

    def save(self, path: Path) -> Path:
        """Write the model."""
        path.write_bytes(self.model().SerializeToString())
        return path

    def _constant(self, name: str, shape: Sequence[int]) -> onnx.TensorProto:
        values = self._rng.standard_normal(shape) if not self._zeros else np.zeros(shape)
        raw = values.astype(np.float32).tobytes()
        return helper.make_tensor(name, TensorProto.FLOAT, shape, raw, raw=True)


def small_net(channels: int = 4) -> Net:
    """Two convolutions, a pooling and a dense layer on an 8x8 image of 2 channels."""
    net = Net((1, 2, 8, 8)).conv(channels, 2, 3, pads=[1] * 4, name="first").add("Relu")
    net.conv(3, channels, 1, name="second").add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    return net.add("Flatten").dense(5, 48, name="head")
