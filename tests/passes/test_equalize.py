# SPDX-License-Identifier: Apache-2.0
"""Channels of like range, and merged layers: the float outputs stay."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph, Node, Origin, Port, Tensor
from mcuplan.ir.op import NO_CLAMP, Op
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.ops.movement import Reshape
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.prelu import PRelu
from mcuplan.ops.unary import Lookup, UnaryFn, clip
from mcuplan.passes.equalize import Reach, equalize
from mcuplan.passes.merge_layers import merge_layers

RELU = (0.0, math.inf)
SAMPLES = 8
FAR = Reach(1.25, 0.25)


class _Net:
    """A float graph, node by node, with seeded weights."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.random = np.random.Generator(np.random.PCG64(5))
        self.tensors = {"x": Tensor("x", TensorType(shape))}
        self.nodes: list[Node] = []

    def constant(self, *shape: int) -> str:
        data = self.random.normal(0.0, 1.0, shape).astype(np.float32)
        name = f"c{len(self.tensors)}"
        self.tensors[name] = Tensor(name, TensorType(shape), data)
        return name

    def add(self, op: Op, *inputs: str) -> str:
        (kind,) = op.infer([self.tensors[name].type for name in inputs])
        name = f"t{len(self.tensors)}"
        origin = Origin(name, tuple(range(len(kind.shape))))
        self.tensors[name] = Tensor(name, kind, origin=origin)
        self.nodes.append(Node(name, op, inputs, (name,)))
        return name

    def conv(self, source: str, outputs: int, size: int, act: tuple[float, float], groups: int = 1):
        inputs = self.tensors[source].type.channels
        op = Conv2D((size, size), pads=(size // 2,) * 4, groups=groups, act=act)
        weights, bias = self.constant(outputs, size, size, inputs // groups), self.constant(outputs)
        factors = 4.0 ** self.random.integers(-4, 5, outputs)  # as of a BatchNormalization
        if not math.isinf(act[1]):
            factors = np.minimum(factors / 64.0, 0.25)
        for name, shape in ((weights, (-1, 1, 1, 1)), (bias, (-1,))):
            data = self.tensors[name].data
            assert data is not None
            data *= factors.reshape(shape)
        return self.add(op, source, weights, bias)

    def dense(self, source: str, outputs: int) -> str:
        inputs = self.tensors[source].type.channels
        return self.add(Dense(), source, self.constant(outputs, inputs), self.constant(outputs))

    def graph(self, output: str) -> Graph:
        source, made = self.tensors["x"].type, self.tensors[output].type
        ports = (
            Port("x", "x", source.shape, DType.FLOAT32),
            Port(output, output, made.shape, DType.FLOAT32),
        )
        found = Graph("net", ports[:1], ports[1:], tuple(self.nodes), self.tensors)
        found.check()
        return found

    def samples(self) -> Mapping[str, Array]:
        shape = self.tensors["x"].type.shape
        return {"x": self.random.normal(0.0, 1.0, (SAMPLES, *shape[1:])).astype(np.float32)}


def _values(graph: Graph, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
    return evaluate(graph, feeds, [name for node in graph.nodes for name in node.outputs])


def _equalized(net: _Net, graph: Graph, how: Reach = FAR) -> tuple[Graph, float]:
    """The equalized graph, and by what its outputs differ, relative to their size."""
    feeds = net.samples()
    before = _values(graph, feeds)
    most = {n: np.abs(v).reshape(-1, v.shape[-1]).max(axis=0) for n, v in before.items()}
    made = equalize(graph, most, how)
    made.check()
    after = _values(made, feeds)
    for name, value in after.items():
        origin = made.tensor(name).origin
        assert origin is not None
        np.testing.assert_allclose(origin.from_model(before[name]), value, rtol=1e-3, atol=1e-3)
    output = graph.outputs[0].tensor
    apart = np.abs(before[output] - after[output]).max() / np.abs(before[output]).max()
    return made, float(apart)


def _factors(graph: Graph) -> list[float]:
    """The largest factor of each tensor that was multiplied."""
    origins = (tensor.origin for tensor in graph.tensors.values())
    return [max(origin.factors) for origin in origins if origin is not None and origin.factors]


def _chain(net: _Net) -> Graph:
    """Convolution, depthwise, PRelu, pools, a view, dense."""
    x = net.conv("x", 6, 3, RELU)
    x = net.conv(x, 6, 3, NO_CLAMP, groups=6)
    x = net.add(PRelu((0.1, 0.2, 0.3, 0.0, 0.5, 0.25)), x)
    x = net.add(MaxPool2D((2, 2), (2, 2)), x)
    x = net.conv(x, 8, 1, RELU)
    x = net.add(AvgPool2D((2, 2), (1, 1)), x)
    return net.graph(net.dense(net.add(Reshape((1, 8)), x), 3))


def _residual(net: _Net) -> Graph:
    """A sum of two branches, with a constant, and channels joined."""
    x = net.conv("x", 4, 1, RELU)
    y = net.conv(net.conv(x, 4, 3, RELU, groups=2), 4, 1, NO_CLAMP)
    z = net.add(Add(act=RELU), net.add(Add(), x, y), net.constant(1, 1, 1, 4))
    z = net.add(Lookup((UnaryFn("leaky_relu", (0.1,)),)), z)
    return net.graph(net.conv(net.add(Concat(3), x, z), 3, 1, NO_CLAMP))


@pytest.mark.parametrize("build", [_chain, _residual])
def test_outputs_stay_and_channels_come_to_like_range(build: object) -> None:
    """Outputs are those of the model; inner tensors are its, multiplied as their origin says."""
    assert callable(build)
    net = _Net((1, 4, 4, 3))
    made, apart = _equalized(net, build(net))
    assert apart < 1e-5
    assert max(_factors(made)) > 4


def test_what_limits_values_is_left() -> None:
    """Behind a Clip at 6 and a function, channels keep their range: no factor passes them."""
    net = _Net((1, 4, 4, 3))
    x = net.conv("x", 6, 3, (0.0, 6.0))
    x = net.conv(x, 6, 1, NO_CLAMP)
    x = net.add(Lookup((clip(-1.0, 1.0),)), x)
    made, apart = _equalized(net, net.graph(net.conv(x, 2, 1, NO_CLAMP)))
    assert _factors(made) == []
    assert apart == 0.0


def test_behind_relu6_values_up_to_what_was_seen_stay() -> None:
    """Where it is asked for: the limit stays, channels are multiplied as far as they reach it."""
    net = _Net((1, 4, 4, 3))
    x = net.conv("x", 6, 3, (0.0, 6.0))
    x = net.conv(x, 6, 3, (0.0, 6.0), groups=6)
    graph = net.graph(net.conv(x, 2, 1, NO_CLAMP))
    made, apart = _equalized(net, graph, Reach(1.25, 0.25, limited=True))
    assert apart < 1e-5
    assert max(_factors(made)) > 2
    assert [node.op for node in made.nodes] == [node.op for node in graph.nodes]


def test_grids_and_integers_of_the_model_stay() -> None:
    """A tensor on a grid, or one that stays float32, is not multiplied."""
    net = _Net((1, 4, 4, 3))
    graph = _chain(net)
    kept = {n: replace(t, real=True) if t.data is None else t for n, t in graph.tensors.items()}
    made, _ = _equalized(net, replace(graph, tensors=kept))
    assert _factors(made) == []


@pytest.mark.parametrize("op", [Add(act=RELU), Sub()])
def test_two_layers_of_one_input_are_one(op: Op) -> None:
    """The sum or difference is that of weights and biases; limits of the sum are the layer's."""
    net = _Net((1, 4, 4, 3))
    one, other = (net.conv("x", 5, 3, NO_CLAMP) for _ in range(2))
    graph = net.graph(net.add(op, one, other))
    merged = merge_layers(graph)
    merged.check()
    assert [type(node.op) for node in merged.nodes] == [Conv2D]
    feeds = net.samples()
    mine, theirs = (evaluate(g, feeds)[graph.outputs[0].tensor] for g in (merged, graph))
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-3 * np.abs(theirs).max())


def test_layers_that_others_read_are_not_merged() -> None:
    """Nor those with an activation, or of two inputs."""
    net = _Net((1, 4, 4, 3))
    one, other = (net.conv("x", 5, 3, NO_CLAMP) for _ in range(2))
    less = net.add(Sub(), one, other)
    assert merge_layers(graph := net.graph(net.add(Add(), less, one))) is graph
    net = _Net((1, 4, 4, 3))
    one, other = (net.conv("x", 5, 3, RELU) for _ in range(2))
    assert merge_layers(graph := net.graph(net.add(Sub(), one, other))) is graph
