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
from mcuplan.ops._resampling import AxisTaps
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv3d import Conv3D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Mul, Sub
from mcuplan.ops.movement import Reshape
from mcuplan.ops.normalize import Normalize
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.prelu import PRelu
from mcuplan.ops.resize import Resize
from mcuplan.ops.slicing import Slice
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


def _parted(net: _Net) -> Graph:
    """Channels of a layer taken apart, some resized and negated, joined again."""
    x = net.conv("x", 6, 3, RELU)
    one = net.add(Slice((None, None, None, (0, 1, 3))), x)
    other = net.add(Slice((None, None, None, (5, -2, 3))), x)
    axis = AxisTaps((0, 0, 1, 2), ((1.0, 0.0), (0.75, 0.25), (0.5, 0.5), (0.0, 1.0)))
    other = net.add(Resize((axis, axis)), net.add(Lookup((UnaryFn("neg"),)), other))
    return net.graph(net.conv(net.add(Concat(3), one, other), 3, 1, NO_CLAMP))


def _transposed(net: _Net) -> Graph:
    """A transposed convolution of groups between others."""
    x = net.conv("x", 4, 1, RELU)
    op = Conv3D((2, 2), (1, 1), (1, 1), (1, 1, 1, 1), (2, 2), groups=2, act=RELU)
    weights = net.constant(6, 2, 2, 2)
    weights_data = net.tensors[weights].data
    assert weights_data is not None
    weights_data *= (4.0 ** net.random.integers(-4, 5, 6)).reshape(-1, 1, 1, 1)
    x = net.add(op, x, weights, net.constant(6))
    return net.graph(net.conv(x, 3, 1, NO_CLAMP))


def _residual(net: _Net) -> Graph:
    """A sum of two branches, with a constant, and channels joined."""
    x = net.conv("x", 4, 1, RELU)
    y = net.conv(net.conv(x, 4, 3, RELU, groups=2), 4, 1, NO_CLAMP)
    z = net.add(Add(act=RELU), net.add(Add(), x, y), net.constant(1, 1, 1, 4))
    z = net.add(Lookup((UnaryFn("leaky_relu", (0.1,)),)), z)
    return net.graph(net.conv(net.add(Concat(3), x, z), 3, 1, NO_CLAMP))


JOINT = Reach(1.25, joint=True)


@pytest.mark.parametrize("build", [_chain, _residual, _transposed, _parted])
def test_all_tensors_weighed_together_keep_the_outputs(build: object) -> None:
    """Some channels are divided then, others multiplied."""
    assert callable(build)
    net = _Net((1, 4, 4, 3))
    made, apart = _equalized(net, build(net), JOINT)
    assert apart < 1e-5
    assert max(_factors(made)) > 4


def _spread(net: _Net, graph: Graph) -> dict[str, float]:
    """How many times the widest channel of each tensor is as wide as a usual one."""
    values = _values(graph, net.samples())
    wide = {n: np.abs(v).reshape(-1, v.shape[-1]).max(axis=0) for n, v in values.items()}
    return {n: float(w.max() / np.median(w)) for n, w in wide.items()}


def test_a_channel_that_is_wide_in_the_sum_alone_is_made_narrow() -> None:
    """What a branch adds is small there: tensor by tensor it leaves no room for the others."""
    net = _Net((1, 4, 4, 3))
    start = net.conv("x", 8, 1, NO_CLAMP)
    branch = net.dense(net.add(Lookup((clip(0.0, math.inf),)), start), 8)
    (data, read) = (net.tensors[net.nodes[i].inputs[1]].data for i in (0, 2))
    assert data is not None
    assert read is not None
    data[...] = net.random.normal(0.0, 1.0, data.shape)
    data[5] *= 300.0
    read[:, 5] /= 300.0
    total = net.add(Add(), start, branch)
    graph = net.graph(net.dense(total, 3))
    alone, apart = _equalized(net, graph, FAR)
    together, exact = _equalized(net, graph, JOINT)
    assert max(apart, exact) < 1e-4
    assert _spread(net, alone)[total] > 30
    assert _spread(net, together)[total] < 4


def test_a_normalization_makes_channels_of_like_range() -> None:
    """By its gains and offsets; what it reads stays."""
    net = _Net((1, 4, 4, 6))
    gains = tuple(4.0 ** net.random.integers(-3, 4, 6))
    x = net.add(Normalize.layer(gains, gains), "x")
    graph = net.graph(net.dense(x, 3))
    made, apart = _equalized(net, graph, JOINT)
    assert apart < 1e-5
    assert _spread(net, graph)[x] > 5
    assert _spread(net, made)[x] < 2


def test_a_function_is_multiplied_as_a_whole() -> None:
    """In its table, so that a Concat joins like ranges."""
    net = _Net((1, 4, 4, 3))
    wide, narrow = net.conv("x", 4, 1, RELU), net.conv("x", 4, 1, NO_CLAMP)
    narrow = net.add(Lookup((UnaryFn("affine", (0.001, 0.0)), UnaryFn("tanh"))), narrow)
    joined = net.add(Concat(3), wide, narrow)
    graph = net.graph(net.conv(joined, 3, 1, NO_CLAMP))
    made, apart = _equalized(net, graph, JOINT)
    assert apart < 1e-5
    assert _spread(net, graph)[joined] > 20
    assert _spread(net, made)[joined] < 8


@pytest.mark.parametrize("build", [_chain, _residual, _transposed, _parted])
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
    graph = net.graph(net.conv(x, 2, 1, NO_CLAMP))
    for how in (FAR, JOINT):
        made, apart = _equalized(net, graph, how)
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


def _is_one_layer(net: _Net, graph: Graph) -> None:
    """Merging leaves a single convolution that computes the same."""
    merged = merge_layers(graph)
    merged.check()
    assert [type(node.op) for node in merged.nodes] == [Conv2D]
    feeds = net.samples()
    mine, theirs = (evaluate(g, feeds)[graph.outputs[0].tensor] for g in (merged, graph))
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-3 * np.abs(theirs).max())


@pytest.mark.parametrize("op", [Add(act=RELU), Sub()])
def test_two_layers_of_one_input_are_one(op: Op) -> None:
    """The sum or difference is that of weights and biases; limits of the sum are the layer's."""
    net = _Net((1, 4, 4, 3))
    one, other = (net.conv("x", 5, 3, NO_CLAMP) for _ in range(2))
    graph = net.graph(net.add(op, one, other))
    _is_one_layer(net, graph)


def test_layers_that_others_read_are_merged_where_that_leaves_no_more() -> None:
    """A sum of sums is one layer; not one that is read beside it, which would be a third."""
    net = _Net((1, 4, 4, 3))
    one, other = (net.conv("x", 5, 3, NO_CLAMP) for _ in range(2))
    graph = net.graph(net.add(Add(), net.add(Sub(), one, other), one))
    _is_one_layer(net, graph)
    net = _Net((1, 4, 4, 3))
    one, other = (net.conv("x", 5, 3, NO_CLAMP) for _ in range(2))
    less, product = net.add(Sub(), one, other), net.add(Mul(), one, other)
    graph = net.graph(net.add(Mul(), less, product))
    assert merge_layers(graph) is graph


def test_layers_with_an_activation_are_not_merged() -> None:
    """Their sum is that of what it leaves."""
    net = _Net((1, 4, 4, 3))
    one, other = (net.conv("x", 5, 3, RELU) for _ in range(2))
    assert merge_layers(graph := net.graph(net.add(Sub(), one, other))) is graph
