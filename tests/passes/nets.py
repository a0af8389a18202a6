# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models to rewrite, and what a runtime and the graph compute for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mcuplan.calibrate.runtime import Runtime
from mcuplan.importer import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.passes import run

Array = np.ndarray


@dataclass
class Net:
    """An ONNX model under construction; random constants come from a seed."""

    shape: tuple[int, ...]
    seed: int = 0
    opset: int = 17
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def const(self, value: object, dtype: object = np.float32) -> str:
        """A constant."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def random(self, *shape: int, low: float | None = None) -> str:
        """A random constant; uniform in [low, low + 1) where a low end is given."""
        if low is not None:
            return self.const(low + self.rng.random(shape))
        return self.const(self.rng.standard_normal(shape))

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        """A node; returns its first output."""
        names = [f"{op.lower()}{len(self.nodes)}" + (f"_{k}" if k else "") for k in range(outputs)]
        self.nodes.append(
            helper.make_node(op, list(inputs), names, name=f"node_{names[0]}", **attributes)
        )
        return names[0]

    def conv(
        self, x: str, channels: int, outputs: int, size: int = 3, pad: int = 1, **attributes: object
    ) -> str:
        """A Conv with bias."""
        group = int(attributes.get("group", 1))  # type: ignore[call-overload]
        weights = self.random(outputs, channels // group, size, size)
        return self.add("Conv", x, weights, self.random(outputs), pads=[pad] * 4, **attributes)

    def batch_norm(self, x: str, channels: int) -> str:
        """A BatchNormalization."""
        parameters = [
            self.random(channels, low=0.5),
            self.random(channels),
            self.random(channels),
            self.random(channels, low=0.5),
        ]
        return self.add("BatchNormalization", x, *parameters)

    def quantize(self, x: str, scale: float = 0.05, zero_point: int = 0) -> str:
        """QuantizeLinear and DequantizeLinear."""
        grid = [self.const(scale), self.const(zero_point, np.int8)]
        return self.add("DequantizeLinear", self.add("QuantizeLinear", x, *grid), *grid)

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The finished model, shapes inferred."""
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        made.ir_version = 8
        return onnx.shape_inference.infer_shapes(made, strict_mode=True, data_prop=True)

    def samples(self, count: int = 3) -> Array:
        """Random samples for the input."""
        return self.rng.standard_normal((count, *self.shape[1:])).astype(np.float32)


def imported(model: onnx.ModelProto, folder: Path) -> Graph:
    """The model as mcuplan reads it."""
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return load_model(path).graph


def run_onnx(model: onnx.ModelProto, samples: Mapping[str, Array]) -> list[Array]:
    """Outputs of the runtime without optimizations, samples on axis 0."""
    runtime = Runtime(model.SerializeToString(), optimize=False)
    count = len(next(iter(samples.values())))
    runs = [runtime.run({n: a[i : i + 1] for n, a in samples.items()}) for i in range(count)]
    return [np.concatenate(values) for values in zip(*runs, strict=True)]


def run_graph(graph: Graph, samples: Mapping[str, Array]) -> list[Array]:
    """Outputs of a graph, samples on axis 0, in the shapes of the model."""
    feeds = {}
    for port in graph.inputs:
        array, tensor = samples[port.name], graph.tensor(port.tensor)
        feeds[port.tensor] = array.reshape((len(array), *tensor.type.shape[1:]))
    values = evaluate(graph, feeds)
    return [values[p.tensor].reshape((-1, *p.shape[1:])) for p in graph.outputs]


def worst(expected: Sequence[Array], found: Sequence[Array]) -> float:
    """Largest difference as a share of the largest output."""
    assert [a.shape for a in expected] == [a.shape for a in found]
    pairs = zip(expected, found, strict=True)
    return max(float(np.abs(a - b).max() / max(1.0, np.abs(a).max())) for a, b in pairs)


def ops(graph: Graph) -> Counter[str]:
    """How many nodes of each operator."""
    return Counter(type(node.op).__name__ for node in graph.nodes)


def rewritten(model: onnx.ModelProto, samples: Array, folder: Path) -> Graph:
    """The graph after all passes, having shown that it computes what the model computes."""
    before = imported(model, folder)
    expected = run_onnx(model, {"x": samples})
    assert worst(expected, run_graph(before, {"x": samples})) < 1e-4
    after = run(before)
    after.check()
    assert worst(expected, run_graph(after, {"x": samples})) < 1e-4
    assert run(after) is after
    return after
