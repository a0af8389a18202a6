# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from itertools import pairwise

import pytest
from cells import FAMILIES, random_wired
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuplan.ir.graph import Graph
from mcuplan.ops.boundary import FlipSign
from mcuplan.ops.eltwise import Add
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.schedule.assembly.order import find_order, peak_bytes
from mcuplan.solvers.effort import EFFORTS, Effort
from mcuplan.solvers.steps.cut_bound import least_bytes, trivial_bytes
from mcuplan.solvers.steps.problem import Sequencing, bits, sequencing
from mcuplan.solvers.steps.search import beam, search
from mcuplan.solvers.steps.segments import best_sequence, segments

_EXAMPLES = settings(max_examples=150, deadline=None)


@st.composite
def problems(draw: st.DrawFn, most: int = 9) -> Sequencing:
    """Any wiring: shared makers, inputs, outputs, scratch, savings."""
    count = draw(st.integers(1, most))
    numbers = st.integers(0, count - 1)
    before = [
        draw(st.sets(st.integers(0, s - 1), max_size=3)) if s else set() for s in range(count)
    ]
    sizes = st.sampled_from((0, 1, 2, 3, 5, 8, 13, 20))
    storages = []
    for step in range(count):
        readers = {s for s in range(count) if step in before[s]}
        storages.append((draw(sizes), {step}, readers, draw(st.integers(0, 9)) == 0))
    if count > 1 and draw(st.booleans()):
        first, second = draw(st.lists(numbers, min_size=2, max_size=2, unique=True))
        one, two = storages[first], storages[second]
        storages[first] = (one[0] + two[0], one[1] | two[1], one[2] | two[2], one[3] or two[3])
        del storages[second]
    for _ in range(draw(st.integers(0, 2))):
        readers = draw(st.sets(numbers, max_size=3))
        storages.append((draw(sizes), set(), readers, draw(st.booleans())))
    extra = draw(st.lists(st.sampled_from((0, 0, 4)), min_size=count, max_size=count))
    savings = []
    for step in range(count):
        made = max([s[0] for s in storages if s[1] == {step}], default=0)
        read = [k for k, s in enumerate(storages) if step in s[2] and step not in s[1]]
        savings.append([(k, draw(st.integers(0, min(made, storages[k][0])))) for k in read])
    return sequencing(before, storages, extra, savings)


def brute_force(problem: Sequencing) -> int:
    """Least peak over all orders, by plain enumeration of the sets of steps in layers."""
    layer = {0: problem.live_bytes(0)}
    for _ in range(problem.count):
        grown: dict[int, int] = {}
        for done, peak in layer.items():
            for step in bits(problem.ready(done)):
                during, _ = problem.run(step, done, problem.live_bytes(done))
                after = done | 1 << step
                grown[after] = min(grown.get(after, 1 << 60), max(peak, during))
        layer = grown
    return layer[problem.everything]


def _runs(problem: Sequencing, order: tuple[int, ...]) -> bool:
    done = 0
    for step in order:
        if problem.before[step] & ~done:
            return False
        done |= 1 << step
    return done == problem.everything


@_EXAMPLES
@given(problems())
def test_the_search_finds_what_enumeration_finds(problem: Sequencing) -> None:
    """The search alone, and with cuts and bounds, gives the least peak of all orders."""
    least = brute_force(problem)
    own = tuple(range(problem.count))
    plain = search(problem, own, 0, 1 << 20)
    assert (least, least) == (plain.peak, plain.lower_bound)
    found = best_sequence(problem, Effort())
    assert (least, least) == (found.peak, found.lower_bound)
    assert least == problem.peak(found.order) == problem.peak(plain.order)
    assert _runs(problem, found.order)
    assert _runs(problem, plain.order)


@_EXAMPLES
@given(problems())
def test_live_bytes_follow_from_the_steps_that_have_run(problem: Sequencing) -> None:
    """Adding up what steps make and free gives the live bytes of the set."""
    done, live = 0, problem.live_bytes(0)
    for step in range(problem.count):
        _, live = problem.run(step, done, live)
        done |= 1 << step
        assert problem.live_bytes(done) == live


@_EXAMPLES
@given(problems())
def test_bounds_hold_and_a_search_that_stops_says_so(problem: Sequencing) -> None:
    """No bound exceeds the least peak, however little work is allowed."""
    least = brute_force(problem)
    for step in range(problem.count):
        assert trivial_bytes(problem, step) <= least_bytes(problem, step) <= least
    for effort in (Effort(0, 1, 0), Effort(2, 1, 0), Effort(3, 2)):
        found = best_sequence(problem, effort)
        assert found.lower_bound <= least <= found.peak == problem.peak(found.order)
        assert found.peak <= problem.peak(range(problem.count))
        assert found.states <= effort.states


@_EXAMPLES
@given(problems())
def test_the_cut_bound_is_the_least_need_of_a_step(problem: Sequencing) -> None:
    """The minimum cut equals the fewest bytes while the step runs, over all sets before it."""
    needs: dict[int, int] = {}
    for done in range(problem.everything + 1):
        if all(not problem.before[s] & ~done for s in bits(done)):
            for step in bits(problem.ready(done)):
                during, _ = problem.run(step, done, problem.live_bytes(done))
                during -= 0 if done else problem.first_extra
                needs[step] = min(needs.get(step, 1 << 60), during)
    for step, need in needs.items():
        assert need == least_bytes(problem, step)


@_EXAMPLES
@given(problems(), st.integers(1, 4))
def test_the_heuristic_gives_an_order_that_runs(problem: Sequencing, width: int) -> None:
    """Every step once, each behind what it needs."""
    assert _runs(problem, beam(problem, width, 0))


@_EXAMPLES
@given(problems())
def test_segments_hold_every_step_once_and_follow_each_other(problem: Sequencing) -> None:
    """Running segment after segment is an order, and steps of one run before all later ones."""
    found = list(segments(problem))
    assert _runs(problem, tuple(s for steps in found for s in steps))
    for first, second in pairwise(found):
        if len(first) == 1:
            assert all(problem.ancestors[s] >> first[0] & 1 for s in second)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [20, 40, 60])
def test_cells_are_proved(family: str, size: int) -> None:
    """The order of wired cells is proved optimal, never worse than the model's own."""
    graph = FAMILIES[family](size, size)
    assert size <= len(graph.nodes)
    result = find_order(graph)
    result.graph.check()
    assert result.optimal
    assert sorted(n.name for n in graph.nodes) == sorted(n.name for n in result.graph.nodes)
    assert result.peak_bytes == peak_bytes(result.graph) == result.lower_bound_bytes
    assert result.peak_bytes <= peak_bytes(graph)


def test_a_wired_cell_gains() -> None:
    """The model's own order is not always the best."""
    graph = random_wired(0, 40)
    assert find_order(graph).peak_bytes < peak_bytes(graph)


def _chain(count: int) -> Graph:
    net = Wiring("chain")
    x = net.input(1, 4, 4, 4)
    while len(net) < count:
        x = net.add(Add(), x, net.conv(net.conv(x, 8), 4))
    return net.graph(x)


def test_long_chains_are_cut_everywhere() -> None:
    """Five thousand nodes in a row take no search and well under a second."""
    graph = _chain(5000)
    start = time.process_time()
    result = find_order(graph)
    assert time.process_time() - start < 3  # 0.4 s alone; the machine may be busy
    assert result.optimal
    assert 0 == result.states
    assert graph is result.graph


def test_a_search_that_stops_early_reports_the_gap() -> None:
    """Bound and gap tell how far the order may be off."""
    graph = random_wired(2, 60)
    result = find_order(graph, effort=Effort(states=0, width=1, cuts=0))
    best = find_order(graph)
    assert not result.optimal
    assert result.lower_bound_bytes <= best.peak_bytes <= result.peak_bytes
    assert result.lower_bound_bytes < result.peak_bytes
    assert result.searched


def test_more_effort_finds_more() -> None:
    """Each effort does at least as well as the one before, and this network needs the second."""
    graph = random_wired(1, 200)
    fast, normal = (find_order(graph, effort=EFFORTS[name]) for name in ("fast", "normal"))
    assert ["fast", "normal", "thorough"] == list(EFFORTS)
    assert normal.peak_bytes < fast.peak_bytes
    assert normal.lower_bound_bytes >= fast.lower_bound_bytes


def test_scratch_counts() -> None:
    """A step with scratch moves to where less is alive."""
    net = Wiring("two")
    x = net.input(1, 4, 4, 4)
    small, large = net.conv(x, 4), net.conv(x, 64)
    narrow = net.conv(small, 1)
    graph = net.graph(net.join([narrow, net.conv(large, 1)]))
    scratch = {graph.nodes[2].name: 2000}
    assert 64 + 1024 + 16 + 2000 == peak_bytes(graph, scratch)
    found = find_order(graph, scratch=scratch).peak_bytes  # the other branch runs first
    assert 64 + 16 + 16 + 2000 == found


def test_an_in_place_step_adds_nothing() -> None:
    """A chain of element-wise steps needs its input's bytes and no more."""
    net = Wiring("flips")
    x = net.input(1, 4, 4, 4)
    for _ in range(3):
        x = net.add(FlipSign(), x)
    assert 64 == find_order(net.graph(x)).peak_bytes
