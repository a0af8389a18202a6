# SPDX-License-Identifier: Apache-2.0
"""Channels that readers hardly see: which ones, what they cost, what outputs lose without."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nets import Net

from mcuplan import pipeline
from mcuplan.budget import assess
from mcuplan.cli import run
from mcuplan.errors import UsageError
from mcuplan.exporter.onnx import to_onnx
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import Array
from mcuplan.passes.near_dead import Seen, near_dead, silenced, silenced_on_grids
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.record import Limits, Request
from mcuplan.targets import load_target

TINY = (1, 4, 6)


def _asked(folder: Path, tiny: float, bend: float = 0.0, **more: object) -> Request:
    """Three layers; some channels of the first are small, or dead but for inputs far out."""
    net = Net((1, 3, 8, 8), seed=3)
    weights, bias = net.rng.standard_normal((8, 3, 3, 3)), net.rng.standard_normal(8)
    weights[list(TINY)] *= tiny
    bias[list(TINY)] = 0.4 * tiny - bend
    first = net.add("Relu", net.add("Conv", "x", net.const(weights), net.const(bias), pads=[1] * 4))
    weights = net.rng.standard_normal((8, 1, 3, 3))
    weights[list(TINY)] *= 0.2
    deep = net.add(
        "Conv", first, net.const(weights), net.const(np.full(8, 0.5)), pads=[1] * 4, group=8
    )
    weights = net.rng.standard_normal((4, 8, 3, 3))
    weights[:, list(TINY)] *= 0.4
    out = net.add("Conv", net.add("Relu", deep), net.const(weights), net.random(4))
    (folder / "net.onnx").write_bytes(net.model(out).SerializeToString())
    samples = np.clip(net.samples(24), -1.5, 1.5)
    np.savez(folder / "data.npz", x=samples, **more)
    return Request(folder / "net.onnx", load_target("cortex-m4"), calibration=folder / "data.npz")


def test_what_one_channel_shows_is_within_half_a_step(tmp_path: Path) -> None:
    """Of every reader, on the samples: with its own rounding no output is off by more than one."""
    planned = pipeline.plan(_asked(tmp_path, 0.008))
    whole = planned.removal.whole
    listed = {n: np.flatnonzero(~np.isnan(m)) for n, m in planned.trimmed.listed.items()}
    assert [list(TINY)] * 2 == [found.tolist() for found in listed.values()]
    data = planned.calibration.data if planned.calibration else None
    assert data is not None
    feeds = boundary_inputs(whole, data)
    output = whole.outputs[0].tensor
    before = evaluate(whole, feeds)[output].astype(np.int64)
    for k in TINY:
        alone = {
            n: np.where(np.arange(8) == k, m, np.nan) for n, m in planned.trimmed.listed.items()
        }
        after = evaluate(silenced(whole, alone), feeds)[output]
        assert np.abs(after - before).max() <= 1


@pytest.mark.parametrize("limit", [0.25, 0.5, 2.0, 8.0])
def test_no_part_is_larger_than_the_limit(limit: float, tmp_path: Path) -> None:
    """Each near-dead channel: without its own rounding the sums move by no more than that."""
    planned = pipeline.plan(_asked(tmp_path, 0.008))
    whole = planned.removal.whole
    assert planned.calibration is not None
    reader = [node for node in whole.nodes if node.op.weight_inputs][-1]
    seen = {
        name: Seen(each.least, each.most, each.means)
        for name, each in planned.calibration.extremes.items()
    }
    found = near_dead(whole, seen, limit).get(reader.inputs[0], np.full(8, np.nan))
    sig = whole.signature(reader)
    samples = planned.calibration.data.inputs["x"]
    port = planned.floating.inputs[0]
    feeds = {port.tensor: samples}
    real = evaluate(planned.floating, feeds, [reader.inputs[0]])[reader.inputs[0]]
    values = sig.inputs[0].q.quantize(real).astype(np.float64)
    step = sig.inputs[0].q.s * np.array(sig.inputs[1].q.scale) / sig.output.q.s
    gone = np.flatnonzero(~np.isnan(found))
    assert len(gone) >= 1
    for k in gone:
        taps, off = sig.constant(1)[..., k].astype(np.float64), values[..., k] - found[k]
        parts = sum(
            taps[:, y, x, None, None, None] * off[:, y : y + 6, x : x + 6]
            for y in range(3)
            for x in range(3)
        )
        assert (np.abs(parts).max(axis=(1, 2, 3)) * step).max() <= limit * 1.001 + 1e-9


def test_they_go_where_outputs_may_lose_that(tmp_path: Path) -> None:
    """What is generated computes what the graph with their means computes, with less of all."""
    asked = _asked(tmp_path, 0.008)
    kept, gone = pipeline.plan(asked), pipeline.plan(replace(asked, max_loss=1.0))
    before, after = assess(kept), assess(gone)
    had, has = before.calibration, after.calibration
    assert had is not None
    assert has is not None
    assert [("first", 3, 8, False)] * 0 + [False, False] == [row.removed for row in had.near_dead]
    assert [(3, 8, True)] * 2 == [(r.channels, r.of, r.removed) for r in has.near_dead]
    assert had.loss is None
    assert has.loss is not None
    assert has.loss.after <= has.loss.before + 1.0
    assert "relative output error" == has.loss.measure
    saved = before.totals.macs - after.totals.macs
    assert 3 * (64 * (27 + 9) + 36 * 4 * 9) == saved
    assert 3 * 64 * (27 + 9) == sum(row.macs for row in has.near_dead)
    assert after.flash.weights_bytes < before.flash.weights_bytes
    assert after.ram.arena_bytes < before.ram.arena_bytes
    assert gone.calibration is not None
    feeds = boundary_inputs(gone.removal.whole, gone.calibration.data)
    outputs = [g.outputs[0].tensor for g in (gone.removal.whole, gone.lowered)]
    np.testing.assert_array_equal(
        evaluate(gone.removal.whole, feeds)[outputs[0]], evaluate(gone.lowered, feeds)[outputs[1]]
    )


def test_what_shows_only_far_out_stays(tmp_path: Path) -> None:
    """A channel that is 0 on all samples, and not on inputs twice as far from their mean."""
    planned = pipeline.plan(_asked(tmp_path, 0.3, bend=3.0))
    assert planned.calibration is not None
    seen = {n: Seen(e.least, e.most, e.means) for n, e in planned.calibration.extremes.items()}
    own = near_dead(planned.removal.whole, seen)
    farther = {n: int((~np.isnan(m)).sum()) for n, m in planned.trimmed.listed.items()}
    assert sum(farther.values()) < sum(int((~np.isnan(m)).sum()) for m in own.values())


def test_labels_say_what_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Float labels of the output's shape: how far off it is, in percent of the mean label."""
    labels: Array = np.random.default_rng(1).standard_normal((24, 4, 6, 6)).astype(np.float32)
    _asked(tmp_path, 0.008, labels=labels)
    command = ["check", str(tmp_path / "net.onnx"), "-t", "cortex-m4", "-f", "json"]
    command += ["--calibration", str(tmp_path / "data.npz")]
    assert 0 == run([*command, "--max-loss", "0.5%"])
    loss = json.loads(capsys.readouterr().out)["calibration"]["loss"]
    assert ("mean absolute error", 24, 0.5) == (loss["measure"], loss["samples"], loss["allowed"])
    assert 0 == run([*command[:5], "text", *command[6:], "--all", "--max-loss", "0.5%"])
    said = capsys.readouterr().out
    assert "near-dead in" in said
    assert "3 of 8" in said


def test_without_samples_there_is_nothing_to_judge_by(tmp_path: Path) -> None:
    """Random ranges say nothing of what outputs lose."""
    asked = replace(
        _asked(tmp_path, 0.008), calibration=None, random_calibration=True, max_loss=1.0
    )
    with pytest.raises(UsageError, match="max-loss"):
        pipeline.plan(asked)


def test_they_are_gone_from_the_file_that_is_written(tmp_path: Path) -> None:
    """The integers of the float graph without them are those of the plan, read back or not."""
    planned = pipeline.plan(replace(_asked(tmp_path, 0.008), max_loss=5.0))
    silent = planned.trimmed.silent
    assert silent
    graph = silenced_on_grids(planned.grids.graph, planned.removal.whole, silent)
    (tmp_path / "fewer.onnx").write_bytes(to_onnx(graph, qdq=True).SerializeToString())
    read = pipeline.plan(Request(tmp_path / "fewer.onnx", load_target("cortex-m4")))
    data = planned.calibration.data if planned.calibration else None
    assert data is not None
    pairs = [(planned.removal.whole, read.removal.whole), (planned.lowered, read.lowered)]
    for graphs in pairs:
        mine, theirs = (evaluate(g, boundary_inputs(g, data))[g.outputs[0].tensor] for g in graphs)
        assert np.array_equal(mine, theirs)
        first, other = (g.tensor(g.nodes[0].output).type for g in graphs)
        assert first == other


def test_idle_weights_move_no_output_by_more_than_half_a_step(tmp_path: Path) -> None:
    """All of a layer at once, with means of what they are multiplied with in their place."""
    net = Net((1, 12), seed=4)
    weights = net.rng.standard_normal((12, 10))
    weights[2:6] *= 0.004
    weights[7, :4] = 0.0
    made = net.add("Gemm", "x", net.const(weights), net.random(10))
    (tmp_path / "net.onnx").write_bytes(net.model(made).SerializeToString())
    np.savez(tmp_path / "data.npz", x=net.samples(40))
    target, data = load_target("cortex-m4"), tmp_path / "data.npz"
    planned = pipeline.plan(Request(tmp_path / "net.onnx", target, calibration=data))
    report = assess(planned, Limits())
    assert report.calibration is not None
    (row,) = report.calibration.idle_weights
    (node,) = planned.lowered.nodes
    sig = planned.lowered.signature(node)
    integers = sig.constant(1).astype(np.int64)
    assert planned.calibration is not None
    given = boundary_inputs(planned.lowered, planned.calibration.data)
    values = given[node.inputs[0]].reshape(40, 12).astype(np.float64)
    off = values - values.mean(axis=0)
    factors = sig.inputs[0].q.s * np.array(sig.inputs[1].q.scale) / sig.output.q.s
    parts = np.abs(integers[None] * off[:, None]).max(axis=0) * factors[:, None]
    order = np.argsort(parts, axis=1)
    count = 0
    for each, own, factor in zip(integers, order, factors, strict=True):
        moved = [np.abs(off[:, own[:k]] @ each[own[:k]]).max() * factor for k in range(13)]
        count += max(k for k in range(13) if moved[k] <= 0.5)
    assert (integers == 0).sum() == row.zero >= 4
    assert 40 <= row.zero + row.idle <= count
    assert 120 == row.of
    assert row.zero + row.idle == row.macs == row.weights_bytes
