# SPDX-License-Identifier: Apache-2.0
"""Code without dead channels is held against the whole graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from int8_nets import RELU, Int8Net, inputs_of

from mcuplan.emit import Stamp, emit
from mcuplan.ir.graph import Graph
from mcuplan.ops.eltwise import Add
from mcuplan.passes.dead_channels import Removal, remove_dead_channels
from mcuplan.prove.proofs import Subject, prove_on_host
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.targets import load_target

TARGET = replace(load_target("cortex-m4"), backend="c99")


def _residual() -> Removal:
    """Two layers around a depthwise one and a sum; one of six channels goes.

    Another one is constant, but not the value of the padding that the depthwise layer has.
    """
    net = Int8Net((1, 5, 4, 3))
    weights = net.weights(6, 1, 1, 3)
    weights[[1, 4]] = 0
    bias = np.array([9, 8, 7, 6, -5, 4]) * 100
    a = net.conv("x", weights, bias, act=RELU)
    b = net.depthwise(a, net.weights(6, 3, 3, 1), pads=(1, 1, 1, 1))
    b = net.conv(b, net.weights(6, 1, 1, 6))
    total = net.add(Add(), a, b)
    last = net.weights(2, 1, 1, 6)
    last[..., [1, 4]] = 0
    return remove_dead_channels(net.graph(net.conv(total, last)))


def _subject(removal: Removal) -> Subject:
    plan = plan_graph(removal.graph, TARGET)
    return Subject(emit(plan, "cut", Stamp("cut.onnx", "0" * 64)), plan, removal)


def test_every_step_equals_the_whole_graph(host_gcc: str) -> None:
    """Compiled code has the surviving bytes of the whole graph after each step."""
    removal = _residual()
    assert [0, 1, 2, 3, 5] == removal.kept["add3"].tolist()
    feeds = inputs_of(removal.whole, 16)
    assert prove_on_host(_subject(removal), feeds).mismatch is None


def test_a_removal_that_is_not_exact_is_found(host_gcc: str) -> None:
    """A bias that lost a constant's share differs from the whole graph."""
    removal = _residual()
    assert prove_on_host(_subject(removal), inputs_of(removal.whole)).mismatch is None
    wrong = replace(removal, graph=_without_a_share(removal.graph))
    mismatch = prove_on_host(_subject(wrong), inputs_of(removal.whole, 16)).mismatch
    assert mismatch is not None
    assert "conv2d2" == _subject(wrong).plan.program.steps[mismatch.step].node.output


def _without_a_share(graph: Graph) -> Graph:
    """The bias of the layer behind the depthwise one is off."""
    (node,) = [node for node in graph.nodes if node.output == "conv2d2"]
    bias = graph.tensor(node.inputs[2])
    assert bias.data is not None
    off = replace(bias, data=bias.data + np.int32(4000))
    return replace(graph, tensors={**graph.tensors, bias.name: off})
