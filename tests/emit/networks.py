# SPDX-License-Identifier: Apache-2.0
"""Small networks with fixed grids, the same bytes on every machine."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcuplan.emit import Bundle, Stamp, emit
from mcuplan.ir.graph import Graph, Node, Origin, Port, Tensor
from mcuplan.ir.op import Op
from mcuplan.ir.types import DType, TensorType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.movement import Reshape
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.ops.softmax import Softmax
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.assign_types import assign_types
from mcuplan.schedule.assembly.order import find_order
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.kernels.select import select_kernels
from mcuplan.schedule.planning.by_rows import plan_rows
from mcuplan.schedule.planning.finishing import finished_in_parts
from mcuplan.schedule.program import Plan
from mcuplan.targets import load_target

STAMP = Stamp("tiny.onnx", "0" * 64)


class _Net:
    """A chain of layers under construction, weights from integer arithmetic alone."""

    def __init__(self, shape: tuple[int, ...], boundary: DType) -> None:
        self.port = Port("image", "image", shape, DType.FLOAT32, boundary)
        self.tensors = {"image": Tensor("image", TensorType(shape), origin=_origin("image", shape))}
        self.nodes: list[Node] = []
        self.last = "image"

    def add(self, name: str, op: Op, *constants: tuple[int, ...]) -> None:
        inputs = [self.last]
        for k, shape in enumerate(constants):
            count = int(np.prod(shape))
            values = (np.arange(count) * (37 + len(self.nodes)) % 101 - 50) / 64
            data = values.reshape(shape).astype(np.float32)
            self.tensors[f"{name}_c{k}"] = Tensor(f"{name}_c{k}", TensorType(shape), data=data)
            inputs.append(f"{name}_c{k}")
        kind = op.infer([self.tensors[n].type for n in inputs])[0]
        self.tensors[name] = Tensor(name, kind, origin=_origin(name, kind.shape))
        self.nodes.append(Node(f"node_{name}", op, tuple(inputs), (name,), f"net/{name}"))
        self.last = name

    def graph(self) -> Graph:
        shape = self.tensors[self.last].type.shape
        output = Port(self.last, self.last, shape, DType.FLOAT32)
        tensors = MappingProxyType(self.tensors)
        return Graph("tiny", (self.port,), (output,), tuple(self.nodes), tensors)


def _origin(name: str, shape: tuple[int, ...]) -> Origin:
    return Origin(name, tuple(range(len(shape))))


def tiny_graph(boundary: DType = DType.INT8) -> Graph:
    """Convolution, depthwise, 1x1, average, dense, softmax."""
    net = _Net((1, 8, 7, 2), boundary)
    relu = (0.0, float("inf"))
    net.add("conv", Conv2D((3, 3), (2, 2), pads=(1, 1, 1, 1), act=relu), (6, 3, 3, 2), (6,))
    net.add("dw", Conv2D((3, 3), pads=(1, 1, 1, 1), groups=6, act=(0.0, 6.0)), (6, 3, 3, 1), (6,))
    net.add("pw", Conv2D((1, 1)), (5, 1, 1, 6), (5,))
    net.add("pool", AvgPool2D((4, 4)))
    net.add("flat", Reshape((1, 5)))
    net.add("dense", Dense(), (3, 5), (3,))
    net.add("softmax", Softmax())
    return net.graph()


def tiny_plan(target: str = "cortex-m4", boundary: DType = DType.INT8) -> Plan:
    """The tiny network, quantized with fixed ranges and planned."""
    integer = tiny_integer(boundary)
    return make_plan(select_kernels(find_order(integer).graph, load_target(target)))


def tiny_integer(boundary: DType = DType.INT8) -> Graph:
    """The tiny network, quantized with fixed ranges."""
    ranges = {"image": (-1.0, 1.0), "conv": (0.0, 4.0), "dw": (0.0, 6.0), "pw": (-5.0, 5.0)}
    ranges |= {"pool": (-3.0, 3.0), "flat": (-3.0, 3.0), "dense": (-6.0, 6.0)}
    return assign_types(assign_grids(tiny_graph(boundary), ranges).graph)


def tiny_rows_plan(
    target: str = "cortex-m4", boundary: DType = DType.INT8, *, feed: bool = True
) -> Plan:
    """The tiny network planned by rows; its input fed row by row."""
    plan = plan_rows(tiny_integer(boundary), load_target(target), feed=feed)
    assert plan is not None
    return plan


def tiny_parts_plan(target: str = "cortex-m4") -> Plan:
    """The tiny network fed by rows, with several calls that finish it."""
    plan = finished_in_parts(tiny_rows_plan(target), 6000)
    assert len(plan.pauses) > 2
    return plan


def tiny_bundle(target: str = "cortex-m4", boundary: DType = DType.INT8) -> Bundle:
    """The tiny network as C."""
    return emit(tiny_plan(target, boundary), "tiny", STAMP)
