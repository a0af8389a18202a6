# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
from networks import tiny_plan

from mcuplan.backends import backend_kernels, backend_of, library_of
from mcuplan.ir.types import DType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.prove.layers import Shape, typed_graph
from mcuplan.schedule.kernels.select import Offers, candidates_of, flash_bytes, select_kernels
from mcuplan.targets import list_targets, load_target


@pytest.mark.parametrize("name", list_targets())
def test_no_core_gets_a_kernel_that_it_cannot_run(name: str) -> None:
    """A candidate needs nothing that the target lacks."""
    target = replace(load_target(name), backend="auto")
    for found in candidates_of(tiny_plan().program.graph, target).values():
        for candidate in found:
            assert candidate.step.kernel.requires <= set(target.features)
            assert candidate.step.kernel.runs(candidate.step.signature)


@pytest.mark.parametrize(
    ("core", "sets"),
    [("cortex-m0plus", {"scalar"}), ("cortex-m4", {"scalar", "dsp"}), ("cortex-m55", {"mve"})],
)
def test_kernels_of_every_set_are_candidates(core: str, sets: set[str]) -> None:
    """What the core can run is a candidate, of whatever set; one that is asked for, alone."""
    graph, target = tiny_plan().program.graph, load_target(core)
    convolutions = [n.name for n in graph.nodes if graph.signature(n).cost.macs]
    for asked, allowed in [("auto", {"scalar", *sets}), *((name, {name}) for name in sets)]:
        ways = candidates_of(graph, replace(target, backend=asked))
        found = {c.step.kernel.backend for name in convolutions for c in ways[name]}
        assert found >= {"c99", *sets} if asked == "auto" else found == {"c99", *allowed}


def test_counts_of_another_core_outrun_no_set_made_for_this_one() -> None:
    """A kernel known from a Cortex-M4 is no faster than vector kernels that nobody measured."""
    target = replace(load_target("cortex-m55"), backend="auto")
    for found in candidates_of(tiny_plan().program.graph, target).values():
        vector = [c.cycles for c in found if c.step.kernel.backend == "mve"]
        other = [c.cycles for c in found if c.step.kernel.backend in ("dsp", "scalar")]
        assert max(vector, default=0.0) <= min(other, default=float("inf"))


def test_a_copy_for_vector_kernels_is_taken_where_it_pays() -> None:
    """On a Cortex-M55 weights of 4 bits are widened for many pixels, and read as they are for one.

    The portable kernel, which is slower, runs neither; blocks of few weights are no vectors.
    """
    target = replace(load_target("cortex-m55"), backend="auto")
    wide = Shape(Conv2D((3, 3), pads=(1, 1, 1, 1)), ((1, 8, 8, 64),), ((16, 3, 3, 64), (16,)))
    matrix = Shape(Dense(), ((1, 200),), ((64, 200), (64,)))
    for dtype, beside in ((DType.INT4, "mve"), (DType.INT4_BLOCKS, "dsp")):
        graph = typed_graph([replace(shape, weights=dtype) for shape in (wide, matrix)])
        first = [found[0].step.kernel for found in candidates_of(graph, target).values()]
        assert ["mve", beside] == [kernel.backend for kernel in first]
        assert [True, False] == [kernel.staged for kernel in first]
        assert not any(kernel.trades_flash for kernel in first)


def test_more_kernels_are_never_slower() -> None:
    """Where all sets are measured, the fastest of all is as fast as that of any one set."""
    graph, target = tiny_plan().program.graph, load_target("cortex-m4")
    every = candidates_of(graph, replace(target, backend="auto"))
    for name in ("c99", *(name for name in backend_kernels() if not library_of(name))):
        for node, found in candidates_of(graph, replace(target, backend=name)).items():
            assert every[node][0].cycles <= found[0].cycles


def test_fast_kernels_come_first_where_they_apply() -> None:
    """On a core with DSP instructions the convolutions leave the portable kernels."""
    target = replace(load_target("cortex-m4"), backend="dsp")
    program = select_kernels(tiny_plan().program.graph, target)
    convolutions = [step for step in program.steps if isinstance(step.node.op, Conv2D)]
    backends = {step.kernel.backend for step in convolutions}
    assert {"dsp"} == backends


def test_the_backend_that_asks_for_most_wins() -> None:
    """A core with DSP instructions and vectors runs the vector kernels."""
    assert "mve" == backend_of(load_target("cortex-m55").features)
    assert "dsp" == backend_of(load_target("cortex-m4").features)
    assert "scalar" == backend_of(load_target("cortex-m0plus").features)


def test_the_portable_set_is_the_default() -> None:
    """A target as loaded takes no backend's kernels, and every backend has a name."""
    program = select_kernels(tiny_plan().program.graph, load_target("cortex-m4"))
    assert {"c99"} == {step.kernel.backend for step in program.steps}
    assert "c99" not in backend_kernels()


def test_kernels_that_hold_all_rows_need_the_ram_for_them() -> None:
    """Where input and output do not fit together, a layer is left to kernels that go by rows."""
    graph, target = tiny_plan().program.graph, replace(load_target("cortex-m4"), backend="auto")
    name = next(n.name for n in graph.nodes if getattr(n.op, "groups", 1) > 1)
    layer = candidates_of(graph, target)[name][0].step.signature
    room = layer.inputs[0].nbytes + layer.output.nbytes
    for limit, held in ((None, {True, False}), (room, {True})):
        found = Offers(target, ram_limit=limit).of(graph)[name]
        assert held == {candidate.step.kernel.row_by_row for candidate in found}


def test_little_flash_leaves_kernels_that_make_a_row_at_a_time() -> None:
    """Plans by rows begin with them, even where others keep fewer constants."""
    net, target = Wiring("rows"), replace(load_target("cortex-m3"), backend="auto")
    graph = net.graph(net.conv(net.conv(net.input(1, 12, 12, 80), 80, 3), 80, 3))
    fastest = flash_bytes(select_kernels(graph, target))
    for limit in range(fastest - 12_000, fastest, 500):
        for found in Offers(target, flash_limit=limit).of(graph).values():
            assert 1 in {candidate.step.kernel.tall for candidate in found}
