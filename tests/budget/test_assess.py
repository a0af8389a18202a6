# SPDX-License-Identifier: Apache-2.0
"""The sums of a budget, its verdicts, and growth against a baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_nets import Net, small_net

from mcuplan import pipeline
from mcuplan.budget import (
    assess,
    compare,
    compared_from_report,
    read_report,
    undecided,
    with_growth,
)
from mcuplan.budget.rows import live_bytes
from mcuplan.errors import (
    BaselineError,
    DamagedModel,
    DynamicShape,
    McuplanError,
    NonFiniteWeights,
    OtherTarget,
    StackUnknown,
    UnsupportedOp,
)
from mcuplan.plan_facts import Trade
from mcuplan.record import (
    Against,
    Budget,
    BuildFigures,
    ElfFigures,
    Evidence,
    Limits,
    Planned,
    Request,
    StackFigures,
    Status,
    Verification,
)
from mcuplan.report import render
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.program import Selected, Sharing
from mcuplan.targets import load_target
from mcuplan.units import Origin


def planned(net: Net, folder: Path, target: str = "nucleo-f446re") -> Planned:
    """The net planned for a board, grids made up."""
    path = net.save(folder / "net.onnx")
    request = Request(path, load_target(target), streaming="off")
    return pipeline.plan(request, sizes_only=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """The small net."""
    return planned(small_net(), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def budget(small: Planned) -> Budget:
    """Its budget without limits."""
    return assess(small)


def test_every_byte_counts_once(budget: Budget) -> None:
    """Totals are the sums of their parts, and the regions hold exactly the totals."""
    ram, flash = budget.ram, budget.flash
    assert ram.arena_bytes + ram.io_bytes + ram.static_bytes + ram.stack_bytes == ram.total_bytes
    assert flash.weights_bytes + flash.tables_bytes + flash.code_bytes == flash.total_bytes
    for kind, total in (("ram", ram.total_bytes), ("flash", flash.total_bytes)):
        assert total == sum(r.used_bytes for r in budget.regions if r.kind == kind)
    for region in budget.regions:
        assert region.bytes == region.reserved_bytes + region.used_bytes + region.left_bytes


def test_weights_are_those_of_the_network(budget: Budget) -> None:
    """int8 weights and int32 biases of each layer, to the byte."""
    expected = {"first": 4 * 2 * 9 + 4 * 4, "second": 3 * 4 + 3 * 4, "head": 5 * 48 + 5 * 4}
    found = {row.name: row.weights_bytes for row in budget.layers if row.weights_bytes}
    assert expected == found
    assert sum(expected.values()) == budget.flash.weights_bytes


def test_live_bytes_are_those_of_the_buffers(small: Planned, budget: Budget) -> None:
    """Live bytes of a step are the buffers alive at it, and the peak is the largest."""
    apart = make_plan(small.plan.program, Sharing(overlap=False))
    for plan, live in (
        (apart, live_bytes(apart)),
        (small.plan, tuple(row.live_bytes for row in budget.layers)),
    ):
        for index, found in enumerate(live):
            buffers = plan.allocation.buffers
            alive = [b.nbytes for b in buffers if b.live.start <= index < b.live.end]
            assert sum(alive) == found or index in plan.allocation.overlaps.pairs
            assert max(alive) <= found <= sum(alive)
    peak = max(row.live_bytes for row in budget.layers)
    assert peak == budget.peak.live_bytes == budget.layers[budget.peak.step].live_bytes
    assert max(live_bytes(apart)) > peak
    assert budget.peak.lower_bound_bytes <= budget.ram.arena_bytes
    assert all(row.input_bytes + row.output_bytes == row.activation_bytes for row in budget.layers)


def test_a_chain_has_one_order(budget: Budget) -> None:
    """The order of a chain is proved best: there is no other."""
    assert budget.peak.optimal_order


def test_buffers_do_not_overlap(budget: Budget) -> None:
    """Two buffers that share bytes are aliases, or one ends in the step that makes the other."""
    rows = [row for row in budget.buffers if row.alias_of is None]
    for i, one in enumerate(rows):
        for other in rows[i + 1 :]:
            common = min(one.end, other.end) - max(one.start, other.start)
            apart = (
                one.offset + one.bytes <= other.offset or other.offset + other.bytes <= one.offset
            )
            assert common <= 1 or apart or one.region != other.region


def test_cycles_add_up(budget: Budget) -> None:
    """The latency is the sum of the layers at the target's clock."""
    cycles = sum(row.all_cycles for row in budget.layers)
    assert cycles == budget.latency.cycles
    assert sum(row.cycles for row in budget.layers) == budget.latency.core_cycles
    assert cycles / 180e6 == pytest.approx(budget.latency.seconds)
    assert Origin.MODELLED is budget.latency.origin
    energy = budget.energy
    assert energy is not None
    assert energy.joules == pytest.approx(energy.compute_joules + energy.memory_joules)


def test_energy_per_cycle_decides_the_total(small: Planned, tmp_path: Path) -> None:
    """Where a target has an energy per cycle, the total is cycles times that."""
    board = tmp_path / "own.toml"
    board.write_text(
        'name = "own"\nextends = "nucleo-f446re"\n[energy.per_cycle_j]\n'
        'value = 1e-9\nunit = "J/cycle"\norigin = "datasheet"\nsource = "a datasheet"\n'
    )
    found = assess(pipeline.retarget(small, load_target(board)))
    assert found.energy is not None
    assert found.latency.cycles * 1e-9 == pytest.approx(found.energy.joules)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_ram=100), "ram/over-budget"),
        (Limits(max_flash=100), "flash/over-budget"),
        (Limits(max_latency_s=1e-9), "latency/over-budget"),
    ],
)
def test_each_budget_is_kept_or_named(small: Planned, limits: Limits, code: str) -> None:
    """A limit below the figure gives its code and nothing else."""
    found = assess(small, limits).verdict
    assert Status.OVER is found.status
    assert [code] == [f.code for f in found.findings if f.severity == "error"]


def test_a_limit_is_kept_to_the_byte(small: Planned, budget: Budget) -> None:
    """A limit of exactly the total fits; one byte less does not."""
    for extra, status in ((0, Status.FITS), (-1, Status.OVER)):
        limits = Limits(budget.ram.total_bytes + extra, budget.flash.total_bytes + extra)
        assert status is assess(small, limits).verdict.status


def test_a_limit_above_the_target_changes_nothing(small: Planned, budget: Budget) -> None:
    """The target's own memory stays the budget where it is smaller."""
    wide = assess(small, Limits(max_ram=1 << 30, max_flash=1 << 30))
    assert budget.ram == wide.ram
    assert budget.flash == wide.flash


def test_measured_figures_replace_the_model(small: Planned, budget: Budget) -> None:
    """After a build, code and stack are the measured ones without margin."""
    build = BuildFigures(1000, 24, budget.flash.weights_bytes + 100, 0, 200, "gcc", "-O2")
    found = assess(small, evidence=Evidence(build, cycles={0: 7}))
    assert (1024, 0, Origin.MEASURED) == (
        found.flash.code_bytes,
        found.flash.code_margin_bytes,
        found.flash.code_origin,
    )
    assert budget.flash.weights_bytes + 100 + 1024 == found.flash.total_bytes
    assert (200, 0, Origin.MEASURED) == (
        found.ram.stack_bytes,
        found.ram.stack_margin_bytes,
        found.ram.stack_origin,
    )
    assert (7, Origin.MEASURED) == (found.layers[0].cycles, found.layers[0].cycles_origin)
    assert Origin.MODELLED is found.latency.origin


def test_missing_ranges_and_generic_sizes_are_said(tmp_path: Path) -> None:
    """Sizes without ranges fit, and the report says what they stand on."""
    found = assess(planned(small_net(), tmp_path, "cortex-m4")).verdict
    assert Status.FITS is found.status
    codes = {f.code for f in found.findings}
    assert {"quant/no-ranges", "target/generic-sizes"} <= codes


@pytest.mark.parametrize(
    ("equal", "agrees", "used", "code"),
    [
        (False, True, 10, "verify/mismatch"),
        (True, False, 10, "elf/drift"),
        (True, True, 101, "verify/stack"),
        (True, True, 100, None),
    ],
)
def test_what_a_run_contradicts_fails(
    small: Planned, equal: bool, agrees: bool, used: int, code: str | None
) -> None:
    """A byte that differs, drift of the ELF, or more stack than its bound fails the report."""
    run = Verification(
        on="emulator",
        core="cortex-m4",
        samples=1,
        equal_to_reference=equal,
        max_lsb=None,
        exact_share=None,
        top1_agreement=None,
        layer_max_lsb=None,
        first_diverging_layer=None,
        accuracy=None,
        elf=ElfFigures(0, 1, 1, agrees),
        stack=StackFigures(100, used),
        instructions=1,
        cycles=1,
    )
    found = assess(small, evidence=Evidence(verifications=(run,))).verdict
    errors = [f.code for f in found.findings if f.severity == "error"]
    assert ([code] if code else []) == errors
    assert (Status.OVER if code else Status.FITS) is found.status


def as_json(budget: Budget) -> Mapping[str, Any]:
    """The budget as it would be read back."""
    found: Mapping[str, Any] = json.loads(render("json", budget))
    return found


def test_growth_names_the_layer_and_the_reason(budget: Budget, tmp_path: Path) -> None:
    """More output channels in one layer are named as the reason, and the report fails."""
    wider = planned(small_net(channels=6), tmp_path)
    against = Against("main.json", as_json(budget))
    found = with_growth(assess(wider), against)
    assert found.baseline is not None
    assert found.ram.total_bytes - budget.ram.total_bytes == found.baseline.ram_delta
    rows = {row.name: row for row in found.baseline.layers}
    assert "output channels 4 -> 6" in rows["first"].because
    assert 2 * 2 * 9 + 2 * 4 == rows["first"].flash_delta
    assert "baseline/grew" in {f.code for f in found.verdict.findings}
    assert Status.OVER is found.verdict.status


def test_growth_calls_kernels_as_the_tables_do(budget: Budget) -> None:
    """The kernel of a layer has one name in a report, without the prefix of its C function."""
    before: dict[str, Any] = json.loads(json.dumps(as_json(budget)))
    row = before["layers"][0]
    row.update(kernel="mplan_other_s8", live_bytes=row["live_bytes"] + 8)
    changed = compare("a.json", compared_from_report(before), compared_from_report(as_json(budget)))
    (layer,) = changed.layers
    assert f"kernel other_s8 -> {budget.layers[0].kernel.removeprefix('mplan_')}" in layer.because


def test_growth_of_every_part_adds_up(budget: Budget, tmp_path: Path) -> None:
    """Arena, stack, weights, tables and code that changed have a row; the rows are the total."""
    more = planned(small_net().add("Sigmoid", name="more"), tmp_path)
    found = with_growth(assess(more), Against("a.json", as_json(budget)))
    grown = found.baseline
    assert grown is not None
    assert grown.ram_delta == sum(part.ram_delta for part in grown.parts)
    assert grown.flash_delta == sum(part.flash_delta for part in grown.parts)
    parts = {part.name: part for part in grown.parts}
    assert 256 <= parts["tables"].flash_delta
    assert 0 < parts["code"].flash_delta
    assert "new: " in parts["code"].because


def test_a_baseline_of_another_target_is_an_error(small: Planned, budget: Budget) -> None:
    """Bytes on one target say nothing of growth on another."""
    report = {**as_json(budget), "target": {**as_json(budget)["target"], "name": "other-board"}}
    with pytest.raises(OtherTarget, match="other-board"):
        with_growth(assess(small), Against("other.json", report))


def test_no_growth_is_no_finding(small: Planned, budget: Budget) -> None:
    """The same model against its own report has no deltas."""
    found = with_growth(assess(small), Against("same.json", as_json(budget)))
    assert found.baseline is not None
    assert (0, 0, ()) == (
        found.baseline.ram_delta,
        found.baseline.flash_delta,
        found.baseline.layers,
    )
    assert Status.FITS is found.verdict.status


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": "mcuplan.report/1"}', '{"schema": "other"}', "\x00", "[" * 9999],
)
def test_a_bad_baseline_is_an_error(text: str, tmp_path: Path) -> None:
    """Whatever stands in a baseline file, reading it gives its error or the report."""
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(BaselineError):
        read_report(path)


def test_equal_input_equal_bytes(small: Planned) -> None:
    """Every format of the same plan is the same text twice."""
    one, two = (assess(small) for _ in range(2))
    assert render("json", one) == render("json", two)
    assert render("text", one) == render("text", two)


def test_measured_against_modelled_is_no_growth(small: Planned) -> None:
    """A baseline with measured code and stack, the same plan modelled: nothing grew."""
    build = BuildFigures(1000, 24, 2000, 0, 200, "gcc", "-O2")
    measured = as_json(assess(small, evidence=Evidence(build=build)))
    constants = measured["flash"]["weights_bytes"] + measured["flash"]["tables_bytes"]
    modelled = with_growth(assess(small), Against("main.json", measured))
    assert modelled.baseline is not None
    assert 0 == modelled.baseline.ram_delta
    own = modelled.flash.weights_bytes + modelled.flash.tables_bytes
    assert own - constants == modelled.baseline.flash_delta


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        ((DamagedModel("cut off"),), "damaged"),
        ((UnsupportedOp("Hardmax"), NonFiniteWeights("NaN")), "damaged"),
        ((UnsupportedOp("Hardmax"), DynamicShape("axis 2")), "unsupported"),
        ((StackUnknown("recursion"),), "unproven"),
    ],
)
def test_word_for_a_model_that_cannot_be_decided(
    errors: tuple[McuplanError, ...], status: str
) -> None:
    """Damaged before unsupported; unproven only where something was not proved."""
    assert status == undecided("net.onnx", errors, "check").verdict.status.value


@pytest.mark.parametrize(("objective", "named"), [("balanced", True), ("latency", False)])
def test_faster_kernels_are_named_where_time_is_short(
    small: Planned, objective: str, named: bool
) -> None:
    """The hint names the flag that takes faster kernels, unless they are taken already."""
    plan = replace(small.plan, selected=Selected(objective, Trade(1)))
    found = assess(replace(small, plan=plan), Limits(max_latency_s=1e-9)).verdict.findings
    hints = [f.hint for f in found if f.code == "latency/over-budget"]
    assert [named] == ["--objective latency" in hint for hint in hints]
