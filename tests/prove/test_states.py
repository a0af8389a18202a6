# SPDX-License-Identifier: Apache-2.0
"""States: read at the start of a call, written at its end, kept in between."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx.parser
import pytest
from causal_nets import STATES, TAPS, frames, save_streaming

from mcuplan import pipeline
from mcuplan.budget.footprint import flash_bill, ram_bill, region_rows
from mcuplan.calibrate import read_data
from mcuplan.cli import run
from mcuplan.errors import Problems, ScaleError, UsageError
from mcuplan.importer import load_model
from mcuplan.ir.evaluate import evaluate, first_states, left_states
from mcuplan.ir.types import Quant
from mcuplan.passes.assign_grids import needs_range
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import prove_on_core, prove_on_host
from mcuplan.prove.subject import Subject
from mcuplan.record import Limits, Planned, Request
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.solvers.packing.check import PlanError
from mcuplan.solvers.packing.problem import Region
from mcuplan.targets import load_target

M4 = "cortex-m4"


def planned_net(folder: Path, count: int = 20, **net: str) -> Planned:
    """A streaming network calibrated on frames, which lie beside it."""
    np.savez(folder / "frames.npz", frame=frames(count))
    model = save_streaming(folder, **net)
    data = folder / "frames.npz"
    return pipeline.plan(Request(model, load_target(M4), calibration=data, states=STATES))


def subject_of(planned: Planned) -> Subject:
    """What is proved of a plan."""
    return Subject(pipeline.generate(planned, "net"), planned.plan, planned.removal)


def feeds_of(planned: Planned) -> dict[str, np.ndarray]:
    """Integers of the frames that a network was calibrated on."""
    graph = planned.integer
    data = read_data(planned.request.calibration or Path(), graph.app_inputs)
    return dict(boundary_inputs(graph, data))


def test_both_ends_lie_on_one_grid_that_holds_later_values(tmp_path: Path) -> None:
    """Ranges are observed over the sequence: a state is more than the zeros it begins with."""
    graph = planned_net(tmp_path).integer
    (state,) = graph.states
    kinds = [graph.tensor(port.tensor).type for port in (state.read, state.written)]
    assert kinds[0].q == kinds[1].q
    assert kinds[0].q.s * 255 > 2 * np.abs(frames(20)).max() * 0.9


def test_calls_go_on_from_one_another(tmp_path: Path) -> None:
    """Frames in two parts, with the state handed over, give what they give together."""
    planned = planned_net(tmp_path)
    graph, feeds = planned.integer, feeds_of(planned)
    (name,), (port,) = feeds, graph.app_outputs
    wanted = [port.tensor, graph.states[0].written.tensor]
    together = evaluate(graph, feeds, wanted)
    first = evaluate(graph, {name: feeds[name][:7]}, wanted)
    rest = evaluate(graph, {name: feeds[name][7:]}, wanted, left_states(graph, first))
    anew = evaluate(graph, {name: feeds[name][7:]}, wanted)
    assert np.array_equal(together[port.tensor][7:], rest[port.tensor])
    assert not np.array_equal(together[port.tensor][7:], anew[port.tensor])
    zero = graph.tensor(graph.states[0].read.tensor).type.q.z
    assert {zero} == set(first_states(graph)[graph.states[0].read.tensor].ravel().tolist())


@pytest.mark.parametrize("keeps", ["Slice", "Relu"])
def test_code_and_sequence_agree(
    keeps: str, host_gcc: str, arm_gcc: str, qemu: str, tmp_path: Path
) -> None:
    """Call for call the bytes are those of the reference, here and on an emulated core."""
    planned = planned_net(tmp_path, keeps=keeps)
    subject, feeds = subject_of(planned), feeds_of(planned)
    host = prove_on_host(subject, feeds)
    assert (20, None, ()) == (host.samples, host.mismatch, host.findings)
    core = prove_on_core(subject, feeds, core_named(M4))
    assert (True, (), ()) == (core.equal, core.drift, core.findings)


@pytest.mark.parametrize("place", ["zeroed", "moved on"])
def test_a_state_that_is_not_kept_is_seen(place: str, host_gcc: str, tmp_path: Path) -> None:
    """A call that begins anew each time, or a reset that does nothing, is no proof."""
    planned = planned_net(tmp_path)
    subject, feeds = subject_of(planned), feeds_of(planned)
    files = dict(subject.bundle.files)
    (source,) = (path for path in files if path.name == "net.c")
    reset = re.search(r"\(void\)memset\(.*\);", files[source])
    assert reset is not None
    if place == "zeroed":
        start = "int8_t *const sram = ctx->sram->bytes;\n"
        assert 1 == files[source].count(start)
        files[source] = files[source].replace(start, f"{start}{reset[0]}\n")
    else:
        files[source] = files[source].replace(reset[0], "")
    bundle = replace(subject.bundle, files=MappingProxyType(files))
    proof = prove_on_host(replace(subject, bundle=bundle), feeds)
    assert proof.mismatch is not None or proof.findings


def test_what_is_next_lies_over_what_is_now_where_nobody_reads_that(tmp_path: Path) -> None:
    """The state has bytes of its own, which the step that makes the next one writes."""
    plan = planned_net(tmp_path).plan
    (state,) = plan.program.graph.states
    assert plan.address(state.read.tensor) == plan.address(state.written.tensor)
    home = plan.allocation.rows[state.read.tensor][0].buffer
    (buffer,) = (b for b in plan.allocation.buffers if b.name == home)
    assert (0, len(plan.program.steps)) == (buffer.live.start, buffer.live.end)


@pytest.mark.parametrize("small", [0, 240, 100])
def test_states_are_the_first_bytes_of_one_arena(small: int) -> None:
    """One behind the other, where buffers are divided between regions, too; the bill has both."""
    target = load_target(M4)
    flash = [region for region in target.regions if region.kind == "flash"]
    rooms = [
        Region("near", "ram", small, section=".near"),
        Region("far", "ram", 2_000, wait_states=2),
    ]
    chip = replace(target, regions=(*(room for room in rooms if room.bytes), *flash))
    model = Path(__file__).resolve().parents[2] / "models" / "vowels_stream" / "model.onnx"
    plan = pipeline.plan(Request(model, chip), sizes_only=True).plan
    assert (2 if small else 1) == len(plan.memory)
    ((region, nbytes),) = plan.state_bytes.items()
    homes = sorted(plan.address(state.read.tensor) for state in plan.program.graph.states)
    assert [(region, 0), (region, 48)] == homes
    assert 48 + 64 == nbytes
    ram, flash_bytes = ram_bill(plan, Limits(), None), flash_bill(plan, Limits(), None)
    assert sum(memory.arena_bytes for memory in plan.memory.values()) == ram.arena_bytes + nbytes
    used = region_rows(plan, ram, flash_bytes)
    assert ram.total_bytes == sum(row.used_bytes for row in used if row.kind == "ram")


def test_the_checker_sees_a_state_that_is_overwritten(tmp_path: Path) -> None:
    """A buffer moved onto the state after its last reader is refused: the next call reads it."""
    plan = planned_net(tmp_path).plan
    (region, memory), *_ = plan.memory.items()
    graph = plan.program.graph
    home = plan.allocation.rows[graph.states[0].read.tensor][0].buffer
    last = plan.allocation.rows[plan.program.steps[-2].node.output][0].buffer
    at = {p.buffer.name: p.offset for p in memory.placements}
    moved = tuple(
        replace(p, offset=at[home]) if p.buffer.name == last else p for p in memory.placements
    )
    check_rows(plan)
    wrong = replace(plan, memory={region: replace(memory, placements=moved)})
    with pytest.raises(PlanError, match="overwritten"):
        check_rows(wrong)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ((("historic", "history_next"),), "no input"),
        ((("history", "next"),), "no output"),
        ((("frame", "history_next"),), "input \\[1, 4, 1\\]"),
        ((("history", "history_next"), ("history", "score")), "two states"),
    ],
)
def test_states_that_the_model_does_not_have(
    states: tuple[tuple[str, str], ...], said: str, tmp_path: Path
) -> None:
    """Each wrong end is an error of usage with the flag as its place."""
    with pytest.raises((UsageError, Problems), match=said):
        load_model(save_streaming(tmp_path), states=states)


@pytest.mark.parametrize("view", ["Identity", "Flatten"])
def test_an_output_that_is_the_state_is_refused(view: str, tmp_path: Path) -> None:
    """The call that computes it replaces it; the checker sees that, too."""
    text = (
        '<ir_version: 8, opset_import: ["" : 18]> odd (float[1,4] x, float[1,4] s) => '
        f"(float[1,4] y, float[1,4] t) {{ y = {view} (s) t = Tanh (x) }}"
    )
    onnx.save(onnx.parser.parse_model(text), tmp_path / "odd.onnx")
    request = Request(tmp_path / "odd.onnx", load_target(M4), states=(("s", "t"),))
    with pytest.raises(UsageError, match="'y' is the state"):
        pipeline.plan(request, sizes_only=True)
    text = text.replace(f"{view} (s)", "Relu (s)")
    onnx.save(onnx.parser.parse_model(text), tmp_path / "odd.onnx")
    plan = pipeline.plan(request, sizes_only=True).plan
    graph = plan.program.graph
    (state,) = graph.states
    shown = replace(graph.app_outputs[0], tensor=state.read.tensor)
    wrong = replace(graph, outputs=(shown, state.written))
    with pytest.raises(PlanError, match="the end"):
        check_rows(replace(plan, program=replace(plan.program, graph=wrong)))


def test_a_state_is_not_fed(tmp_path: Path) -> None:
    """Rows of a frame are not divided between calls, and says so."""
    model = save_streaming(tmp_path)
    request = Request(model, load_target(M4), states=STATES, streaming="input")
    with pytest.raises(UsageError, match="as a whole"):
        pipeline.plan(request, sizes_only=True)


def test_two_grids_of_a_quantized_model_are_an_error(tmp_path: Path) -> None:
    """Ends that the model quantizes differently are refused by name, with both grids."""
    graph = load_model(save_streaming(tmp_path), states=STATES).graph
    (state,) = graph.states
    tensors = dict(graph.tensors)
    for port, scale in ((state.read, 0.1), (state.written, 0.2)):
        tensor = tensors[port.tensor]
        grid = replace(tensor.type, quant=Quant.per_tensor(scale, 0))
        tensors[port.tensor] = replace(tensor, type=grid)
    with pytest.raises(ScaleError, match=r"several grids: scale 0\.1, .* scale 0\.2"):
        needs_range(replace(graph, tensors=tensors))


def test_reports_and_headers_know_states(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The bill has the bytes that outlast calls, ports lack them, the header has a reset."""
    planned_net(tmp_path)
    model, data = str(tmp_path / "streaming.onnx"), str(tmp_path / "frames.npz")
    flags = ["-t", M4, "--calibration", data, "--state", "history=history_next"]
    assert 0 == run(["check", model, *flags, "-f", "json"])
    report = json.loads(capsys.readouterr().out)
    ram, (sram, _) = report["ram"], report["regions"]
    assert 4 * (TAPS - 1) == ram["state_bytes"]
    assert 4 + ram["state_bytes"] == ram["static_bytes"]
    assert ram["total_bytes"] == ram["arena_bytes"] + ram["static_bytes"] + ram["stack_bytes"]
    assert (ram["arena_bytes"], ram["total_bytes"]) == (sram["arena_bytes"], sram["used_bytes"])
    assert ["frame"] == [port["name"] for port in report["model"]["inputs"]]
    assert ["score"] == [port["name"] for port in report["model"]["outputs"]]
    out = str(tmp_path / "out")
    assert 0 == run(["generate", model, *flags, "-o", out, "--name", "net", "-q"])
    header = (tmp_path / "out" / "net.h").read_text()
    assert "options: state history=history_next" in header
    assert "mplan_status_t net_reset(const net_ctx_t *ctx);" in header
    assert "must stay as they are" in header
    assert f"#define NET_SRAM_BYTES ({ram['arena_bytes'] + ram['state_bytes']}U)" in header
    assert f"#define NET_SRAM_STATE_BYTES ({ram['state_bytes']}U)" in header
    assert "cannot tell whether it was" in header
    assert "net_input_history" not in header
