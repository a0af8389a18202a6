# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuplan.errors import UsageError
from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape, moved
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Call, Example, Op, Signature
from mcuplan.ir.types import TensorType
from mcuplan.ops import kernels_of
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add
from mcuplan.ops.movement import Reshape
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.resample import Upsample
from mcuplan.ops.slicing import Slice
from mcuplan.ops.softmax import Softmax
from mcuplan.plan_facts import TooManyRows
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.dead import dead_bytes
from mcuplan.schedule.assembly.row_local import row_program
from mcuplan.schedule.explore.levels import levels
from mcuplan.schedule.planning.by_rows import plan_rows
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.planning.streamed import streamed_plan
from mcuplan.schedule.program import FEED, Plan, Program, Sharing, Slot, Step
from mcuplan.solvers.packing import PlanError
from mcuplan.targets import load_target

_TARGET = load_target("cortex-m4")


def _arena(plan: Plan) -> int:
    return sum(memory.arena_bytes for memory in plan.memory.values())


def _refused(plan: Plan) -> bool:
    try:
        check_rows(plan)
    except PlanError:
        return True
    return False


@st.composite
def convolutions(draw: st.DrawFn, height: int) -> Conv2D:
    """Any kernel height, stride, dilation and padding that fits."""
    kernel, stride, dilation = (draw(st.integers(1, 3)) for _ in range(3))
    reach = (kernel - 1) * dilation
    top, bottom = draw(st.integers(0, reach)), draw(st.integers(0, reach))
    while height + top + bottom <= reach:
        top, bottom = top + 1, bottom + 1
    return Conv2D((kernel, 1), (stride, 1), (dilation, 1), (top, 0, bottom, 0))


@st.composite
def networks(draw: st.DrawFn, inputs: int = 2) -> Graph:
    """Row-local steps of all kinds with residual joins, and some that need whole tensors."""
    net = Wiring("rows")
    made = [
        net.input(1, draw(st.integers(3, 9)), 2, 3) for _ in range(draw(st.integers(1, inputs)))
    ]
    for _ in range(draw(st.integers(1, 10))):
        x = draw(st.sampled_from(made[-3:]))
        height, channels = net.shape(x)[1], net.shape(x)[3]
        like = [name for name in made if net.shape(name) == net.shape(x)]
        match draw(st.integers(0, 8)):
            case 0 | 1 | 2:
                op = draw(convolutions(height))
                made.append(net.conv_with(op, x, draw(st.sampled_from((2, 3, 5, 8)))))
            case 3:
                made.append(net.add(Add(), x, draw(st.sampled_from(like))))
            case 4 if channels < 24:
                made.append(net.add(Concat(3), x, draw(st.sampled_from(like))))
            case 5 if height < 12:
                parts = draw(st.lists(st.sampled_from(like), min_size=1, max_size=3))
                made.append(net.add(Concat(1), *parts))
            case 6 if height > 1:
                made.append(net.add(MaxPool2D((2, 1), (2, 1)), x))
            case 7 if height < 12:
                made.append(net.add(Upsample((1, 2, 1, 1)), x))
            case _:
                first = draw(st.integers(0, height - 1))
                made.append(net.add(Slice((None, (first, 1, height - first), None, None)), x))
    ends = draw(st.lists(st.sampled_from(made), min_size=1, max_size=2, unique=True))
    if draw(st.booleans()):
        _, height, width, channels = net.shape(ends[0])
        pooled = net.add(AvgPool2D((height, width), (height, width)), ends[0])
        ends[0] = net.add(Softmax(), net.add(Reshape((1, channels)), pooled))
    return net.graph(*ends)


def _rows(sig: Signature, index: int, y: int) -> list[int]:
    """Rows of an input that a row of the output needs."""
    return [row for span in sig.rows_read(index)[y].tolist() for row in range(*span)]


def _bytes(plan: Plan, values: Mapping[str, np.ndarray]) -> None:
    """Run a plan on bytes: what dies is overwritten after each run, every read looks."""
    graph = plan.program.graph
    arenas = {name: np.full(m.arena_bytes, -1) for name, m in plan.memory.items()}
    places = {t: plan.row_addresses(t) for t in values}

    def row(tensor: str, y: int) -> np.ndarray:
        region, offset = places[tensor][y]
        return arenas[region][offset : offset + graph.tensor(tensor).type.row_bytes]

    dead: dict[int, list[tuple[str, int, int]]] = {}
    for run, region, offset, nbytes in dead_bytes(plan):
        dead.setdefault(run, []).append((region, offset, nbytes))
    fed = any(run.step == FEED for run in plan.runs)
    for port in () if fed else graph.inputs:
        for y, value in enumerate(values[port.tensor]):
            row(port.tensor, y)[:] = value
    for number, run in enumerate(plan.runs):
        tensor = graph.inputs[0].tensor
        if run.step != FEED:
            step = plan.program.steps[run.step]
            tensor = step.node.output
            for y in range(run.first, run.end):
                if step.node.op.gathers:
                    assert (
                        values[step.node.inputs[0]][y].tolist()
                        == row(step.node.inputs[0], y).tolist()
                    )
                    continue
                for i in {i for call in step.calls for i in call.inputs}:
                    if step.signature.constants[i] is None:
                        name, sig = step.node.inputs[i], step.signature
                        for r in _rows(sig, i, y):
                            assert values[name][r].tolist() == row(name, r).tolist()
                if step.kernel.row_by_row:
                    row(tensor, y)[:] = values[tensor][y]
        last = run.step != FEED and plan.program.steps[run.step].node.op.gathers
        for y in range(1) if last else range(run.first, run.end):
            row(tensor, y)[:] = values[tensor][y]
        for region, offset, nbytes in dead.get(number, []):
            arenas[region][offset : offset + nbytes] = -1
    for port in graph.outputs:
        for y, value in enumerate(values[port.tensor]):
            assert value.tolist() == row(port.tensor, y).tolist()


def _numbers(plan: Plan) -> dict[str, np.ndarray]:
    """A number for every byte; those of views are the numbers of what they look at."""
    graph = plan.program.graph
    found: dict[str, np.ndarray] = {}
    for name in (*(p.tensor for p in graph.inputs), *(n.output for n in graph.nodes)):
        node = graph.producers().get(name)
        kind = graph.tensor(name).type
        if node is not None and node.op.is_view:
            found[name] = found[node.inputs[0]].reshape(kind.rows, kind.row_bytes)
        else:
            start = 1 + 100_000 * len(found)
            found[name] = np.arange(start, start + kind.nbytes).reshape(kind.rows, -1)
    return found


@settings(max_examples=150, deadline=None)
@given(networks(), st.booleans(), st.booleans())
def test_rows_find_what_was_written(graph: Graph, inputs: bool, outputs: bool) -> None:
    """Plans by rows pass the simulation, also when everything that is dead is overwritten."""
    sharing = Sharing(keep_inputs=inputs, keep_outputs=outputs)
    plan = plan_rows(graph, _TARGET, sharing)
    assert plan is not None
    check_rows(plan, keep_inputs=inputs)
    assert plan.memory["sram"].lower_bound_bytes <= plan.memory["sram"].arena_bytes
    _bytes(plan, _numbers(plan))


@settings(max_examples=80, deadline=None)
@given(networks(inputs=1))
def test_fed_rows_find_what_was_written(graph: Graph) -> None:
    """A fed input is never larger in its order than one that is there as a whole."""
    try:
        plan = plan_rows(graph, _TARGET, feed=True)
    except UsageError:
        return
    assert plan is not None
    fed = [run for run in plan.runs if run.step == FEED]
    rows = graph.tensor(graph.inputs[0].tensor).type.rows
    assert [y for run in fed for y in range(run.first, run.end)] == list(range(rows))
    _bytes(plan, _numbers(plan))


@settings(max_examples=60, deadline=None)
@given(networks())
def test_streaming_never_needs_more(graph: Graph) -> None:
    """With streaming the arena is that without it, or smaller."""
    whole = plan_graph(graph, _TARGET)
    assert _arena(plan_graph(graph, _TARGET, streaming="auto")) <= _arena(whole)


def _chain() -> Graph:
    """Windows, a residual join and a mean."""
    net = Wiring("chain")
    x = net.conv(net.input(1, 12, 4, 3), 8, 3)
    y = net.add(Add(), x, net.conv(net.conv(x, 8, 3), 8, 3))
    z = net.conv(y, 12, 3, 2)
    return net.graph(net.add(AvgPool2D((6, 2), (6, 2)), z))


def _streamed(*, feed: bool = False) -> Plan:
    plan = plan_rows(_chain(), _TARGET, feed=feed)
    assert plan is not None
    return plan


@pytest.mark.parametrize("feed", [False, True])
def test_a_run_that_is_too_early_is_refused(feed: bool) -> None:
    """Exchanging two runs of which the second reads what the first makes is seen."""
    plan = _streamed(feed=feed)
    tried = 0
    for at in range(len(plan.runs) - 1):
        one, two = plan.runs[at : at + 2]
        if two.step == FEED or one.step == two.step:
            continue
        makes = "in0" if one.step == FEED else plan.program.steps[one.step].node.output
        step = plan.program.steps[two.step]
        sig = step.signature
        read = [
            r
            for i, name in enumerate(step.node.inputs)
            if name == makes and not step.node.op.gathers
            for y in range(two.first, two.end)
            for r in _rows(sig, i, y)
        ]
        if set(read) & set(range(one.first, one.end)):
            runs = (*plan.runs[:at], two, one, *plan.runs[at + 2 :])
            assert _refused(replace(plan, runs=runs))
            tried += 1
    assert tried > 5


def test_a_missing_run_is_refused() -> None:
    """A plan that leaves any run out does not pass."""
    plan = _streamed()
    for at in range(len(plan.runs)):
        assert _refused(replace(plan, runs=(*plan.runs[:at], *plan.runs[at + 1 :])))


def test_a_moved_row_is_refused() -> None:
    """A row in the bytes of one that is needed later than it is made does not pass."""
    plan = _streamed()
    live = {buffer.name: buffer.live for buffer in plan.allocation.buffers}
    tried = 0
    for tensor, slots in plan.allocation.rows.items():
        for row, slot in enumerate(slots if slots[1:] else ()):
            for other in live if slot.buffer.startswith(tensor) else ():
                first, second = live[slot.buffer], live[other]
                if not second.start < first.start < second.end - 1:
                    continue
                moved = (*slots[:row], Slot(other), *slots[row + 1 :])
                rows = MappingProxyType({**plan.allocation.rows, tensor: moved})
                allocation = replace(plan.allocation, rows=rows)
                assert _refused(replace(plan, allocation=allocation))
                tried += 1
    assert tried > 50


def test_rows_of_a_small_network_need_a_fraction() -> None:
    """A chain of windows needs a few rows of each map, fed ones even less."""
    whole, rows = _arena(plan_graph(_chain(), _TARGET)), _arena(_streamed())
    assert 3 * rows < 2 * whole
    assert _arena(_streamed(feed=True)) < rows


def test_feeding_is_refused_where_it_cannot_be() -> None:
    """Several inputs, one without rows, and one that a layer needs as a whole are told apart."""
    net = Wiring("two")
    two = net.graph(net.add(Add(), net.input(1, 4, 4, 2), net.input(1, 4, 4, 2)))
    net = Wiring("flat")
    flat = net.graph(net.add(Softmax(), net.input(1, 16)))
    net = Wiring("whole")
    whole = net.graph(net.add(Softmax(), net.add(Reshape((1, 32)), net.input(1, 4, 4, 2))))
    for graph, words in ((two, "2 inputs"), (flat, "no rows"), (whole, "all of it at once")):
        with pytest.raises(UsageError, match=words):
            plan_graph(graph, _TARGET, streaming="input")
    with pytest.raises(UsageError, match="to be kept"):
        plan_graph(_chain(), _TARGET, Sharing(keep_inputs=True), streaming="input")


def test_more_rows_than_can_be_ordered_run_as_a_whole() -> None:
    """Thousands of rows, and windows over hundreds of them, are planned without rows."""
    net = Wiring("tall")
    tall = net.graph(net.conv(net.conv(net.input(1, 1500, 1, 1), 4, 3), 1, 3))
    net = Wiring("long")
    long = net.graph(net.conv(net.conv(net.input(1, 400, 1, 1), 4, 301), 1, 3))
    for graph in (tall, long):
        assert plan_rows(graph, _TARGET) is None
        plan = plan_graph(graph, _TARGET, streaming="auto")
        assert plan.is_straight
        found = levels(graph, _TARGET, plan=plan, streaming="auto")
        assert TooManyRows() in [level.why for level in found]
        with pytest.raises(UsageError, match="too many rows"):
            plan_graph(graph, _TARGET, streaming="input")


@dataclass(frozen=True)
class _Scores(Op):
    """Products of each row of one input with every row of another: [1,T,C], [1,S,C] to [1,T,S]."""

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (TensorType((1, inputs[0].shape[1], inputs[1].shape[1])),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        return (SAME, SAME, ALL), (SAME, moved(1, 2), ALL)

    def reference(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return (arrays[0] @ arrays[1].swapaxes(1, 2),)

    @classmethod
    def examples(cls) -> list[Example]:
        return []


def test_a_step_reads_one_input_by_rows_and_holds_another() -> None:
    """Rows of queries go one by one, while all keys stay in one piece."""
    net = Wiring("scores")
    queries, keys = net.add(Softmax(), net.input(1, 16, 8)), net.add(Softmax(), net.input(1, 5, 8))
    scores = net.add(_Scores(), queries, keys)
    graph = net.graph(net.add(Softmax(), scores))
    kernel = kernels_of()[Softmax][0]
    pair = replace(kernel, op=_Scores, lower=lambda sig: (Call({}, inputs=(0, 1)),))
    steps = tuple(
        Step(i, node, graph.signature(node), pair if isinstance(node.op, _Scores) else kernel)
        for i, node in enumerate(graph.nodes)
    )
    rowed = row_program(Program(graph, _TARGET, steps), Sharing())
    tensors, moves = rowed.graph.tensors, rowed.graph.steps[2].moves
    assert tensors[rowed.tensors[keys]].whole
    assert not tensors[rowed.tensors[queries]].whole
    held, rows = rowed.tensors[keys], rowed.tensors[queries]
    assert [((rows, y, y + 1), (held, 0, 5)) for y in range(16)] == [m.reads for m in moves]
    assert streamed_plan(rowed).memory["sram"].arena_bytes < 2 * 16 * 8 + 2 * 5 * 8 + 16 * 5
