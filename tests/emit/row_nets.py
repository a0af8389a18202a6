# SPDX-License-Identifier: Apache-2.0
"""Random networks of row-local layers, with odd strides, dilations, paddings and sizes."""

from __future__ import annotations

import random
from dataclasses import replace
from types import MappingProxyType

from mcuplan.ir.graph import Graph
from mcuplan.ir.types import DType, Quant
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add, Mul
from mcuplan.ops.movement import Reshape
from mcuplan.ops.pad import Pad
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.resample import Upsample
from mcuplan.ops.softmax import Softmax
from mcuplan.ops.unary import Lookup, UnaryFn
from mcuplan.prove.fit.wiring import Wiring

NARROW, WIDE, WIDE_BY_NARROW = (
    (DType.INT8, DType.INT4),
    (DType.INT16, DType.INT8),
    (DType.INT16, DType.INT4),
)
"""Types of activations and weights, beside int8 for both."""

_Span = tuple[int, int, int, int, int]  # kernel, stride, dilation, padding before and after


def row_net(seed: int, layers: int = 9) -> Graph:
    """A network with branches that rejoin, and a mean at its end; equal seeds, equal networks."""
    rng = random.Random(seed)
    net = Wiring(f"row_net{seed}")
    image = net.input(1, rng.randint(5, 13), rng.randint(2, 5), rng.randint(1, 3))
    made = [net.conv(image, rng.randint(2, 6), 3, rng.randint(1, 2))]
    for _ in range(layers):
        x = rng.choice(made[-2:])
        like = [name for name in made if net.shape(name) == net.shape(x)]
        made.append(_layer(rng, net, x, rng.choice(like)))
    _, height, width, channels = net.shape(made[-1])
    pooled = net.add(AvgPool2D((height, width), (height, width)), made[-1])
    return net.graph(net.add(Softmax(), net.add(Reshape((1, channels)), pooled)))


def in_types(graph: Graph, made: DType, weights: DType) -> Graph:
    """The same network with activations and weights of other types."""
    constants = {n.inputs[i]: i for n in graph.nodes for i in n.op.weight_inputs}
    finer = 0.1 if made is DType.INT8 else 0.004
    grids = {
        0: (weights, Quant.per_tensor(finer, 0, weights)),
        1: (DType.INT32, Quant.per_tensor(finer, 0, DType.INT32)),
    }
    other = made, Quant.per_tensor(0.1, 0, made)
    tensors = {}
    for name, tensor in graph.tensors.items():
        index = constants.get(name)
        dtype, quant = other if index is None else grids[index - 1]
        tensors[name] = replace(tensor, type=replace(tensor.type, dtype=dtype, quant=quant))
    ports = {
        field: tuple(replace(port, dtype=made) for port in getattr(graph, field))
        for field in ("inputs", "outputs")
    }
    return replace(graph, tensors=MappingProxyType(tensors), **ports)


def _layer(rng: random.Random, net: Wiring, x: str, other: str) -> str:
    _, height, width, channels = net.shape(x)
    kind = rng.choice(["conv"] * 4 + ["dw", "add", "mul", "cat", "pool", "pad", "up", "tanh"])
    if kind in ("add", "mul"):
        return net.add(Add() if kind == "add" else Mul(), x, other)
    if kind == "cat" and channels < 12:
        return net.add(Concat(3), x, other)
    if kind == "up" and height < 9:
        return net.add(Upsample((1, 2, 1, 1)), x)
    if kind == "pad" and height < 12:
        pads = ((0, 0), (rng.randint(0, 2), rng.randint(0, 2)), (1, 0), (0, 0))
        return net.add(Pad(pads, rng.choice(["constant", "edge"])), x)
    if kind == "tanh":
        return net.add(Lookup((UnaryFn("tanh"),)), x)
    kh, sh, dh, top, bottom = _span(rng, height)
    kw, sw, dw, left, right = _span(rng, width)
    if kind == "pool":
        pool = rng.choice([MaxPool2D, AvgPool2D])
        return net.add(pool((min(2, height), min(2, width)), (sh, 1)), x)
    groups = channels if kind == "dw" else 1
    op = Conv2D((kh, kw), (sh, sw), (dh, dw), (top, left, bottom, right), groups)
    return net.conv_with(op, x, channels if kind == "dw" else rng.randint(1, 9))


def _span(rng: random.Random, size: int) -> _Span:
    """A window along one axis that fits."""
    kernel, dilation = rng.randint(1, 4), rng.randint(1, 3)
    reach = (kernel - 1) * dilation
    before, after = rng.randint(0, reach), rng.randint(0, reach)
    while size + before + after <= reach:
        before, after = before + 1, after + 1
    return kernel, rng.randint(1, 3), dilation, before, after
