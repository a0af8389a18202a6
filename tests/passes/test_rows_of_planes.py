# SPDX-License-Identifier: Apache-2.0
"""Inputs in planes of channels become rows of pixels one by one."""

from __future__ import annotations

import numpy as np
import pytest

from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.ops.interleave import Interleave
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.ops.unary import Lookup, UnaryFn
from mcuplan.passes.rows_of_planes import rows_of_planes
from mcuplan.prove.fit.wiring import Wiring

_TANH = Lookup((UnaryFn("tanh"),))


def _net(channels: int, between: int = 0, height: int = 6, width: int = 5) -> Graph:
    """Planes, some functions of one input, the move to pixels, and a convolution."""
    net = Wiring("planes")
    x = net.input(1, channels, height, width)
    for _ in range(between):
        x = net.add(_TANH, x)
    moved = Transpose((0, 2, 3, 1)) if channels > 1 else Reshape((1, height, width, 1))
    return net.graph(net.conv(net.add(moved, x), 4, 3))


def _image(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(-128, 128, (2, *shape)).astype(np.int8)


@pytest.mark.parametrize("between", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_planes_that_are_held_give_the_same_bytes(channels: int, between: int) -> None:
    """The input keeps its bytes and gets a row for each row of each plane."""
    graph = _net(channels, between)
    made = rows_of_planes(graph)
    made.check()
    assert not any(isinstance(node.op, Transpose | Reshape) for node in made.nodes)
    assert any(isinstance(node.op, Interleave) for node in made.nodes) == (channels > 1)
    kind = made.tensor("in0").type
    assert (channels * 6, 5) == (kind.rows, kind.row_bytes)
    image, out = _image(channels, 6, 5), graph.outputs[0].tensor
    rows = image.reshape(2, *kind.shape[1:])
    (wanted, found) = (evaluate(graph, {"in0": image})[out], evaluate(made, {"in0": rows})[out])
    assert wanted.tolist() == found.tolist()


@pytest.mark.parametrize("between", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_planes_that_are_fed_are_pixels_inside(channels: int, between: int) -> None:
    """A fed input is one of pixels, and its port says in how many planes a row comes."""
    graph = _net(channels, between)
    made = rows_of_planes(graph, fed=True)
    made.check()
    assert (channels if channels > 1 else 0) == made.inputs[0].planes
    assert (1, channels, 6, 5) == made.inputs[0].shape
    image, out = _image(channels, 6, 5), graph.outputs[0].tensor
    pixels = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
    (wanted, found) = (evaluate(graph, {"in0": image})[out], evaluate(made, {"in0": pixels})[out])
    assert wanted.tolist() == found.tolist()


def test_signals_are_fed_a_moment_at_a_time() -> None:
    """A row of [1,C,T] is what all channels are at one moment; held, it stays as it is."""
    net = Wiring("signal")
    x = net.add(Transpose((0, 2, 1)), net.input(1, 3, 8))
    graph = net.graph(net.add(_TANH, x))
    made = rows_of_planes(graph, fed=True)
    made.check()
    kind = made.tensor(made.inputs[0].tensor).type
    assert (8, 3, 0) == (kind.rows, kind.row_bytes, made.inputs[0].planes)
    assert rows_of_planes(graph) is graph


def test_an_input_with_other_readers_stays() -> None:
    """Who reads the planes themselves finds them."""
    net = Wiring("both")
    x = net.input(1, 3, 6, 5)
    graph = net.graph(net.conv(net.add(Transpose((0, 2, 3, 1)), x), 4, 3), net.add(_TANH, x))
    for fed in (False, True):
        assert rows_of_planes(graph, fed=fed) is graph


@pytest.mark.parametrize("axes", [(0, 3, 1, 2), (0, 1, 3, 2), (0, 2, 1, 3)])
def test_other_orders_of_axes_stay(axes: tuple[int, ...]) -> None:
    """Only channels that move behind the rest make pixels."""
    net = Wiring("other")
    graph = net.graph(net.add(_TANH, net.add(Transpose(axes), net.input(1, 3, 6, 5))))
    assert rows_of_planes(graph) is graph
