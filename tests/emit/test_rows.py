# SPDX-License-Identifier: Apache-2.0
"""Plans by rows as C: whole calls, fed rows, wrong orders."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cells import Wiring
from networks import (
    STAMP,
    tiny_bundle,
    tiny_integer,
    tiny_parts_plan,
    tiny_plan,
    tiny_rows_plan,
)
from row_nets import NARROW, WIDE, WIDE_BY_NARROW, in_types, row_net

from mcuplan.budget.footprint import flash_bill, ram_bill
from mcuplan.emit import emit
from mcuplan.emit.header import header_values
from mcuplan.emit.places import Places
from mcuplan.errors import InputTooLarge, ToolFailed
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.pad import Pad
from mcuplan.ops.tile import Tile
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import Subject, prove_on_core, prove_on_host
from mcuplan.prove.toolchain import write_files
from mcuplan.record import Limits
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.planning.by_rows import plan_rows
from mcuplan.schedule.planning.finishing import finished_in_parts
from mcuplan.schedule.program import Plan
from mcuplan.solvers.packing.problem import Placement
from mcuplan.targets import load_target

_FORMS = [(feed, boundary) for feed in (False, True) for boundary in (DType.INT8, DType.UINT8)]


def _feeds(plan: Plan, samples: int) -> dict[str, np.ndarray]:
    """Integers of every input, any of them."""
    rng, graph = np.random.default_rng(5), plan.program.graph
    found = {}
    for port in graph.inputs:
        kind = graph.tensor(port.tensor).type
        info = np.iinfo(kind.dtype.value)
        values = rng.integers(info.min, info.max + 1, (samples, *kind.shape[1:]))
        found[port.tensor] = values.astype(kind.dtype.value)
    return found


def _subject(plan: Plan) -> Subject:
    return Subject(emit(plan, "tiny", STAMP), plan)


@pytest.mark.parametrize(("feed", "boundary"), _FORMS)
def test_rows_equal_the_reference_on_the_host(feed: bool, boundary: DType, host_gcc: str) -> None:
    """Every row of every step is the reference's, under sanitizers and with dead bytes spoiled."""
    plan = tiny_rows_plan(boundary=boundary, feed=feed)
    assert prove_on_host(_subject(plan), _feeds(plan, 20)).mismatch is None


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_equal_the_reference_on_the_host(seed: int, host_gcc: str) -> None:
    """Networks of odd windows, branches and joins give the reference's bytes row by row."""
    plan = plan_rows(row_net(seed), load_target("cortex-m4"), feed=seed % 2 == 1)
    assert plan is not None
    mismatch = prove_on_host(_subject(plan), _feeds(plan, 8)).mismatch
    assert mismatch is None


@pytest.mark.parametrize("feed", [False, True])
@pytest.mark.parametrize("types", [NARROW, WIDE, WIDE_BY_NARROW])
def test_other_types_equal_the_reference_by_rows(
    types: tuple[DType, DType], feed: bool, host_gcc: str
) -> None:
    """The same of weights of 4 bits, and of activations of 16, packed in one arena."""
    target = load_target("cortex-m4")
    plan = plan_rows(in_types(row_net(4 + feed), *types), target, feed=feed)
    assert plan is not None
    assert any(len(runs) > 1 for runs in plan.runs_of.values())
    assert prove_on_host(_subject(plan), _feeds(plan, 6)).mismatch is None


@pytest.mark.parametrize("groups", [1, 8])
def test_rows_between_taps_may_be_spoiled(groups: int, host_gcc: str) -> None:
    """Rows that a dilated window steps over are made, and nobody relies on them."""
    net = Wiring("dilated")
    x = net.conv(net.input(1, 17, 6, 3), 8, 3)
    x = net.conv_with(Conv2D((3, 3), (2, 1), (2, 1), (2, 1, 2, 1), groups), x, 8)
    plan = plan_rows(net.graph(net.conv(x, 4, 3)), load_target("cortex-m4"))
    assert plan is not None
    (skips,) = (s for s in plan.program.steps if s.node.op.dilation == (2, 1))
    spans = skips.signature.rows_read(0).reshape(-1, 2).tolist()
    assert set(range(0, 17, 2)) == {first for first, end in spans if first < end}
    assert prove_on_host(_subject(plan), _feeds(plan, 4)).mismatch is None


@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap", "tile"])
def test_rows_that_are_taken_again_stay(mode: str, host_gcc: str) -> None:
    """Borders of other rows, and repeats, find each row as long as one needs it."""
    border = Pad(((0, 0), (2, 1), (1, 2), (0, 0)), mode)
    net = Wiring(mode)
    x = net.conv(net.input(1, 9, 6, 3), 8, 3)
    x = net.add(Tile((1, 2, 1, 1)) if mode == "tile" else border, x)
    plan = plan_rows(net.graph(net.conv(x, 4, 3)), load_target("cortex-m4"))
    assert plan is not None
    assert 1 < len(plan.rows_per_call(plan.program.steps[1]))
    assert prove_on_host(_subject(plan), _feeds(plan, 4)).mismatch is None


@pytest.mark.parametrize(("core", "feed"), [("cortex-m4", False), ("cortex-m0plus", True)])
def test_rows_equal_the_reference_on_a_core(core: str, feed: bool, arm_gcc: str, qemu: str) -> None:
    """Outputs, sizes and stack of a linked image are those of the plan; steps are counted."""
    plan = tiny_rows_plan(core, feed=feed)
    proof = prove_on_core(_subject(plan), _feeds(plan, 2), core_named(core))
    assert proof.equal
    assert () == proof.drift
    assert proof.stack_bytes <= proof.measured.stack.nbytes
    assert len(plan.program.steps) == len(proof.steps)
    counted = sum(count.instructions for count in proof.steps)
    assert 0.97 * proof.total.instructions < counted < 1.03 * proof.total.instructions


@pytest.mark.parametrize("seed", [1, 5, 7])
def test_finishing_in_parts_gives_the_same_bytes(seed: int, host_gcc: str) -> None:
    """Whatever the calls after the last row do each, all rows are the reference's."""
    plan = plan_rows(row_net(seed), load_target("cortex-m4"), feed=True)
    assert plan is not None
    parts = finished_in_parts(plan, 1 + 2000 * (seed % 4))
    assert parts.pauses
    proof = prove_on_host(_subject(parts), _feeds(parts, 4))
    assert (None, ()) == (proof.mismatch, proof.findings)


def test_finishing_in_parts_on_a_core(arm_gcc: str, qemu: str) -> None:
    """Calls give what the header says, each is counted, and none takes long."""
    plan = tiny_parts_plan()
    proof = prove_on_core(_subject(plan), _feeds(plan, 1), core_named("cortex-m4"))
    assert (True, (), ()) == (proof.equal, proof.drift, proof.findings)
    assert 1 + plan.fed_rows + len(plan.pauses) == len(proof.calls)
    spent = [count.instructions for count in proof.calls]
    assert sum(spent) == proof.total.instructions
    assert max(spent[plan.fed_rows :]) < 0.5 * sum(spent[plan.fed_rows :])


@pytest.mark.parametrize("more", [-1, 1])
def test_a_call_that_does_not_finish_is_found(more: int, host_gcc: str) -> None:
    """A count of calls that is not that of the code stops the program."""
    plan = tiny_parts_plan()
    subject = _subject(plan)
    other = replace(subject, bundle=replace(subject.bundle, finishing=len(plan.pauses) + more))
    with pytest.raises(ToolFailed, match="status"):
        prove_on_host(other, _feeds(plan, 1))


def test_steps_cost_what_they_cost_as_a_whole(arm_gcc: str, qemu: str) -> None:
    """By rows, the convolutions take at most a tenth more cycles than in one call."""
    core = core_named("cortex-m4")
    rows, whole = tiny_rows_plan(feed=False), tiny_plan()
    found = prove_on_core(_subject(rows), _feeds(rows, 1), core)
    wanted = prove_on_core(Subject(tiny_bundle(), whole), _feeds(whole, 1), core)
    for one, other in zip(found.steps[:3], wanted.steps[:3], strict=True):
        assert one.cycles is not None
        assert other.cycles is not None
        assert 0.9 * other.cycles < one.cycles < 1.1 * other.cycles


@pytest.mark.parametrize("feed", [False, True])
def test_a_spoiled_row_is_a_mismatch(feed: bool, host_gcc: str) -> None:
    """A row at the address of another one that is still read is found at the step that makes it."""
    plan = tiny_rows_plan(feed=feed)
    memory = plan.memory["sram"]
    live = {p.buffer.name: p for p in memory.placements}
    (name, other) = next(
        (one, two)
        for one in sorted(live)
        for two in sorted(live)
        if one.startswith("dw[")
        and two.startswith("conv[")
        and live[two].buffer.live.start < live[one].buffer.live.start
        and live[one].buffer.live.start + 2 < live[two].buffer.live.end
    )
    placements = tuple(
        Placement(p.buffer, live[other].offset) if p.buffer.name == name else p
        for p in memory.placements
    )
    wrong = replace(plan, memory={"sram": replace(memory, placements=placements)})
    proof = prove_on_host(_subject(wrong), _feeds(plan, 5))
    assert proof.mismatch is not None
    assert 1 == proof.mismatch.step


@pytest.mark.parametrize("form", ["held", "fed", "parts"])
def test_tables_are_in_the_flash_bill(form: str) -> None:
    """The symbols of a bundle are the weights and tables of the report, and the context is RAM."""
    feed = form != "held"
    plan = tiny_parts_plan() if form == "parts" else tiny_rows_plan(feed=feed)
    symbols = emit(plan, "tiny", STAMP).symbols
    bill = flash_bill(plan, Limits(), None)
    assert bill.weights_bytes == sum(s.nbytes for s in symbols if s.kind == "weights")
    assert bill.tables_bytes == sum(s.nbytes for s in symbols if s.kind == "tables")
    assert (8 if feed else 4) == ram_bill(plan, Limits(), None).static_bytes


def test_rows_too_far_apart_are_refused() -> None:
    """Rows that 16 bits cannot tell apart are an error that says what to do."""
    plan = tiny_rows_plan()
    memory = plan.memory["sram"]
    moved = [p for p in memory.placements if p.buffer.name.startswith("conv[")]
    far = tuple(
        Placement(p.buffer, 1_000_003 if p is moved[1] else p.offset) for p in memory.placements
    )
    with pytest.raises(InputTooLarge, match="apart"):
        emit(replace(plan, memory={"sram": replace(memory, placements=far)}), "tiny", STAMP)


_MAIN = """
#include <stdio.h>
#include <string.h>
#include "fed.h"
#include "whole.h"

static fed_sram_t fed_sram, before;
static whole_sram_t whole_sram;
static int failures;

static void expect(mplan_status_t wanted, mplan_status_t found, const char *what)
{
    if (wanted != found) {
        printf("%s: %d, not %d\\n", what, (int)found, (int)wanted);
        failures++;
    }
}

static void feed(fed_ctx_t *ctx, const int8_t *image, size_t first, size_t end)
{
    for (size_t y = first; y < end; y++) {
        int8_t row[FED_INPUT_ROW_BYTES];

        memcpy(row, &image[y * sizeof row], sizeof row);
        expect(MPLAN_OK, fed_feed_row(ctx, row), "a row");
        memset(row, 0x77, sizeof row);
    }
}

int main(void)
{
    static int8_t image[FED_INPUT_BYTES];
    static const fed_ctx_t nothing = {0};
    fed_ctx_t ctx = {.sram = &fed_sram}, empty = {0}, odd = {0};
    const whole_ctx_t whole = {.sram = &whole_sram};

    for (size_t i = 0U; i < sizeof image; i++) {
        image[i] = (int8_t)((int)((i * 37U) % 251U) - 125);
    }
    odd.sram = (fed_sram_t *)(void *)((char *)&fed_sram + 1);
    expect(MPLAN_ERR_NULL, fed_begin(NULL), "begin nothing");
    expect(MPLAN_ERR_NULL, fed_begin(&empty), "begin without arena");
    expect(MPLAN_ERR_ALIGN, fed_begin(&odd), "begin misaligned");
    expect(MPLAN_ERR_NULL, fed_feed_row(NULL, image), "a row to nothing");
    expect(MPLAN_ERR_NULL, fed_finish(&empty), "finish nothing");
    memset(&fed_sram, 0x33, sizeof fed_sram);
    before = fed_sram;
    expect(MPLAN_ERR_ORDER, fed_feed_row(&ctx, image), "a row before begin");
    expect(MPLAN_ERR_ORDER, fed_finish(&ctx), "finish before begin");
    failures += (memcmp(&before, &fed_sram, sizeof before) != 0) ? 1 : 0;

    expect(MPLAN_OK, fed_begin(&ctx), "begin");
    feed(&ctx, image, 0U, 3U);
    expect(MPLAN_OK, fed_begin(&ctx), "begin anew");
    feed(&ctx, image, 0U, FED_INPUT_ROWS - 1U);
    before = fed_sram;
    expect(MPLAN_ERR_ORDER, fed_finish(&ctx), "finish too early");
    expect(MPLAN_ERR_NULL, fed_feed_row(&ctx, NULL), "no row");
    failures += (memcmp(&before, &fed_sram, sizeof before) != 0) ? 1 : 0;
    feed(&ctx, image, FED_INPUT_ROWS - 1U, FED_INPUT_ROWS);
    before = fed_sram;
    expect(MPLAN_ERR_ORDER, fed_feed_row(&ctx, image), "a row too many");
    failures += (memcmp(&before, &fed_sram, sizeof before) != 0) ? 1 : 0;
    expect(MPLAN_OK, fed_finish(&ctx), "finish");
    expect(MPLAN_ERR_ORDER, fed_finish(&ctx), "finish again");
    expect(MPLAN_ERR_ORDER, fed_feed_row(&ctx, image), "a row behind finish");

    memcpy(whole_input(&whole), image, sizeof image);
    expect(MPLAN_OK, whole_invoke(&whole), "the whole call");
    failures += (memcmp(fed_output(&ctx), whole_output(&whole), FED_OUTPUT_BYTES) != 0) ? 1 : 0;
    failures += (memcmp(&nothing, &empty, sizeof empty) != 0) ? 1 : 0;
    for (size_t i = 0U; i < FED_OUTPUT_BYTES; i++) {
        printf("%d ", (int)fed_output(&ctx)[i]);
    }
    return failures;
}
"""


def test_fed_rows_are_the_whole_call_and_wrong_orders_are_errors(
    host_gcc: str, tmp_path: Path
) -> None:
    """Fed and whole outputs are the same bytes; a call out of order says so and writes nothing."""
    plan = tiny_rows_plan()
    files = emit(plan, "fed", STAMP).files | emit(tiny_plan(), "whole", STAMP).files
    write_files(files, tmp_path)
    (tmp_path / "main.c").write_text(_MAIN)
    sources = ["main.c", *(str(path) for path in files if path.suffix == ".c")]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra"]
    command = [host_gcc, "-std=c99", "-O1", *checks, "-Werror", "-I.", "-Implan", *sources]
    subprocess.run([*command, "-o", "main"], cwd=tmp_path, check=True)
    done = subprocess.run(["./main"], cwd=tmp_path, capture_output=True, text=True, check=False)
    image = ((np.arange(112) * 37) % 251 - 125).astype(np.int8).reshape(1, 8, 7, 2)
    (wanted,) = evaluate(plan.program.graph, {"image": image}).values()
    assert (0, wanted.reshape(-1).tolist()) == (
        done.returncode,
        [int(word) for word in done.stdout.split()],
    ), done.stdout + done.stderr


def test_a_context_that_cannot_count_the_runs_is_refused() -> None:
    """More runs than 16 bits count to are an error with a hint, no endless loop on the chip."""
    plan = tiny_rows_plan(feed=True)
    last = plan.runs[-1]
    many = replace(plan, runs=(*plan.runs, *(last for _ in range(2**16 - 1 - len(plan.runs)))))
    assert "uint16_t run;" in header_values(Places(many, "tiny"), (), ())["ctx_members"]
    with pytest.raises(InputTooLarge, match="a context counts to 65,535"):
        header_values(Places(replace(many, runs=(*many.runs, last)), "tiny"), (), ())


def test_code_for_a_core_of_scalar_kernels_runs_on_a_wider_host(host_gcc: str) -> None:
    """Kernels whose addresses wrap at the width of a pointer find their rows on 64 bits too."""
    target = replace(load_target("cortex-m0plus"), backend="scalar")
    plan = plan_rows(tiny_integer(), target, aim=Aim(Objective.LATENCY), feed=True)
    assert plan is not None
    kernels = {step.kernel.function for step in plan.program.steps}
    assert {"mplan_conv2d_s8_scalar", "mplan_depthwise3x3_s8_scalar"} <= kernels
    assert prove_on_host(_subject(plan), _feeds(plan, 4)).mismatch is None
