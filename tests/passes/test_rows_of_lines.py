# SPDX-License-Identifier: Apache-2.0
"""Lines of pixels that are read row by row."""

from __future__ import annotations

import numpy as np
import pytest
from int8_nets import GRID, Int8Net, inputs_of

from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.ops.concat import Concat
from mcuplan.ops.eltwise import Add
from mcuplan.ops.movement import Reshape
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.softmax import Softmax
from mcuplan.passes.rows_of_lines import rows_of_lines
from mcuplan.prove.boundary import feeds_of
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.targets import load_target

_TARGET = load_target("cortex-m4")


def _line() -> Graph:
    """Convolutions, pools and a skip over [1,1,24,5], seen as pixels at the end."""
    net = Int8Net((1, 1, 24, 5))
    x = net.conv("x", net.weights(8, 1, 3, 5), pads=(0, 1, 0, 1))
    y = net.depthwise(x, net.weights(8, 3, 5, 1), pads=(1, 4, 1, 4), dilation=(1, 2))
    y = net.add(Add(), y, x)
    y = net.add(MaxPool2D((1, 2), (1, 2)), y)
    y = net.add(AvgPool2D((1, 3), pads=(0, 1, 0, 1), counted=(0, 1, 0, 1)), y)
    y = net.conv(y, net.weights(4, 1, 1, 8), stride=(1, 2))
    return net.graph(net.add(Softmax(), y))


def _same_bytes(graph: Graph, rows: Graph) -> bool:
    feeds = inputs_of(graph)
    (name,) = (port.tensor for port in graph.outputs)
    wanted = evaluate(graph, feeds)[name]
    found = evaluate(rows, feeds_of(graph, rows, feeds))[name]
    return np.array_equal(wanted, found)


def test_a_line_becomes_rows_of_the_same_bytes() -> None:
    """Every byte of the output stays, and no layer works on a line any more."""
    graph = _line()
    rows = rows_of_lines(graph)
    rows.check()
    views = [node for node in rows.nodes if isinstance(node.op, Reshape)]
    assert 1 == len(views)
    for node in rows.nodes:
        if node not in views:
            assert (1, 1) == (rows.tensor(node.output).type.shape[::2][:2])
    assert _same_bytes(graph, rows)
    assert rows.outputs == graph.outputs


@pytest.mark.parametrize("shape", [(1, 6, 4, 5), (1, 1, 1, 5)])
def test_images_and_pixels_stay(shape: tuple[int, ...]) -> None:
    """Nothing is a line that has several rows, or one pixel."""
    net = Int8Net(shape)
    graph = net.graph(net.conv("x", net.weights(3, 1, 1, 5)))
    assert graph is rows_of_lines(graph)


def test_a_line_without_windows_stays() -> None:
    """Where every pixel is on its own, rows bring nothing."""
    net = Int8Net((1, 1, 12, 5))
    graph = net.graph(net.conv("x", net.weights(3, 1, 1, 5)))
    assert graph is rows_of_lines(graph)


def test_what_has_other_axes_reads_the_line() -> None:
    """A node that joins columns stays as it is, behind a view."""
    net = Int8Net((1, 1, 12, 5))
    x = net.conv("x", net.weights(5, 1, 3, 5), grid=GRID)
    graph = net.graph(net.add(Concat(2), x, "x"))
    rows = rows_of_lines(graph)
    assert _same_bytes(graph, rows)
    assert any(isinstance(node.op, Concat) for node in rows.nodes)


@pytest.mark.parametrize("feed", [False, True])
def test_a_long_line_needs_a_fraction_of_it(feed: bool) -> None:
    """Row by row a line is never there as a whole but where it is the input."""
    net = Int8Net((1, 1, 96, 8))
    x = net.conv("x", net.weights(16, 1, 5, 8), pads=(0, 2, 0, 2))
    x = net.conv(x, net.weights(16, 1, 5, 16), stride=(1, 4))
    graph = net.graph(net.add(AvgPool2D((1, 23)), x))
    whole = plan_graph(graph, _TARGET, streaming="off")
    rows = plan_graph(graph, _TARGET, streaming="input" if feed else "auto")
    assert whole.arena_bytes >= 96 * 16 > 1.5 * rows.arena_bytes
    assert {96, 23} <= {step.signature.inputs[0].rows for step in rows.program.steps}
