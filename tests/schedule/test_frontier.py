# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add
from mcuplan.ops.movement import Reshape
from mcuplan.ops.pool2d import MaxPool2D
from mcuplan.passes.gather_rows import gather_rows
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.schedule.assembly.row_local import RowProgram, row_program
from mcuplan.schedule.explore.columns import Group, groups_of, tile_macs, tiled, tiles_of
from mcuplan.schedule.explore.frontier import FACTORS, frontier
from mcuplan.schedule.kernels.select import select_kernels
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.program import Plan, Sharing
from mcuplan.solvers.rows.order import check_row_order, depth_first, find_row_order
from mcuplan.solvers.rows.problem import RowOrder
from mcuplan.targets import load_target

_TARGET = load_target("cortex-m4")


def _rows(graph: Graph) -> RowProgram:
    return row_program(select_kernels(gather_rows(graph), _TARGET), Sharing())


@st.composite
def chains(draw: st.DrawFn) -> tuple[Graph, tuple[Conv2D | MaxPool2D, ...], int]:
    """Windows one after the other, of any width, stride, dilation and padding that fits."""
    width, ops = draw(st.integers(6, 16)), []
    net = Wiring("chain")
    x = net.input(1, 5, width, 1)
    for _ in range(draw(st.integers(1, 4))):
        kernel, stride, dilation = (draw(st.integers(1, n)) for n in (3, 2, 2))
        left, right = draw(st.integers(0, kernel - 1)), draw(st.integers(0, kernel - 1))
        shape = (1, kernel), (1, stride), (1, dilation), (0, left, 0, right)
        assume(net.shape(x)[2] + left + right > 2 + (kernel - 1) * dilation)
        ops.append(Conv2D(*shape))
        x = net.conv_with(ops[-1], x, 1)
    last = net.conv_with(Conv2D((3, 1)), x, 1)  # outputs lie in one piece
    return net.graph(last), tuple(ops), width


def _seen(ops: tuple[Conv2D | MaxPool2D, ...], width: int) -> Array:
    """Which columns of the input (axis 0) each column of the last output is computed from."""
    x = np.zeros((width, 1, width, 1))
    x[np.arange(width), 0, np.arange(width), 0] = 1
    for op in ops:
        (x,) = op.reference(x, np.ones((1, *op.kernel, 1)), np.zeros(1))
        x = (x > 0).astype(np.float64)
    return x[:, 0, :, 0] > 0


@settings(max_examples=60, deadline=None)
@given(chains(), st.integers(1, 4))
def test_a_tile_has_the_columns_that_it_is_computed_from(
    case: tuple[Graph, tuple[Conv2D | MaxPool2D, ...], int], count: int
) -> None:
    """Traced column by column, a tile has all it sees, and undilated sees its first and last."""
    graph, ops, width = case
    rowed, seen = _rows(graph), _seen(ops, width)
    steps = tuple(range(len(ops)))
    group = next(g for g in groups_of(rowed) if g.steps == steps)
    tiles = tiles_of(rowed, group, count)
    assert len(tiles) == (count if count <= seen.shape[1] else 0)
    ends = []
    for tile in tiles:
        first, end = tile[group.end]
        ends += [first, end]
        columns = np.flatnonzero(seen[:, first:end].any(axis=1))
        has = range(*tile[group.source])
        assert set(columns.tolist()) <= set(has)
        if all(op.dilation == (1, 1) for op in ops):  # else it may end between two taps
            assert (columns[0], columns[-1]) == (has[0], has[-1])
    assert ends[:1] + ends[-1:] == ([0, seen.shape[1]] if tiles else [])
    assert ends[1:-1:2] == ends[2::2]


def _wide() -> Graph:
    """A small input, wide rows of many channels with a residual sum, then few bytes."""
    net = Wiring("wide")
    x = net.conv(net.input(1, 24, 24, 1), 16, 3)
    x = net.add(Add(), net.conv(x, 16, 3), x)
    x = net.conv(x, 16, 3, 2)
    x = net.add(MaxPool2D((2, 2), (2, 2)), x)
    x = net.conv(x, 4, 1)
    size = int(np.prod(net.shape(x)))
    return net.graph(net.add(Reshape((1, size)), net.conv(x, 4, 3)))


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan by rows of a network where tiles help."""
    made = plan_graph(_wide(), _TARGET, streaming="auto")
    assert isinstance(made.order, RowOrder)
    return made


def test_more_macs_never_cost_ram(plan: Plan) -> None:
    """The frontier starts with the plan's own peak, keeps every limit and only falls."""
    prices = frontier(plan)
    assert list(FACTORS) == [price.limit for price in prices]
    assert plan.order is not None
    assert (plan.order.peak_bytes, 1.0, ()) == (
        prices[0].ram_bytes,
        prices[0].factor,
        prices[0].layers,
    )
    ram = [price.ram_bytes for price in prices]
    assert ram == sorted(ram, reverse=True)
    assert ram[-1] < ram[0]
    assert all(1 <= price.factor <= price.limit for price in prices)
    assert all(price.factor > 1 and price.tiles > 1 for price in prices if price.layers)


def test_prices_are_of_orders_that_exist(plan: Plan) -> None:
    """The group and tiles that a price names have an order of rows with no more live bytes."""
    rowed = row_program(plan.program, Sharing())
    for price in frontier(plan)[1:]:
        named = [g for g in groups_of(rowed) if _layers(rowed, g) == price.layers]
        found = []
        for group in named:
            tiles = tiles_of(rowed, group, price.tiles)
            graph, _ = tiled(rowed, group, tiles)
            order = find_row_order(graph, states=2000)
            found.append(check_row_order(graph, order.moves))
        assert not price.layers or min(found) <= price.ram_bytes


def _layers(rowed: RowProgram, group: Group) -> tuple[int, ...]:
    return tuple(rowed.steps[s] for s in group.steps)


def test_one_tile_is_the_network(plan: Plan) -> None:
    """In one tile a group has the work and, but for taking over rows, the bytes it had."""
    rowed = row_program(plan.program, Sharing())
    macs = {step.index: step.cost.macs for step in plan.program.steps}
    groups = groups_of(rowed)
    assert groups
    for group in groups:
        (tile,) = tiles_of(rowed, group, 1)
        assert tile_macs(rowed, group, tile) == sum(macs[i] for i in _layers(rowed, group))
        graph, origins = tiled(rowed, group, (tile,))
        assert sorted(origins) == list(range(len(rowed.graph.steps)))
        assert depth_first(graph).peak_bytes >= depth_first(rowed.graph).peak_bytes


def test_tiles_part_the_last_tensor(plan: Plan) -> None:
    """The parts of a group's last tensor have all its bytes; other tensors have more, not less."""
    rowed = row_program(plan.program, Sharing())
    for group in groups_of(rowed):
        tiles = tiles_of(rowed, group, 2)
        graph, origins = tiled(rowed, group, tiles)
        for s in group.steps:
            t = rowed.graph.steps[s].output
            made = [k for k, origin in enumerate(origins) if origin == s]
            parts = sum(graph.tensors[graph.steps[k].output].row_bytes for k in made)
            whole = rowed.graph.tensors[t].row_bytes
            assert parts == whole if t == group.end else parts >= whole
