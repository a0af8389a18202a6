# SPDX-License-Identifier: Apache-2.0
"""Where flash is short no plan is over while some choice of kernels is known to fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcuplan.budget.footprint import flash_bill, ram_bill
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import DType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.record import Limits, Request
from mcuplan.schedule.kernels.flash_price import price_of
from mcuplan.schedule.kernels.select import (
    Candidate,
    Offers,
    candidates_of,
    flash_bytes,
    program_of,
)
from mcuplan.schedule.kernels.smallest import fastest_within, least_flash, smallest
from mcuplan.schedule.planning.choice import plan_asked
from mcuplan.schedule.planning.making import placed
from mcuplan.schedule.planning.rating import Rating, plan_flash
from mcuplan.schedule.program import Plan, Sharing
from mcuplan.solvers.effort import EFFORTS
from mcuplan.targets import Target, load_target
from mcuplan.words import kernels

Chosen = Mapping[str, Candidate]

_MOST = 100  # choices of kernels that are all placed
_CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m55")


@st.composite
def _nets(draw: st.DrawFn) -> Graph:
    """Two or three layers, some with weights of 4 bits."""
    net, narrow = Wiring("short"), set[str]()
    side, channels = draw(st.sampled_from([3, 6, 9])), draw(st.sampled_from([3, 4, 8]))
    x = net.input(1, side, side, channels)
    for _ in range(draw(st.integers(1, 2))):
        kind, count = draw(st.sampled_from(["wide", "point", "depthwise"])), len(net)
        wide = Conv2D((3, 3), pads=(1, 1, 1, 1), groups=1)
        if kind == "depthwise":
            x = net.conv_with(replace(wide, groups=channels), x, channels)
        else:
            channels = draw(st.sampled_from([4, 5, 12]))
            x = net.conv(x, channels, 3 if kind == "wide" else 1)
        narrow |= {f"w{count}"} if draw(st.booleans()) else set()
    if draw(st.booleans()):
        narrow |= {f"w{len(net)}"} if draw(st.booleans()) else set()
        x = net.dense(x, draw(st.integers(2, 9)))
    return _narrowed(net.graph(x), narrow)


def _narrowed(graph: Graph, names: set[str]) -> Graph:
    """The graph with some weights in 4 bits."""
    tensors = dict(graph.tensors)
    for name in sorted(names):
        held = tensors[name]
        quant = replace(held.type.q, dtype=DType.INT4)
        tensors[name] = replace(held, type=replace(held.type, dtype=DType.INT4, quant=quant))
    return replace(graph, tensors=MappingProxyType(tensors))


def _target(core: str) -> Target:
    return replace(load_target(core), backend="auto")


def _every(graph: Graph, target: Target) -> Iterator[Chosen]:
    """All choices of kernels, where these are few enough."""
    ways = Offers(target).short_of_flash().of(graph)
    for picked in product(*ways.values()):
        yield dict(zip(ways, picked, strict=True))


def _few(graph: Graph, target: Target) -> bool:
    count = 1
    for found in candidates_of(graph, target).values():
        count *= len(found)
    return count <= _MOST


def _needs(plan: Plan) -> tuple[int, int]:
    """Bytes of RAM and flash that a report of the plan has."""
    divided = Rating().divided(plan)
    ram, flash = ram_bill(divided, Limits(), None), flash_bill(divided, Limits(), None)
    return ram.total_bytes, flash.total_bytes


def _known(graph: Graph, target: Target) -> list[tuple[int, int]]:
    """What choices of kernels need, each step as a whole; those that none beats."""
    plans = (
        placed(program_of(graph, target, chosen), Sharing(), EFFORTS["fast"], exact=False)
        for chosen in _every(graph, target)
    )
    found = list[tuple[int, int]]()
    for ram, flash in sorted(set(map(_needs, plans))):
        if not found or flash < found[-1][1]:
            found.append((ram, flash))
    return found


def _check(graph: Graph, core: str, data: st.DataObject) -> None:
    """Limits that one choice keeps to the byte are kept, whatever else is asked for."""
    target = _target(core)
    assume(_few(graph, target))
    ram, flash = data.draw(st.sampled_from(_known(graph, target)))
    request = Request(
        Path("net"),
        target,
        effort=data.draw(st.sampled_from(["fast", "normal"])),
        streaming=data.draw(st.sampled_from(["auto", "off"])),
        objective=data.draw(st.sampled_from(["balanced", "ram=strict", "latency", "flash"])),
        ram_limit=ram,
        flash_limit=flash,
    )
    taken = _needs(plan_asked(request, graph, target)[1])
    assert (taken[0] <= ram, taken[1] <= flash) == (True, True), (taken, ram, flash)


@settings(max_examples=8, deadline=None)
@given(_nets(), st.sampled_from(_CORES), st.data())
def test_what_some_choice_of_kernels_fits_is_not_over(
    graph: Graph, core: str, data: st.DataObject
) -> None:
    """Of all choices, each step as a whole, none keeps limits that a plan breaks."""
    _check(graph, core, data)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(_nets(), st.sampled_from(_CORES), st.data())
def test_what_fits_is_not_over_in_many_networks(
    graph: Graph, core: str, data: st.DataObject
) -> None:
    """The same of more of them."""
    _check(graph, core, data)


@settings(max_examples=8, deadline=None)
@given(_nets(), st.sampled_from(_CORES))
def test_the_least_flash_is_that_of_the_best_choice(graph: Graph, core: str) -> None:
    """Prices are the bytes that are charged; no choice has less, or is faster by far within."""
    target = _target(core)
    assume(_few(graph, target))
    ways = Offers(target).short_of_flash().of(graph)
    price = price_of(graph, target, ways)
    every = [
        (flash_bytes(program_of(graph, target, chosen)), chosen) for chosen in _every(graph, target)
    ]
    assert all(abs(price.of(chosen) - nbytes) <= 3 for nbytes, chosen in every)
    least = min(nbytes for nbytes, _ in every)
    assert abs(least_flash(ways, price) - least) <= 3
    taken = flash_bytes(program_of(graph, target, smallest(ways, least, price)))
    assert taken <= least + 3
    assert fastest_within(ways, least - 4, price) is None
    for limit in sorted({nbytes for nbytes, _ in every})[::7]:
        fast = fastest_within(ways, limit + 3, price)
        assert fast is not None
        assert flash_bytes(program_of(graph, target, fast)) <= limit + 6


def _matrix(inputs: int = 16, outputs: int = 5) -> Graph:
    """Weights of 4 bits, for which a small core has a kernel of more code than what copies them."""
    net = Wiring("matrix")
    return _narrowed(net.graph(net.dense(net.input(1, inputs), outputs)), {"w0"})


@pytest.mark.parametrize("effort", ["fast", "normal"])
@pytest.mark.parametrize("objective", ["balanced", "latency", "flash", "ram", "ram=strict"])
def test_copies_of_weights_count_where_flash_is_short(effort: str, objective: str) -> None:
    """Only there: what reads 4 bits as they are is faster, and takes no RAM."""
    graph, target = _matrix(), _target("cortex-m0plus")
    (ways,) = candidates_of(graph, target).values()
    plain, copy = ways[:2]
    assert [False, True] == [way.step.kernel.trades_flash for way in (plain, copy)]
    for way in (plain, copy):
        needs = flash_bytes(program_of(graph, target, {"n0": way}))
        request = Request(
            Path("net"),
            target,
            objective=objective,
            effort=effort,
            flash_limit=needs,
            streaming="off",
        )
        plan, _ = plan_asked(request, graph, target)
        assert plan_flash(plan) == needs
        assert [way.step.kernel.function] == [step.kernel.function for step in plan.program.steps]


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_a_copy_needs_the_ram_for_it(effort: str) -> None:
    """Without that the plan is over the flash, and keeps the RAM."""
    graph, target = _matrix(64, 16), _target("cortex-m0plus")
    request = Request(Path("net"), target, effort=effort, streaming="off")
    plain, _ = plan_asked(request, graph, target)
    ram, flash = _needs(plain)
    both = replace(request, flash_limit=flash - 1, ram_limit=ram)
    held, _ = plan_asked(both, graph, target)
    assert [False] == [step.kernel.staged for step in held.program.steps]
    assert _needs(held)[0] <= ram
    roomy, _ = plan_asked(replace(both, ram_limit=ram + 1024), graph, target)
    assert [True] == [step.kernel.staged for step in roomy.program.steps]


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_the_fastest_kernels_are_those_that_flash_holds(effort: str) -> None:
    """A plan says so where flash does not hold those that keep a multiple of their weights."""
    net = Wiring("tiles")
    graph = net.graph(net.conv(net.conv(net.input(1, 16, 16, 4), 16, 3), 16, 3))
    target = _target("cortex-m4")
    request = Request(
        Path("net"), target, objective="latency", effort=effort, streaming="off", flash_limit=0
    )
    plain, _ = plan_asked(request, graph, target)
    for limit, short in ((plan_flash(plain), True), (None, False)):
        plan, _ = plan_asked(replace(request, flash_limit=limit), graph, target)
        assert plan.selected is not None
        assert short != any(step.kernel.trades_flash for step in plan.program.steps)
        assert short == ("that the flash holds" in kernels(plan.selected))
