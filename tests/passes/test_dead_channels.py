# SPDX-License-Identifier: Apache-2.0
"""Dead channels go, whatever they were tied to, and every byte that is left is the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_nets import GRID, RELU, Int8Net, channels_of, differing, inputs_of
from random_int8 import networks

from mcuplan.calibrate import random_data
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Signature
from mcuplan.ir.types import Quant
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add
from mcuplan.ops.movement import Reshape
from mcuplan.ops.pool2d import MaxPool2D
from mcuplan.ops.unary import Lookup, affine
from mcuplan.passes.dead_channels import Removal, keep_dead_channels, remove_dead_channels
from mcuplan.pipeline import plan
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.record import Request
from mcuplan.targets import load_target

ONES: dict[str, object] = {"pads": (1, 1, 1, 1)}


def removed(net: Int8Net, *outputs: str, multiple: int = 1) -> Removal:
    """The net without its dead channels, shown to compute the same bytes."""
    removal = remove_dead_channels(net.graph(*outputs), lambda sig: multiple)
    assert [] == differing(removal, inputs_of(removal.whole))
    assert {} == dict(remove_dead_channels(removal.graph, lambda sig: multiple).kept)
    return removal


def widths(removal: Removal, *names: str) -> list[int]:
    """Channels that are left of tensors."""
    return channels_of(removal.graph, names)


def parameters(graph: Graph) -> int:
    """Weights and biases."""
    return sum(tensor.data.size for tensor in graph.tensors.values() if tensor.data is not None)


def with_zeros(
    weights: np.ndarray, *, filters: Sequence[int] = (), channels: Sequence[int] = ()
) -> np.ndarray:
    """Weights with filters, or everything that reads a channel, zero."""
    weights[list(filters)] = 0
    weights[..., list(channels)] = 0
    return weights


# -- one rule after the other -------------------------------------------------------------------


def test_filters_of_zeros_go_into_the_bias_of_the_reader() -> None:
    """Forwards: a constant channel is gone, with the reader's weights for it."""
    net = Int8Net((1, 3, 4, 2))
    a = net.conv("x", with_zeros(net.weights(6, 1, 1, 2), filters=[0, 3]), np.full(6, 300))
    b = net.conv(a, net.weights(3, 1, 1, 6))
    removal = removed(net, b)
    assert [4, 3] == widths(removal, a, b)
    assert parameters(net.graph(b)) - 2 * (2 + 1) - 3 * 2 == parameters(removal.graph)


def test_unread_channels_go_with_what_only_they_read() -> None:
    """Backwards: zero columns of a reader take filters away, layer by layer."""
    net = Int8Net((1, 2, 2, 3))
    a = net.conv("x", net.weights(4, 1, 1, 3))
    b = net.conv(a, np.diag([3, 5, 7, 9]).reshape(4, 1, 1, 4))
    c = net.conv(b, with_zeros(net.weights(2, 1, 1, 4), channels=[1, 2]))
    assert [2, 2, 2] == widths(removed(net, c), a, b, c)


def test_a_limit_that_always_holds_makes_a_constant() -> None:
    """A bias that no input lifts above Relu's zero makes a channel constant.

    Not with made-up ranges: what their limits cut off means nothing.
    """
    net = Int8Net((1, 2, 2, 2))
    bias = np.array([50, -(1 << 20), 60])
    a = net.conv("x", net.weights(3, 1, 1, 2), bias, act=RELU)
    b = net.conv(a, net.weights(2, 1, 1, 3))
    removal = removed(net, b)
    assert [2, 2] == widths(removal, a, b)
    assert {} == dict(remove_dead_channels(removal.whole, real_ranges=False).kept)


@pytest.mark.parametrize(
    ("value", "pads", "centre_only", "left"),
    [
        (GRID.z, (1, 1, 1, 1), False, 2),
        (GRID.z + 9, (1, 1, 1, 1), False, 3),
        (GRID.z + 9, (0, 0, 0, 0), False, 2),
        (GRID.z + 9, (0, 0, 0, 1), False, 3),
        (GRID.z + 9, (1, 1, 1, 1), True, 2),
    ],
)
def test_a_padding_reader_takes_only_the_value_of_the_padding(
    value: int, pads: tuple[int, int, int, int], centre_only: bool, left: int
) -> None:
    """A constant goes where the border has the same value, or no tap reads it there."""
    net = Int8Net((1, 4, 4, 2))
    a = net.conv("x", with_zeros(net.weights(3, 1, 1, 2), filters=[1]), np.zeros(3))
    table = Lookup((affine(1.0, (value - GRID.z) * GRID.s),))
    a = net.add(table, a)
    weights = net.weights(2, 3, 3, 3)
    if centre_only:
        weights[:, :, :, 1] = 0
        weights[:, 1, 1, 1] = 17
    b = net.conv(a, weights, pads=pads)
    assert [left, 2] == widths(removed(net, b), a, b)


def test_a_border_that_no_window_reaches_is_no_border() -> None:
    """Padding that a stride never touches does not keep a constant."""
    net = Int8Net((1, 4, 4, 2))
    a = net.conv("x", with_zeros(net.weights(3, 1, 1, 2), filters=[1]), np.full(3, 500))
    b = net.conv(a, net.weights(2, 2, 2, 3), stride=(2, 2), pads=(0, 0, 1, 1))
    assert [2, 2] == widths(removed(net, b), a, b)


@pytest.mark.parametrize(("zero", "left"), [((0, 1), 3), ((0,), 4), ((), 4)])
def test_a_join_loses_a_channel_in_all_operands_or_in_none(
    zero: tuple[int, ...], left: int
) -> None:
    """A channel of a sum goes only where it is constant in both operands."""
    net = Int8Net((1, 3, 3, 2))
    operands = [
        net.conv("x", with_zeros(net.weights(4, 1, 1, 2), filters=[2] if k in zero else []))
        for k in (0, 1)
    ]
    total = net.add(Add(RELU), *operands)
    b = net.conv(total, net.weights(2, 1, 1, 4))
    assert [left] * 3 == widths(removed(net, b), *operands, total)


def test_a_channel_that_another_reader_needs_stays_in_the_join() -> None:
    """A residual sum keeps what its operand's other reader needs."""
    net = Int8Net((1, 3, 3, 3))
    a = net.conv("x", net.weights(3, 1, 1, 3))
    b = net.conv(a, with_zeros(net.weights(3, 1, 1, 3), channels=[0]))
    total = net.add(Add(), a, b)
    c = net.conv(total, with_zeros(net.weights(2, 1, 1, 3), channels=[0, 1]))
    removal = removed(net, c)
    assert [2, 2, 2] == widths(removal, a, b, total)
    assert [1, 2] == removal.kept[a].tolist()


def test_depthwise_filters_go_with_their_channels() -> None:
    """A channel that is constant before or behind a depthwise layer goes on both sides."""
    net = Int8Net((1, 5, 5, 2))
    zero = np.zeros(6)
    a = net.conv("x", with_zeros(net.weights(6, 1, 1, 2), filters=[0, 1]), zero, act=RELU)
    weights = with_zeros(net.weights(6, 3, 3, 1), filters=[4])
    b = net.depthwise(a, weights, bias=zero, act=RELU, stride=(2, 2), **ONES)
    c = net.conv(b, net.weights(3, 3, 3, 6), **ONES)
    removal = removed(net, c)
    assert [3, 3] == widths(removal, a, b)
    (op,) = [n.op for n in removal.graph.nodes if n.output == b]
    assert isinstance(op, Conv2D)
    assert 3 == op.groups


def test_depthwise_with_a_multiplier_keeps_or_loses_a_channel_whole() -> None:
    """Of two filters on one channel one that is read keeps both."""
    net = Int8Net((1, 3, 3, 2))
    a = net.conv("x", net.weights(3, 1, 1, 2))
    b = net.depthwise(a, net.weights(6, 3, 3, 1), **ONES)
    c = net.conv(b, with_zeros(net.weights(2, 1, 1, 6), channels=[0, 1, 2]))
    removal = removed(net, c)
    assert [2, 4] == widths(removal, a, b)
    assert [2, 3, 4, 5] == removal.kept[b].tolist()


def test_concat_loses_channels_where_its_parts_do() -> None:
    """Each part of a join along the channels loses its own."""
    net = Int8Net((1, 2, 3, 2))
    a = net.conv("x", with_zeros(net.weights(3, 1, 1, 2), filters=[0]))
    b = net.conv("x", net.weights(4, 1, 1, 2), grid=Quant.per_tensor(0.03, 5))
    joined = net.add(Concat(3), a, "x", b, grid=GRID)
    c = net.conv(joined, with_zeros(net.weights(2, 1, 1, 9), channels=[4, 6, 8]))
    removal = removed(net, c)
    assert [2, 2, 2, 6] == widths(removal, a, "x", b, joined)


def test_a_flattened_map_loses_a_channel_at_every_pixel() -> None:
    """Dense layers behind a flatten read every pixel of what is left."""
    net = Int8Net((1, 2, 3, 2))
    a = net.conv("x", with_zeros(net.weights(5, 1, 1, 2), filters=[3]))
    flat = net.add(Reshape((1, 30)), net.add(MaxPool2D((1, 1)), a))
    weights = net.weights(4, 30)
    weights[:, 0::5] = 0
    weights[:, 1] = 0  # of one pixel only: stays
    b = net.dense(flat, weights)
    assert [3, 18, 4] == widths(removed(net, b), a, flat, b)


def test_outputs_and_inputs_stay() -> None:
    """What enters or leaves keeps its channels, dead or not."""
    net = Int8Net((1, 2, 2, 3))
    a = net.conv("x", with_zeros(net.weights(3, 1, 1, 3), filters=[1], channels=[0]))
    b = net.conv(a, with_zeros(net.weights(3, 1, 1, 3), channels=[2]))
    assert {} == dict(removed(net, a, b).kept)


def test_a_layer_keeps_at_least_one_channel() -> None:
    """Where all is constant the graph still has a shape."""
    net = Int8Net((1, 2, 2, 3))
    a = net.conv("x", np.zeros((4, 1, 1, 3), np.int8))
    b = net.conv(a, net.weights(5, 1, 1, 4))
    c = net.conv(b, net.weights(2, 1, 1, 5))
    assert [1, 1, 2] == widths(removed(net, c), a, b, c)


@pytest.mark.parametrize(("multiple", "left"), [(1, [5, 5]), (2, [6, 6]), (4, [7, 7])])
def test_a_multiple_keeps_some_of_the_dead(multiple: int, left: list[int]) -> None:
    """A layer that loses channels is left with a multiple, or whole."""
    net = Int8Net((1, 2, 2, 3))
    a = net.conv("x", with_zeros(net.weights(7, 1, 1, 3), filters=[0, 5]))
    b = net.depthwise(a, net.weights(7, 1, 1, 1))
    c = net.conv(b, net.weights(2, 1, 1, 7))
    assert left == widths(removed(net, c, multiple=multiple), a, b)


def test_constants_that_are_read_twice_stay_whole_for_the_other_reader() -> None:
    """A constant shared by two layers is cut for one of them only."""
    net = Int8Net((1, 2, 2, 3))
    a = net.conv("x", with_zeros(net.weights(3, 1, 1, 3), filters=[1]))
    b = net.conv(a, net.weights(3, 1, 1, 3))
    whole = next(node for node in net.nodes if node.output == b)
    c = net.add(whole.op, "x", *whole.inputs[1:], grid=GRID)
    removal = removed(net, b, c)
    assert [2, 3, 3] == widths(removal, a, b, c)


def test_the_whole_graph_is_kept_on_request() -> None:
    """Keeping dead channels changes nothing, and says so."""
    net = Int8Net((1, 2, 2, 3))
    a = net.conv("x", with_zeros(net.weights(3, 1, 1, 3), filters=[1]))
    removal = keep_dead_channels(net.graph(net.conv(a, net.weights(1, 1, 1, 3))))
    assert removal.graph is removal.whole
    assert {} == dict(removal.kept)


# -- any graph ----------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(networks(), st.sampled_from([1, 2, 4]), st.booleans())
def test_any_network_keeps_every_surviving_byte(graph: Graph, multiple: int, real: bool) -> None:
    """Removal changes no byte of what is left and no output's shape, and leaves nothing to do.

    A depthwise layer that is left with one channel may lose more: each filter is on its own. Which
    channel stays of a tensor that needs none depends on what is known of the others.
    """
    removal = remove_dead_channels(graph, lambda sig: multiple, real_ranges=real)
    assert [] == differing(removal, inputs_of(graph, 8))
    ports = (*graph.inputs, *graph.outputs)
    assert all(removal.graph.tensor(p.tensor).type == graph.tensor(p.tensor).type for p in ports)
    if _grouped(graph) == _grouped(removal.graph):
        again = remove_dead_channels(removal.graph, lambda sig: multiple, real_ranges=real)
        assert {} == dict(again.kept)
    rounded = remove_dead_channels(graph)
    assert parameters(removal.graph) <= parameters(graph)
    if not any(len(kept) == 1 for made in (rounded, removal) for kept in made.kept.values()):
        assert parameters(rounded.graph) <= parameters(removal.graph)


def _grouped(graph: Graph) -> int:
    return sum(isinstance(node.op, Conv2D) and node.op.groups > 1 for node in graph.nodes)


# -- a real network -----------------------------------------------------------------------------


def test_most_of_a_sparse_network_goes(test_models: Path) -> None:
    """VWW with 82.8 % zeros: half the MACs, a seventh of the weights, the same bytes."""
    path = test_models / "mlperf_vww_mobilenetv1" / "model_qdq.onnx"
    request = Request(path, replace(load_target("cortex-m4"), backend="c99"))
    planned, whole = plan(request), plan(replace(request, keep_dead=True))
    sums = [sum(step.cost.macs for step in made.plan.program.steps) for made in (whole, planned)]
    weights = [_weights(made.lowered) for made in (whole, planned)]
    assert [7_489_664, 208_112] == [sums[0], weights[0]]
    assert sums[1] <= 3_733_073
    assert weights[1] <= 29_286
    feeds = boundary_inputs(planned.lowered, random_data(planned.model.graph.inputs, samples=8))
    assert [] == differing(planned.removal, dict(feeds))


def _weights(graph: Graph) -> int:
    names = {node.inputs[1] for node in graph.nodes if node.op.weight_inputs}
    return sum(graph.tensor(name).type.elements for name in names)


def test_a_backend_says_what_multiple_each_layer_wants(test_models: Path) -> None:
    """With the dsp kernels all convolutions run a fast one without dead channels as with them."""
    for name in ("mlperf_vww_mobilenetv1", "mcunet_vww"):
        request = Request(
            test_models / name / "model_qdq.onnx",
            replace(load_target("cortex-m4"), backend="dsp"),
            objective="latency",
            streaming="off",
        )
        planned, whole = plan(request), plan(replace(request, keep_dead=True))
        assert planned.removal.kept
        sets = [
            {
                step.node.name: step.kernel.backend
                for step in made.plan.program.steps
                if isinstance(step.node.op, Conv2D)
            }
            for made in (whole, planned)
        ]
        assert sets[0] == sets[1]
        assert {"dsp"} == set(sets[0].values())


def test_a_wish_holds_for_everything_tied_to_a_channel() -> None:
    """What one node wants of a channel count holds for all tensors that share it."""
    net = Int8Net((1, 2, 2, 3))
    a = net.conv("x", with_zeros(net.weights(9, 1, 1, 3), filters=[0, 1, 2, 5]))
    b = net.depthwise(a, net.weights(9, 1, 1, 1))
    c = net.conv(b, with_zeros(net.weights(5, 1, 1, 9), filters=[0, 1]))
    d = net.conv(c, net.weights(2, 1, 1, 5))

    def wish(sig: Signature) -> int:
        return 4 if isinstance(sig.op, Conv2D) and sig.op.groups > 1 else 1

    removal = remove_dead_channels(net.graph(d), wish)
    assert [8, 8, 3] == widths(removal, a, b, c)
    assert [] == differing(removal, inputs_of(removal.whole))
