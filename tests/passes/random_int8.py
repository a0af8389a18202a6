# SPDX-License-Identifier: Apache-2.0
"""Random int8 graphs with planted zeros, for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from int8_nets import RELU, Int8Net

from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Op
from mcuplan.ir.types import Quant
from mcuplan.ops.concat import Concat
from mcuplan.ops.eltwise import Add, Maximum, Mul, Sub
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.ops.pad import Pad
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.resample import Upsample
from mcuplan.ops.slicing import Slice
from mcuplan.ops.softmax import Softmax
from mcuplan.ops.unary import Lookup, UnaryFn


def _plant(draw: st.DrawFn, net: Int8Net, weights: np.ndarray) -> np.ndarray:
    """Zero filters, zero columns and single zero taps."""
    for axis in (0, weights.ndim - 1):
        share = draw(st.sampled_from([0.0, 0.3, 0.9]))
        gone = net.rng.random(weights.shape[axis]) < share
        np.moveaxis(weights, axis, 0)[gone] = 0
    weights[net.rng.random(weights.shape) < draw(st.sampled_from([0.0, 0.5]))] = 0
    return weights


def _bias(draw: st.DrawFn, net: Int8Net, outputs: int) -> np.ndarray:
    reach = draw(st.sampled_from([0, 2000, 60_000, 1 << 22]))
    return net.rng.integers(-reach, reach + 1, outputs)


def _grid(draw: st.DrawFn) -> Quant:
    return Quant.per_tensor(draw(st.sampled_from([0.02, 0.3])), draw(st.sampled_from([-128, 0, 5])))


def _layer(draw: st.DrawFn, net: Int8Net, source: str) -> str:
    """A convolution of some kind, with planted zeros."""
    kind = draw(st.sampled_from(["1x1", "3x3", "depthwise", "grouped"]))
    channels = net.channels(source)
    act = draw(st.sampled_from([RELU, (-1.0, 1.0), (float("-inf"), float("inf"))]))
    size, groups, outputs = 3, 1, draw(st.integers(1, 6))
    pads = draw(st.sampled_from([(1, 1, 1, 1), (1, 1, 2, 1)]))
    if kind == "1x1":
        size, pads = 1, (0, 0, 0, 0)
    if kind == "depthwise":
        groups, outputs = channels, channels * draw(st.integers(1, 2))
    if kind == "grouped" and channels % 2 == 0:
        groups, outputs = 2, 4
    weights = _plant(draw, net, net.weights(outputs, size, size, channels // groups))
    stride = draw(st.sampled_from([(1, 1), (2, 1)]))
    bias, grid = _bias(draw, net, outputs), _grid(draw)
    return net.conv(
        source, weights, bias, grid=grid, act=act, groups=groups, pads=pads, stride=stride
    )


def _join(draw: st.DrawFn, net: Int8Net, made: list[str], source: str) -> str:
    """A join with an earlier tensor of the same shape, with itself or with a constant."""
    shape = net.tensors[source].type.shape
    other = draw(st.sampled_from([n for n in made if net.tensors[n].type.shape == shape]))
    if draw(st.integers(0, 3)) == 0:
        values = net.rng.integers(-20, 20, (1, 1, 1, shape[-1])).astype(np.int8)
        other = net.constant(values, Quant.per_tensor(0.1, 3))
    op = draw(st.sampled_from([Add(), Add(RELU), Sub(), Mul(), Maximum(), Concat(3), Concat(1)]))
    if isinstance(op, Concat) and net.tensors[other].type.shape != shape:
        other = source
    return net.add(op, source, other, grid=_grid(draw))


def _shuffle(draw: st.DrawFn, net: Int8Net, source: str) -> str:
    """An operator without weights."""
    _, h, w, c = net.tensors[source].type.shape
    ops: list[Op] = [
        AvgPool2D((h, w)),
        AvgPool2D((2, 1), pads=(1, 0, 0, 0), counted=(1, 0, 0, 0)),
        MaxPool2D((1, min(2, w))),
        Pad(((0, 0), (1, 0), (0, 1), (0, 0)), value=0.7),
        Pad(((0, 0), (0, 0), (0, 0), (1, 0))),
        Lookup((UnaryFn("sigmoid"),)),
        Upsample((1, 2, 1, 1)),
        Transpose((0, 2, 1, 3)),
        Transpose((0, 3, 1, 2)),
        Slice((None, (h - 1, 1, 1), None, None)),
        Slice((None, None, None, (c - 1, 1, 1))),
        Reshape((1, h * w, 1, c)),
        Reshape((1, h, 1, w * c)),
        Softmax(),
    ]
    op = draw(st.sampled_from(ops))
    free = isinstance(op, AvgPool2D | Lookup) and draw(st.booleans())
    return net.add(op, source, grid=_grid(draw) if free else None)


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """A network of up to seven nodes over NHWC tensors, and a dense layer at its end."""
    net = Int8Net((1, 3, 2, 3), seed=draw(st.integers(0, 1 << 16)))
    made = ["x"]
    for _ in range(draw(st.integers(2, 7))):
        source = draw(st.sampled_from(made[-2:]))
        kind = draw(st.sampled_from(["layer", "layer", "layer", "join", "shuffle"]))
        if kind == "layer" or np.prod(net.tensors[source].type.shape) > 400:
            made.append(_layer(draw, net, source))
        elif kind == "join":
            made.append(_join(draw, net, made, source))
        else:
            made.append(_shuffle(draw, net, source))
    size = int(np.prod(net.tensors[made[-1]].type.shape))
    flat = net.add(Reshape((1, size)), made[-1])
    outputs = [net.dense(flat, _plant(draw, net, net.weights(2, size)), _bias(draw, net, 2))]
    if draw(st.integers(0, 4)) == 0:
        outputs.append(draw(st.sampled_from(made[1:])))
    return net.graph(*outputs)
