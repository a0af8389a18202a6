# SPDX-License-Identifier: Apache-2.0
"""int8 graphs that grow node by node, with weights that are made up."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from mcuplan.ir.graph import Graph, Node, Port, Tensor
from mcuplan.ir.op import Op
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add

__all__ = ["Wiring"]

_GRID = Quant.per_tensor(0.1, 0)


class Wiring:
    """A graph that grows node by node; tensors are known by their names."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._tensors: dict[str, Tensor] = {}
        self._nodes: list[Node] = []
        self._inputs: list[Port] = []

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Shape of a tensor."""
        return self._tensors[tensor].type.shape

    def input(self, *shape: int) -> str:
        """A new input of the graph."""
        name = f"in{len(self._inputs)}"
        self._tensors[name] = Tensor(name, TensorType(shape, DType.INT8, _GRID))
        self._inputs.append(Port(name, name, shape, DType.INT8))
        return name

    def add(self, op: Op, *inputs: str) -> str:
        """A node and the tensor it makes."""
        (kind,) = op.infer([self._tensors[name].type for name in inputs])
        name = f"t{len(self._nodes)}"
        self._tensors[name] = Tensor(name, TensorType(kind.shape, DType.INT8, _GRID))
        self._nodes.append(Node(f"n{len(self._nodes)}", op, inputs, (name,)))
        return name

    def conv(self, x: str, channels: int, kernel: int = 1, stride: int = 1) -> str:
        """Convolution that keeps the size, or divides it by the stride."""
        side = (kernel - 1) // 2
        pads = (side, side, kernel - 1 - side, kernel - 1 - side)
        return self.conv_with(Conv2D((kernel, kernel), (stride, stride), pads=pads), x, channels)

    def conv_with(self, op: Conv2D, x: str, channels: int) -> str:
        """A convolution with weights of its own."""
        shape = (channels, *op.kernel, self.shape(x)[3] // op.groups)
        stem = str(len(self))
        values = np.arange(int(np.prod(shape))) * (7 + 2 * len(self)) % 15 - 7
        weights = TensorType(shape, DType.INT8, _GRID)
        bias = TensorType((channels,), DType.INT32, _GRID)
        self._tensors |= {
            f"w{stem}": Tensor(f"w{stem}", weights, values.reshape(shape).astype(np.int8)),
            f"b{stem}": Tensor(f"b{stem}", bias, np.arange(channels, dtype=np.int32)),
        }
        return self.add(op, x, f"w{stem}", f"b{stem}")

    def dense(self, x: str, outputs: int) -> str:
        """A dense layer with weights of its own."""
        stem, inputs = str(len(self)), self.shape(x)[-1]
        values = (np.arange(outputs * inputs) * 7 % 15 - 7).reshape(outputs, inputs)
        weights = TensorType((outputs, inputs), DType.INT8, _GRID)
        bias = TensorType((outputs,), DType.INT32, _GRID)
        self._tensors |= {
            f"w{stem}": Tensor(f"w{stem}", weights, values.astype(np.int8)),
            f"b{stem}": Tensor(f"b{stem}", bias, np.arange(outputs, dtype=np.int32)),
        }
        return self.add(Dense(), x, f"w{stem}", f"b{stem}")

    def sum(self, parts: Sequence[str]) -> str:
        """Sum of any number of tensors of one shape."""
        total = parts[0]
        for part in parts[1:]:
            total = self.add(Add(), total, part)
        return total

    def join(self, parts: Sequence[str]) -> str:
        """Channels of all tensors."""
        return self.add(Concat(3), *parts) if len(parts) > 1 else parts[0]

    def graph(self, *outputs: str) -> Graph:
        """The graph made so far."""
        ports = tuple(Port(o, o, self.shape(o), DType.INT8) for o in outputs)
        tensors = MappingProxyType(dict(self._tensors))
        return Graph(self.name, tuple(self._inputs), ports, tuple(self._nodes), tensors)

    def __len__(self) -> int:
        return len(self._nodes)
