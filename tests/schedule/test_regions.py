# SPDX-License-Identifier: Apache-2.0
"""Buffers in several RAM regions: all fit, hot ones in the fast one, and the code is the same."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from cells import FAMILIES

from mcuplan.emit import Bundle, Stamp, emit
from mcuplan.ir.graph import Graph
from mcuplan.ops.pool2d import MaxPool2D
from mcuplan.prove.cores import core_named
from mcuplan.prove.elf import Kind, read_elf
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.prove.harness import build_for_core
from mcuplan.prove.proofs import Subject, prove_on_core, prove_on_host
from mcuplan.prove.toolchain import cross_compiler
from mcuplan.schedule.accesses import SCRATCH, accesses, wait_cycles
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.regions import spread
from mcuplan.schedule.explore.levels import Streaming
from mcuplan.schedule.kernels.select import select_kernels
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.program import Plan
from mcuplan.solvers.packing import PlanError, check_regions
from mcuplan.solvers.packing.problem import Region
from mcuplan.targets import Target, load_target

_BIG = 1 << 20


def _target(*regions: Region, core: str = "cortex-m4") -> Target:
    base = load_target(core)
    return replace(base, regions=(*regions, *base.flash), backend="c99")


def _ram(name: str, nbytes: int, wait_states: int = 0) -> Region:
    """A RAM region; ``sram`` is the linker's default."""
    section = "" if name == "sram" else f".{name}"
    return Region(name, "ram", nbytes, wait_states=wait_states, section=section)


def _chain() -> Graph:
    """Convolutions with windows, so that outputs start among the rows of their inputs."""
    net = Wiring("chain")
    x = net.input(1, 16, 16, 16)
    for _ in range(3):
        x = net.conv(net.conv(x, 16, 5), 16, 3)
    return net.graph(net.conv(x, 4, 3, 4))


def _bytes(plan: Plan) -> int:
    return sum(memory.arena_bytes for memory in plan.memory.values())


def _whole(graph: Graph) -> Plan:
    """The plan in one arena."""
    return plan_graph(graph, _target(_ram("sram", _BIG)))


@cache
def _cell(family: str) -> Plan:
    """A wired cell in one arena."""
    return _whole(FAMILIES[family](2, 14))


@cache
def _by_rows(streaming: Streaming, backend: str = "dsp") -> Plan:
    """A plan by rows in one arena; of this backend with scratch."""
    net = Wiring("rows")
    x = net.add(MaxPool2D((2, 1)), net.input(1, 32, 16, 8))
    x = net.conv(net.conv(net.add(MaxPool2D((3, 1)), x), 32, 3), 8, 3, 2)
    target = replace(_target(_ram("sram", _BIG)), backend=backend)
    plan = plan_graph(net.graph(x), target, streaming=streaming)
    assert len(plan.runs) > len(plan.program.steps)
    assert (backend == "dsp") == any(step.scratch_bytes for step in plan.program.steps)
    return plan


def _on(whole: Plan, target: Target) -> Plan:
    """A plan in one arena for another target, in its largest region."""
    region = max(target.ram, key=lambda region: region.bytes)
    (memory,) = whole.memory.values()
    program = replace(whole.program, target=target)
    return replace(whole, program=program, memory=MappingProxyType({region.name: memory}))


def _checked(plan: Plan, apart_bytes: int) -> None:
    """Both checkers pass the plan, beside stack and variables in the default region."""
    capacities = {
        r.name: r.bytes - apart_bytes * (r.name == "sram") for r in plan.program.target.ram
    }
    problem = plan.allocation.problem
    check_regions(problem, plan.memory, capacities)
    check_rows(plan)


def _divided(whole: Plan, core: str = "cortex-m4", eighths: int = 6) -> Plan:
    """A plan on two RAMs of which neither holds it alone."""
    largest = max(buffer.nbytes for buffer in whole.allocation.buffers)
    size = max(-(-_bytes(whole) * eighths // 8), largest)
    assert size < _bytes(whole)
    target = _target(_ram("ccm", size), _ram("sram", size + 404, 2), core=core)
    plan = spread(_on(whole, target), 400)
    assert ["ccm", "sram"] == list(plan.memory)
    _checked(plan, 400)
    return plan


# -- where buffers go ---------------------------------------------------------------------------


def test_everything_goes_to_the_fast_region_where_it_fits() -> None:
    """No buffer is slow where the fast region holds all; there was no choice to speak of."""
    target = _target(_ram("ccm", 1 << 16), _ram("sram", _BIG, 2))
    plan = spread(plan_graph(_chain(), target))
    assert (["ccm"], None) == (list(plan.memory), plan.spread)
    assert {0} == set(wait_cycles(plan))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tenths", [3, 6, 8])
def test_divided_cells_keep_every_rule_and_wait_less(family: str, tenths: int) -> None:
    """Cells on two and three RAMs pass both checkers and never wait longer than in one."""
    size = _bytes(_cell(family))
    fast, middle = _ram("ccm", size * tenths // 10), _ram("core", size // 3, 1)
    slow = _ram("sram", 2 * size, 4)
    for regions in ((fast, slow), (fast, middle, slow)):
        in_one = _on(_cell(family), _target(*regions))
        plan = spread(in_one, 100)
        _checked(plan, 100)
        assert plan.spread is not None
        waiting = sum(wait_cycles(plan))
        assert plan.spread.lower_bound_cycles <= waiting == plan.spread.wait_cycles
        assert waiting <= sum(wait_cycles(in_one))
        assert plan.spread.optimal == (plan.spread.lower_bound_cycles == waiting)


def test_more_fast_memory_never_waits_longer() -> None:
    """Cycles of wait states fall, byte by byte, as the fast region grows."""
    graph, waiting = _chain(), []
    size = _bytes(_whole(graph))
    for tenths in range(0, 11, 2):
        target = _target(_ram("ccm", max(4, size * tenths // 10)), _ram("sram", _BIG, 3))
        waiting.append(sum(wait_cycles(spread(plan_graph(graph, target)))))
    assert waiting == sorted(waiting, reverse=True)
    assert waiting[0] > waiting[-1] == 0


def test_regions_named_first_decide_between_equal_wait_states() -> None:
    """Without wait states everything lies in the first region that holds it, undivided."""
    size = _bytes(_whole(_chain()))
    regions = (_ram("one", size + 100), _ram("two", 2 * size), _ram("sram", 3 * size))
    for order in (regions, regions[::-1]):
        plan = spread(plan_graph(_chain(), _target(*order)))
        assert [order[0].name] == list(plan.memory)


def test_stack_and_variables_take_room_in_the_default_region() -> None:
    """What lies apart is taken off the default region, of the others nothing."""
    size = _bytes(_whole(_chain()))
    target = _target(_ram("sram", size + 100), _ram("ccm", size + 100, 1))
    for apart, region in ((100, "sram"), (2 * size, "ccm")):
        plan = spread(plan_graph(_chain(), target), apart)
        assert [region] == list(plan.memory)


def test_reserved_regions_are_not_used() -> None:
    """A region that the firmware has wholly reserved gets no arena."""
    taken = replace(_ram("ccm", 1 << 16), reserved_bytes=1 << 16)
    plan = spread(plan_graph(_chain(), _target(taken, _ram("sram", _BIG, 1))))
    assert ["sram"] == list(plan.memory)


def test_a_plan_that_fits_nowhere_comes_back() -> None:
    """Where no division fits, the plan stays in the largest region, for the verdict to name it."""
    whole = plan_graph(_chain(), _target(_ram("ccm", 3000), _ram("sram", 3500)))
    assert whole is spread(whole, 100)
    assert ["sram"] == list(whole.memory)


def test_a_limit_on_all_ram_keeps_buffers_together() -> None:
    """Where apart they need more than the limit allows, one region keeps them."""
    size = _bytes(_whole(_chain()))
    target = _target(_ram("ccm", size * 3 // 4), _ram("sram", 2 * size, 2))
    whole = plan_graph(_chain(), target)
    free, tight = spread(whole, 100), spread(whole, 100, ram_limit=size + 100)
    assert _bytes(free) > size
    assert (["ccm", "sram"], ["sram"]) == (list(free.memory), list(tight.memory))


def test_sharing_ends_at_the_border_of_a_region() -> None:
    """Pairs in different regions are no pairs any more; the others share as before."""
    plan = _divided(_whole(_chain()))
    buffers = plan.allocation.buffers
    for low, high in plan.allocation.overlaps.separations:
        assert plan.places[buffers[low].name][0] == plan.places[buffers[high].name][0]
    for pairs in plan.allocation.overlaps.pairs.values():
        for pair in pairs:
            names = (buffers[pair.output].name, buffers[pair.source].name)
            assert 1 == len({plan.places[name][0] for name in names})


def test_the_checker_refuses_a_plan_beyond_a_region() -> None:
    """A byte less in one of the regions, and the checker names it."""
    plan = _divided(_whole(_chain()))
    problem = plan.allocation.problem
    exact = {name: memory.arena_bytes for name, memory in plan.memory.items()}
    check_regions(problem, plan.memory, exact)
    for region in exact:
        with pytest.raises(PlanError, match=f"region '{region}': .* region has"):
            check_regions(problem, plan.memory, exact | {region: exact[region] - 1})


# -- accesses -----------------------------------------------------------------------------------


def test_accesses_of_a_convolution() -> None:
    """Two channels share a load of the portable kernel; a cache moves each word once."""
    net = Wiring("one")
    graph = net.graph(net.conv(net.input(1, 8, 8, 4), 6, 3))
    (step,) = select_kernels(graph, _target(_ram("sram", _BIG))).steps
    macs = 8 * 8 * 6 * 3 * 3 * 4
    assert {"t0": 8 * 8 * 6, "in0": macs // 2} == accesses(step, cached=False)
    assert {"t0": 8 * 8 * 6 // 4, "in0": 8 * 8 * 4 // 4} == accesses(step, cached=True)


def test_scratch_takes_the_loads_of_a_patch() -> None:
    """A kernel that gathers a patch loads inputs once per window and multiplies from scratch."""
    net = Wiring("one")
    graph = net.graph(net.conv(net.input(1, 8, 8, 4), 6, 3))
    (step,) = select_kernels(graph, load_target("cortex-m4")).steps
    target = replace(load_target("cortex-m4"), backend="dsp")
    (fast,) = select_kernels(graph, target).steps
    portable, found = accesses(step, cached=False), accesses(fast, cached=False)
    assert fast.scratch_bytes
    assert found["in0"] == 8 * 8 * 3 * 3 * 4 // 4 < portable["in0"] // 4
    assert found["in0"] + portable["in0"] // 4 == found[SCRATCH]


def test_wait_cycles_are_accesses_times_wait_states() -> None:
    """Every access to a region with n wait states costs n cycles, also where it is the only one."""
    graph = _chain()
    plan = plan_graph(graph, _target(_ram("sram", _BIG, 3)))
    counted = [3 * sum(accesses(step, cached=False).values()) for step in plan.program.steps]
    assert tuple(counted) == wait_cycles(plan)


def test_rows_wait_for_their_region_with_their_scratch() -> None:
    """A plan by rows waits as often as its steps touch RAM; scratch goes by runs there."""
    plan = _on(_by_rows("input"), _target(_ram("sram", _BIG, 3)))
    counted = [3 * sum(accesses(step, cached=False).values()) for step in plan.program.steps]
    assert tuple(counted) == wait_cycles(plan)


# -- the code -----------------------------------------------------------------------------------


def _bundle(plan: Plan) -> Bundle:
    return emit(plan, "net", Stamp("net.onnx", "0" * 64))


def _feeds(graph: Graph, samples: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    shapes = {port.tensor: (samples, *port.shape[1:]) for port in graph.inputs}
    return {n: rng.integers(-128, 128, s).astype(np.int8) for n, s in shapes.items()}


@pytest.mark.parametrize("family", ["nasnet", "densenet"])
def test_divided_plans_equal_the_reference_on_the_host(family: str, host_gcc: str) -> None:
    """C with an arena per region computes every step, dead bytes spoiled, under sanitizers."""
    plan = _divided(_cell(family))
    proof = prove_on_host(Subject(_bundle(plan), plan), _feeds(plan.program.graph, 3))
    assert proof.mismatch is None


@pytest.mark.parametrize("streaming", ["auto", "input"])
def test_rows_in_two_regions_equal_the_reference(
    streaming: Streaming, host_gcc: str, arm_gcc: str, qemu: str
) -> None:
    """Rows that fit neither RAM alone: tensors are divided, the code and its sizes are right."""
    plain, plan = (_divided(_by_rows(streaming, b), eighths=7) for b in ("c99", "dsp"))
    feeds = _feeds(plan.program.graph, 2)
    assert prove_on_host(Subject(_bundle(plain), plain), feeds).mismatch is None
    for tensor in plan.allocation.rows:
        assert 1 == len({region for region, _ in plan.row_addresses(tensor)})
    proof = prove_on_core(Subject(_bundle(plan), plan), feeds, core_named("cortex-m4"))
    assert proof.equal
    assert () == proof.drift


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55"])
def test_divided_plans_equal_the_reference_on_a_core(core: str, arm_gcc: str, qemu: str) -> None:
    """Linked with the fragment of the bundle, outputs and sizes are those of the plan."""
    plan = _divided(_whole(_chain()), core)
    subject = Subject(_bundle(plan), plan)
    proof = prove_on_core(subject, _feeds(plan.program.graph, 1), core_named(core))
    assert proof.equal
    assert () == proof.drift


def test_the_fragment_places_the_arena_in_its_section(arm_gcc: str, tmp_path: Path) -> None:
    """The arena with a section takes no bytes of the image and lies behind the default RAM's."""
    plan = _divided(_whole(_chain()))
    subject = Subject(_bundle(plan), plan)
    core = core_named("cortex-m4")
    image = build_for_core(subject.bundle.files, subject.api(), tmp_path, core, cross_compiler())
    elf = read_elf(tmp_path / image.program)
    ccm, sram = elf.find("mplan_test_ccm"), elf.find("mplan_test_sram")
    assert (Kind.BSS, Kind.BSS) == (ccm.kind, sram.kind)
    assert ccm.address >= sram.address + sram.nbytes
    text = (tmp_path / image.link_map).read_text()
    assert re.search(rf"^\.ccm\s+0x0*{ccm.address:x}\s+{ccm.nbytes:#x}\b", text, re.M)


def test_the_fragment_says_how_to_use_it() -> None:
    """Object, memory and include line stand in the fragment; without sections there is none."""
    plan = _divided(_whole(_chain()))
    base = replace(plan.program.target.ram[0], base=0x10000000)
    target = replace(plan.program.target, regions=(base, *plan.program.target.regions[1:]))
    program = replace(plan.program, target=target)
    files = {str(p): text for p, text in _bundle(replace(plan, program=program)).files.items()}
    text = files["net.ld"]
    size = plan.memory["ccm"].arena_bytes
    assert "static net_ccm_t ccm MPLAN_SECTION(NET_CCM_SECTION);" in text
    assert f"CCM (rw) : ORIGIN = 0x10000000, LENGTH = {base.bytes}" in text
    assert "INCLUDE net.ld" in text
    assert (
        f".ccm (NOLOAD) : /* {size} bytes of {base.bytes} */\n{{\n    *(.ccm .ccm.*)\n}} > CCM"
        in text
    )
    assert f"#define NET_CCM_BYTES ({size}U)" in files["net.h"]
    assert "    net_ccm_t *ccm;\n    net_sram_t *sram;\n" in files["net.h"]
    assert "net.ld" not in {str(path) for path in _bundle(_whole(_chain())).files}
