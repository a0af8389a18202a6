# SPDX-License-Identifier: Apache-2.0
"""Small int8 graphs with chosen grids, weights and biases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph, Node, Port, Tensor
from mcuplan.ir.op import Op
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.passes.dead_channels import Removal

Array = np.ndarray
GRID = Quant.per_tensor(0.05, -4)
RELU = (0.0, float("inf"))


@dataclass
class Int8Net:
    """An int8 graph under construction; its input is ``x``."""

    shape: tuple[int, ...]
    grid: Quant = GRID
    seed: int = 0
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.tensors["x"] = Tensor("x", TensorType(self.shape, DType.INT8, self.grid))

    def channels(self, name: str) -> int:
        """Size of a tensor's last axis."""
        return self.tensors[name].type.channels

    def constant(self, values: Array, quant: Quant) -> str:
        """A constant of int8 or int32."""
        name = f"c{len(self.tensors)}"
        dtype = DType.INT32 if values.dtype == np.int32 else DType.INT8
        kind = TensorType(values.shape, dtype, quant)
        self.tensors[name] = Tensor(name, kind, data=values)
        return name

    def add(self, op: Op, *inputs: str, grid: Quant | None = None) -> str:
        """A node; returns its output, on the grid of its first input if none is given."""
        kinds = [self.tensors[name].type for name in inputs]
        name = f"{type(op).__name__.lower()}{len(self.nodes)}"
        shape = op.infer(kinds)[0].shape
        kind = TensorType(shape, DType.INT8, grid or kinds[0].q)
        self.tensors[name] = Tensor(name, kind)
        self.nodes.append(Node(f"node_{name}", op, inputs, (name,)))
        return name

    def weights(self, *shape: int) -> Array:
        """Random weights without zeros."""
        values = self.rng.integers(1, 40, shape) * self.rng.choice([-1, 1], shape)
        return values.astype(np.int8)

    def conv(
        self,
        source: str,
        weights: Array,
        bias: Array | None = None,
        grid: Quant | None = None,
        **attributes: object,
    ) -> str:
        """A convolution with weights [O, kh, kw, C/groups], scales per filter."""
        op = Conv2D(weights.shape[1:3], **attributes)  # type: ignore[arg-type]
        return self._weighted(op, source, weights, bias, grid)

    def depthwise(self, source: str, weights: Array, **more: object) -> str:
        """A depthwise convolution with weights [O, kh, kw, 1]."""
        return self.conv(source, weights, groups=self.channels(source), **more)  # type: ignore[arg-type]

    def dense(self, source: str, weights: Array, bias: Array | None = None) -> str:
        """A matrix [O, K] applied to the last axis."""
        return self._weighted(Dense(), source, weights, bias, None)

    def _weighted(
        self, op: Op, source: str, weights: Array, bias: Array | None, grid: Quant | None
    ) -> str:
        outputs = len(weights)
        if bias is None:
            bias = self.rng.integers(-900, 900, outputs)
        scales = tuple((0.002 + 0.01 * self.rng.random(outputs)).tolist())
        per_filter = Quant(scales, (0,) * outputs, 0)
        w = self.constant(weights.astype(np.int8), per_filter)
        b = self.constant(np.asarray(bias).astype(np.int32), per_filter)
        return self.add(op, source, w, b, grid=grid or GRID)

    def graph(self, *outputs: str) -> Graph:
        """The finished graph."""
        ports = [Port(name, name, self.tensors[name].type.shape, DType.INT8) for name in outputs]
        port = Port("x", "x", self.shape, DType.INT8)
        made = Graph("net", (port,), tuple(ports), tuple(self.nodes), dict(self.tensors))
        made.check()
        return made


def inputs_of(graph: Graph, samples: int = 4, seed: int = 1) -> dict[str, Array]:
    """Random integers, and both ends of the range."""
    rng = np.random.default_rng(seed)
    (port,) = graph.inputs
    shape = (samples, *graph.tensor(port.tensor).type.shape[1:])
    values = rng.integers(-128, 128, shape)
    values[0], values[1] = -128, 127
    return {port.tensor: values.astype(np.int8)}


def differing(removal: Removal, feeds: dict[str, Array]) -> list[str]:
    """Activations of which any surviving byte is not that of the whole graph."""
    names = [name for node in removal.whole.nodes for name in node.outputs]
    whole = evaluate(removal.whole, feeds, names)
    cut = evaluate(removal.graph, feeds, names)
    return [
        name
        for name in names
        if not np.array_equal(removal.surviving(name, whole[name]), cut[name])
    ]


def channels_of(graph: Graph, names: Sequence[str]) -> list[int]:
    """Channels of tensors."""
    return [graph.tensor(name).type.channels for name in names]
