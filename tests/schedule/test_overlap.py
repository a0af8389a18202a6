# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from cells import FAMILIES
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuplan.emit import Stamp, emit
from mcuplan.ir.graph import Graph
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add
from mcuplan.ops.pool2d import MaxPool2D
from mcuplan.ops.resample import Upsample
from mcuplan.ops.slicing import Slice
from mcuplan.plan_facts import Aliased
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.prove.proofs import Subject, prove_on_host
from mcuplan.schedule.assembly.arrange import arrange
from mcuplan.schedule.assembly.check_rows import _first_overlap, check_rows
from mcuplan.schedule.assembly.dead import dead_bytes
from mcuplan.schedule.assembly.liveness import allocate
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.explore.levels import copied_joins, levels
from mcuplan.schedule.kernels.select import select_kernels
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.program import Plan, Sharing, whole_runs
from mcuplan.solvers.packing import PlanError
from mcuplan.solvers.packing.problem import MemoryPlan, Placement
from mcuplan.targets import load_target

_TARGET = load_target("cortex-m4")
_NOTHING = Sharing(views=False, in_place=False, overlap=False)


def _placed(plan: Plan, offsets: list[int], descending: bool) -> Plan:
    """The plan with other offsets, run in one direction."""
    placements = tuple(
        Placement(buffer, offset)
        for buffer, offset in zip(plan.allocation.buffers, offsets, strict=True)
    )
    end = max(p.offset + p.buffer.nbytes for p in placements)
    memory = MemoryPlan(placements, end, 0, 0, False, "given")
    runs = whole_runs(plan.program, {0} if descending else ())
    return replace(plan, memory=MappingProxyType({"sram": memory}), runs=runs)


def _finds_a_fault(plan: Plan) -> bool:
    try:
        check_rows(plan)
    except PlanError:
        return True
    return False


@st.composite
def windows(draw: st.DrawFn) -> Graph:
    """One convolution or pool with any window."""
    net = Wiring("window")
    height, channels = draw(st.integers(2, 9)), draw(st.sampled_from((1, 4, 8)))
    x = net.input(1, height, 2, channels)
    kernel = draw(st.integers(1, 3))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    reach = (kernel - 1) * dilation
    top, bottom = draw(st.integers(0, reach)), draw(st.integers(0, reach))
    while height + top + bottom <= reach:
        top, bottom = top + 1, bottom + 1
    outputs = draw(st.sampled_from((1, 2, 4, 8, 12)))
    op = Conv2D((kernel, 1), (stride, 1), (dilation, 1), (top, 0, bottom, 0))
    return net.graph(net.conv_with(op, x, outputs))


@settings(max_examples=60, deadline=None)
@given(windows())
def test_distances_are_exactly_what_the_rows_allow(graph: Graph) -> None:
    """Every distance that is allowed passes the simulation; where no row is skipped, no other."""
    program = select_kernels(graph, _TARGET)
    plan = make_plan(program, _NOTHING)
    allocation = allocate(program)
    ((pair,),) = allocation.overlaps.pairs.values()
    source, output = (allocation.buffers[i].nbytes for i in (pair.source, pair.output))
    op = graph.nodes[0].op
    assert isinstance(op, Conv2D)
    skips = op.dilation[0] > 1 or op.stride[0] > op.kernel[0]
    for distance in range(-source - 1, output + 2):
        offsets = [0, 0]
        offsets[pair.source] = max(0, distance)
        offsets[pair.output] = max(0, -distance)
        rises = distance >= pair.rising.above or -distance >= pair.rising.below
        falls = distance >= pair.falling.above or -distance >= pair.falling.below
        for allowed, descending in ((rises, False), (falls, True)):
            fault = _finds_a_fault(_placed(plan, offsets, descending))
            assert not (allowed and fault)
            assert allowed or fault or skips


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Rows in every way: windows, sums, joins, slices, repeats, several readers."""
    net = Wiring("rows")
    made = [net.input(1, draw(st.integers(2, 6)), 2, 4) for _ in range(draw(st.integers(1, 2)))]
    for _ in range(draw(st.integers(1, 9))):
        x = draw(st.sampled_from(made))
        height = net.shape(x)[1]
        like = [name for name in made if net.shape(name) == net.shape(x)]
        match draw(st.integers(0, 6)):
            case 0:
                made.append(net.conv(x, draw(st.sampled_from((2, 4, 8))), 3))
            case 1:
                made.append(net.add(Add(), x, draw(st.sampled_from(like))))
            case 2 if height < 20:
                parts = draw(st.lists(st.sampled_from(like), min_size=1, max_size=3))
                made.append(net.add(Concat(1), *parts))
            case 3:
                made.append(net.add(Concat(3), x, draw(st.sampled_from(like))))
            case 4:
                first = draw(st.integers(0, height - 1))
                count = draw(st.integers(1, height - first))
                made.append(net.add(Slice((None, (first, 1, count), None, None)), x))
            case 5 if height > 1:
                made.append(net.add(MaxPool2D((2, 1), (2, 1)), x))
            case _ if height < 12:
                made.append(net.add(Upsample((1, 2, 1, 1)), x))
    ends = draw(st.lists(st.sampled_from(made), min_size=1, max_size=2, unique=True))
    return net.graph(*ends)


@settings(max_examples=150, deadline=None)
@given(networks(), st.booleans(), st.booleans())
def test_every_read_finds_what_was_written(graph: Graph, inputs: bool, outputs: bool) -> None:
    """Plans with all ways of sharing pass the simulation of rows, and never need more."""
    sharing = Sharing(keep_inputs=inputs, keep_outputs=outputs)
    arranged = arrange(graph, _TARGET, sharing)
    plan = make_plan(arranged.program, sharing)  # runs the simulation
    check_rows(plan, keep_inputs=inputs)
    arranged.program.graph.check()


@settings(max_examples=100, deadline=None)
@given(networks())
def test_sharing_never_raises_the_peak(graph: Graph) -> None:
    """Each way of sharing leaves the peak of the order as it is, or lowers it."""
    peaks = [
        arrange(graph, _TARGET, sharing).order.peak_bytes
        for sharing in (
            _NOTHING,
            Sharing(views=False, in_place=True, overlap=False),
            Sharing(views=False, in_place=True, overlap=True),
            Sharing(),
        )
    ]
    assert peaks == sorted(peaks, reverse=True)


@pytest.mark.parametrize("height", [40, 300])  # 300: what a step leaves alone is looked at once
def test_an_input_that_was_overwritten_is_found(height: int) -> None:
    """A sum whose first operand another step has written over is a fault, in tall tensors too."""
    net = Wiring("sum")
    x = net.input(1, height, 2, 4)
    first = net.conv(x, 4)
    graph = net.graph(net.sum([x, net.conv(first, 4)]))
    plan = make_plan(select_kernels(graph, _TARGET), _NOTHING)
    buffers = plan.allocation.buffers
    apart = [1024 * 8 * place for place in range(len(buffers))]
    assert not _finds_a_fault(_placed(plan, apart, descending=False))
    source = next(i for i, buffer in enumerate(buffers) if buffer.name == x)
    second = next(i for i, b in enumerate(buffers) if b.live.start == 1 and b.live.end > 2)
    apart[second] = apart[source]
    assert _finds_a_fault(_placed(plan, apart, descending=False))


@settings(max_examples=60, deadline=None)
@given(networks())
def test_dead_bytes_are_those_that_nothing_holds(graph: Graph) -> None:
    """After each step but the last a byte is dead, or in a buffer that reaches the next step."""
    plan = plan_graph(graph, _TARGET)
    memory = plan.memory["sram"]
    dead = list(dead_bytes(plan))
    for step in range(len(plan.program.steps) - 1):
        holders = [0] * memory.arena_bytes
        for placement in memory.placements:
            live = placement.buffer.live
            if live.start <= step and step + 1 < live.end:
                for at in range(placement.buffer.nbytes):
                    holders[placement.offset + at] = 1
        for number, region, offset, nbytes in dead:
            if number == step:
                assert "sram" == region
                holders[offset : offset + nbytes] = [h + 1 for h in holders[offset:][:nbytes]]
        assert {1} >= set(holders)
    assert all(number < len(plan.program.steps) - 1 for number, _, _, _ in dead)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_compiled_cell_equals_the_reference(family: str) -> None:
    """C code of a plan with overlap gives the bytes of the graph, step by step."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    _prove(FAMILIES[family](1, 20), 3)


def test_compiled_views_equal_the_reference() -> None:
    """Slices and joins without a step are where their readers look."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    net = Wiring("views")
    x = net.input(1, 8, 4, 4)
    parts = [
        net.conv(net.add(Slice((None, r, None, None)), x), 4, 3) for r in ((0, 1, 4), (4, 1, 4))
    ]
    joined = net.add(Concat(1), *parts)
    graph = net.graph(net.add(Add(), net.conv(joined, 4, 3), joined))
    plan = _prove(graph, 5)
    assert 4 == len(plan.program.steps)
    assert {"Slice", "Concat"} == {
        type(n.op).__name__
        for n in graph.nodes
        if n.name not in {s.node.name for s in plan.program.steps}
    }


def test_a_graph_of_views_alone_compiles() -> None:
    """Without a step the output is where the input is."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    net = Wiring("view")
    x = net.input(1, 4, 4, 4)
    plan = _prove(net.graph(net.add(Slice((None, (1, 1, 2), None, None)), x)), 2)
    assert () == plan.program.steps
    assert 64 == plan.memory["sram"].arena_bytes


def _prove(graph: Graph, samples: int) -> Plan:
    arranged = arrange(graph, _TARGET)
    plan = make_plan(arranged.program, order=arranged.order)
    bundle = emit(plan, "cell", Stamp("cell.onnx", "0" * 64))
    rng = np.random.default_rng(1)
    feeds = {
        port.name: rng.integers(-128, 128, (samples, *port.shape[1:])).astype(np.int8)
        for port in graph.inputs
    }
    assert prove_on_host(Subject(bundle, plan), feeds).mismatch is None
    return plan


def test_a_join_lets_its_inputs_be_written_in_place() -> None:
    """Rows that are joined need no second copy."""
    net = Wiring("join")
    x = net.input(1, 4, 4, 4)
    graph = net.graph(net.add(Concat(1), net.conv(x, 8), net.conv(x, 8, 3), net.conv(x, 8)))
    copied = arrange(graph, _TARGET, _NOTHING)
    joined = arrange(graph, _TARGET)
    assert 2 * 3 * 128 == copied.order.peak_bytes
    assert 3 * 128 + 64 >= joined.order.peak_bytes
    assert 3 == len(joined.program.steps)


def test_a_slice_that_would_keep_a_large_tensor_alive_is_copied() -> None:
    """A view is not taken where the copy has the lower peak."""
    net = Wiring("small part")
    large = net.conv(net.input(1, 16, 4, 4), 16, 3)
    part = net.add(Slice((None, (0, 1, 1), None, None)), large)
    x = net.conv(net.conv(large, 1), 16, 3)
    graph = net.graph(net.add(Add(), net.add(MaxPool2D((16, 1), (16, 1)), x), part))
    arranged = arrange(graph, _TARGET, Sharing(overlap=False))
    assert graph.nodes[1].name in {step.node.name for step in arranged.program.steps}
    assert 1024 + 256 == arranged.order.peak_bytes


def test_both_directions_alternate() -> None:
    """A chain of layers of one size fits in one tensor and a few rows."""
    net = Wiring("chain")
    x = net.input(1, 16, 4, 8)
    for _ in range(6):
        x = net.conv(x, 8, 3)
    arranged = arrange(net.graph(x), _TARGET)
    plan = make_plan(arranged.program)
    assert 16 * 32 + 2 * 32 == plan.memory["sram"].arena_bytes == arranged.order.peak_bytes
    assert {False, True} == {run.descending for run in plan.runs}


def test_a_kernel_without_an_order_of_rows_does_not_overlap() -> None:
    """Where a kernel promises no order, its output lies apart from its inputs."""
    net = Wiring("apart")
    graph = net.graph(net.conv(net.input(1, 16, 4, 8), 8, 3))
    program = select_kernels(graph, _TARGET)
    kernel = replace(program.steps[0].kernel, row_by_row=False)
    loose = replace(program, steps=(replace(program.steps[0], kernel=kernel),))
    assert 2 * 512 == make_plan(loose).memory["sram"].arena_bytes
    assert 512 + 2 * 32 == make_plan(program).memory["sram"].arena_bytes
    shared = _placed(make_plan(loose), [0, 64], descending=True)
    assert _finds_a_fault(shared)
    assert not _finds_a_fault(replace(shared, program=program))


def test_a_kernel_may_allow_more_in_place_than_its_operator() -> None:
    """A kernel that keeps a row back replaces an input of the output's size."""
    net = Wiring("pointwise")
    x = net.input(1, 16, 4, 8)
    program = select_kernels(net.graph(net.conv(net.conv(x, 8), 8)), _TARGET)
    kernels = [replace(s.kernel, inplace_inputs=lambda sig: (0,)) for s in program.steps]
    pairs = zip(program.steps, kernels, strict=True)
    buffered = replace(program, steps=tuple(replace(s, kernel=k) for s, k in pairs))
    assert 512 + 32 == make_plan(program).memory["sram"].arena_bytes
    assert 512 == make_plan(buffered).memory["sram"].arena_bytes
    assert 1024 == make_plan(buffered, _NOTHING).memory["sram"].arena_bytes


def test_an_output_in_place_of_one_input_keeps_the_other_apart() -> None:
    """The bytes of an operand that is replaced are needed, even in the first step."""
    net = Wiring("sum")
    graph = net.graph(net.add(Add(), net.input(1, 4, 4, 4), net.input(1, 4, 4, 4)))
    plan = make_plan(select_kernels(graph, _TARGET))
    assert 2 * 64 == plan.memory["sram"].arena_bytes


@pytest.mark.parametrize("offset", [0, 4, 512])
def test_the_simulation_sees_overwritten_bytes(offset: int) -> None:
    """Buffers alive together that share bytes are found; apart they pass."""
    net = Wiring("residual")
    x = net.input(1, 16, 4, 8)
    plan = make_plan(select_kernels(net.graph(net.add(Add(), x, net.conv(x, 8, 3))), _TARGET))
    moved = _placed(plan, [0, offset], descending=False)
    assert _finds_a_fault(moved) == (offset < 512)


def test_inputs_and_outputs_can_be_kept() -> None:
    """Kept inputs share no bytes with anything; kept outputs exist from the start."""
    net = Wiring("kept")
    graph = net.graph(net.conv(net.conv(net.input(1, 16, 4, 8), 8, 3), 8, 3))
    program = select_kernels(graph, _TARGET)
    assert 512 + 64 == make_plan(program).memory["sram"].arena_bytes
    kept = make_plan(program, Sharing(keep_inputs=True))
    assert 512 + 512 + 64 == kept.memory["sram"].arena_bytes
    check_rows(kept, keep_inputs=True)
    apart = make_plan(program, Sharing(keep_outputs=True)).allocation
    output = next(b for b in apart.buffers if b.name == graph.outputs[0].tensor)
    assert 0 == output.live.start


@pytest.mark.parametrize("family", FAMILIES)
def test_every_level_brings_something_or_nothing(family: str) -> None:
    """From level to level the arena of a cell does not grow; the last is that of the plan."""
    graph = FAMILIES[family](1, 20)
    found = levels(graph, _TARGET)
    arenas = [level.arena_bytes for level in found]
    names = ["naive", "order", "in place", "overlap", "placement"]
    assert names == [level.name for level in found]
    assert arenas == sorted(arenas, reverse=True)
    assert arenas[-1] < arenas[0]
    assert arenas[-1] == plan_graph(graph, _TARGET).memory["sram"].arena_bytes


def test_joins_that_copy_are_named() -> None:
    """A join is named where it runs as a step, and only there."""
    net = Wiring("joined")
    x = net.input(1, 4, 4, 8)
    graph = net.graph(net.add(Concat(3), net.conv(x, 8), net.conv(x, 8)))
    copying = make_plan(select_kernels(graph, _TARGET))
    assert ("t2",) == copied_joins(copying.program)
    assert Aliased(0, 0, ("t2",)) == levels(graph, _TARGET, plan=copying)[2].why
    rows = Wiring("rows")
    x = rows.input(1, 4, 4, 8)
    graph = rows.graph(rows.add(Concat(1), rows.conv(x, 8), rows.conv(x, 8)))
    assert () == copied_joins(plan_graph(graph, _TARGET).program)


@settings(max_examples=60, deadline=None)
@given(networks())
def test_a_new_order_never_costs_arena(graph: Graph) -> None:
    """The arena is at most that of the same graph in its own order."""
    own = make_plan(arrange(graph, _TARGET, reorder=False).program)
    found = plan_graph(graph, _TARGET)
    assert found.memory["sram"].arena_bytes <= own.memory["sram"].arena_bytes


_PLACES, _SIDES = st.lists(st.integers(0, 30), max_size=6), st.integers(0, 5)
_ORDERS = st.sampled_from([list, sorted, lambda rows: sorted(rows, reverse=True)])


@given(_PLACES, _PLACES, _ORDERS, _SIDES, _SIDES)
def test_the_first_row_that_is_met(
    starts: list[int], made: list[int], order: Callable[..., list[int]], width: int, size: int
) -> None:
    """Whatever order rows are made in, it is the one that comparing all of them finds."""
    made = order(made)

    def first(low: int) -> int:
        met = (k for k, at in enumerate(made) if low < at + size and at < low + width)
        return next(met if width and size else iter(()), len(made))

    found = _first_overlap(np.array(starts, int), width, np.array(made, int), size)
    assert [first(low) for low in starts] == found.tolist()
