# SPDX-License-Identifier: Apache-2.0
"""What is compared before it is planned, which plan is taken, and what is said of it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nets import Net

from mcuplan import pipeline
from mcuplan.calibrate import Data
from mcuplan.cli import run
from mcuplan.facts import RepairKind
from mcuplan.ir.types import DType
from mcuplan.prove.loss import Losses, losses_of
from mcuplan.record import Limits, Request, TypePoint
from mcuplan.solvers.packing import Buffer, LiveRange, Packer, Problem, known, pack
from mcuplan.targets import load_target
from mcuplan.tradeoff import BLOCK, plan_within, sensitivities, type_frontier
from mcuplan.tradeoff.bounds import Bounds, bounds_of, figures, figures_of
from mcuplan.tradeoff.search import Search, undominated
from mcuplan.tradeoff.space import AS_ASKED, Mix, Space
from mcuplan.ways.candidates import calibrated

TARGET = load_target("cortex-m4")


def _net(folder: Path, *, uneven: bool = False, classes: bool = True, samples: int = 40) -> Request:
    """Two matrices; ``uneven``: what some inputs are multiplied with is small beside the others."""
    net = Net((1, 64))
    first = net.rng.standard_normal((64, 64)).astype(np.float32)
    if uneven:
        first *= np.where(np.arange(64) < 32, 1.0, 1 / 15)[:, None].astype(np.float32)
    hidden = net.add("Relu", net.add("Gemm", "x", net.const(first)))
    made = net.add("Gemm", hidden, net.random(64, 8))
    made = net.add("Softmax", made, axis=-1) if classes else made
    (folder / "net.onnx").write_bytes(net.model(made).SerializeToString())
    data = net.samples(samples)
    if uneven:
        data *= np.where(np.arange(64) < 32, 1 / 15, 1.0).astype(np.float32)
    np.savez(folder / "data.npz", x=data)
    net_file, file = folder / "net.onnx", folder / "data.npz"
    return Request(net_file, TARGET, calibration=file, objective="flash", effort="fast")


def test_a_table_that_comes_again_is_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same buffers under the same limits; other limits are another question."""
    calls = []
    monkeypatch.setattr(known, "pack", lambda *a, **k: calls.append(k) or pack(*a, **k))
    buffers = tuple(Buffer(f"b{i}", 8 * (i + 1), LiveRange(i, i + 3)) for i in range(6))
    packer = Packer()
    first = packer(Problem(buffers), exact=False)
    assert packer(Problem(tuple(list(buffers))), exact=False) is first
    assert 1 == len(calls)
    assert first == pack(Problem(buffers), exact=False)
    packer(Problem(buffers), exact=False, rounds=1)
    packer(Problem(buffers, {(0, 1): 0}), exact=False)
    packer(Problem(buffers, {}, {0: 0}), exact=False)
    assert 4 == len(calls)


def test_least_flash_has_its_price_in_cycles() -> None:
    """Bytes that make no difference are worth no loss, and time has a limit that is said."""

    def point(flash: int, cycles: int, loss: float) -> TypePoint:
        return TypePoint(loss, "relative output error", flash, 1000, cycles, ())

    asked, near, small, slow = (
        point(10_000, 1000, 1.0),
        point(5_050, 1100, 3.0),
        point(5_000, 1140, 6.0),
        point(2_000, 5000, 2.0),
    )
    every = [asked, near, small, slow]
    bounds = Bounds(1e6, 1e6, 1150.0, 8.0, by_loss=False, in_proportion=1.15, alike=1.02)
    assert near == bounds.best(every)
    assert slow == replace(bounds, cycles=math.inf).best(every)
    assert asked == replace(bounds, loss=1.5).best(every)
    assert None is replace(bounds, loss=0.5).best(every)
    assert asked == replace(bounds, by_loss=True).best(every)
    assert small == replace(bounds, alike=1.0).best(every)


def test_plans_alike_in_everything_are_one() -> None:
    """That which fewest options ask for; what was asked for itself stays, beaten or not."""

    def point(flash: int, *options: str) -> TypePoint:
        return TypePoint(1.0, "relative output error", flash, 1000, 1000, options)

    asked = point(300)
    layers = point(200, "--layer-dtype a=int16", "--layer-dtype b=int16")
    every = point(200, "--dtype int16")
    assert [every, asked] == undominated([asked, layers, every])
    assert [asked] == undominated([asked, point(300, "--dtype int16")])


def test_limits_say_what_is_looked_for(tmp_path: Path) -> None:
    """Time has a limit of its own where none is given and flash is to be small; only then."""
    planned = pipeline.plan(_net(tmp_path))
    own = bounds_of(planned, Limits(), for_flash=True)
    assert (1.15, False) == (own.in_proportion, own.by_loss)
    given = bounds_of(planned, Limits(max_latency_s=1.0), for_flash=True)
    assert (None, TARGET.clock_hz, False) == (given.in_proportion, given.cycles, given.by_loss)
    plain = bounds_of(planned, Limits(max_flash=10_000))
    assert (None, math.inf, True) == (plain.in_proportion, plain.cycles, plain.by_loss)


def test_blocks_are_a_type_of_their_own(tmp_path: Path) -> None:
    """Where scales of blocks err less, that is a point, and its options make it again."""
    request = _net(tmp_path, uneven=True, classes=False)
    planned = pipeline.plan(request)
    first = next(each for each in sensitivities(planned).fewer if each.cost == 64 * 64 // 2)
    assert first.in_blocks is not None
    assert first.in_blocks < 0.5 * first.error
    points = type_frontier(planned, Limits())
    blocked = [p for p in points if f"--weight-block {BLOCK}" in p.options]
    assert blocked
    narrow = [p for p in points if p not in blocked and any("int4" in o for o in p.options)]
    assert min(p.loss for p in blocked) < min(p.loss for p in narrow)
    space = Space(request, sensitivities(planned))
    asked, options = space.asked(next(space.blocked()))
    assert BLOCK == asked.weight_block
    assert options[-1] == f"--weight-block {BLOCK}"
    assert pipeline.plan(asked).integer.tensors


def test_fit_tries_blocks_too(tmp_path: Path) -> None:
    """After weights of 4 bits on scales of channels."""
    found = [c.options for c in calibrated(pipeline.plan(_net(tmp_path)))]
    plain = ("--weight-dtype int4",)
    assert [plain, (*plain, f"--weight-block {BLOCK}")] == found[:2]


def test_a_sketch_loses_what_its_plan_does(tmp_path: Path) -> None:
    """Only what plans need is about right: outputs are computed, on the same samples."""
    request = _net(tmp_path)
    planned = pipeline.plan(request)
    search = Search(planned, Limits())
    space = Space(request, sensitivities(planned))
    for mix in (AS_ASKED, Mix(narrow=frozenset({0})), Mix(every=True)):
        sketch = search._sketches.of(space, mix)
        made, options = space.asked(mix)
        point = search._sketches.point(pipeline.plan(made), options)
        assert sketch is not None
        assert (point.loss, point.decisions) == (sketch.loss, sketch.decisions)


def test_repair_is_found_once_for_all_that_is_compared(tmp_path: Path) -> None:
    """By the recipe of a model that is made by which it is judged; of fewer bits it errs less."""
    request = replace(_net(tmp_path, classes=False, samples=200), quantize_effort="best")
    _, graph = pipeline.simplify(request)
    found = pipeline.quantize(request, graph)
    assert found.recipe is not None
    again = pipeline.quantize(request, graph, recipe=found.recipe)
    judged = found.apart or found.grids
    for name, tensor in judged.graph.tensors.items():
        other = again.grids.graph.tensors[name].stored
        assert (tensor.stored is None) == (other is None)
        if tensor.stored is not None and other is not None:
            assert np.array_equal(tensor.stored.values, other.values)
    planned = pipeline.plan(request)
    narrow = {"": DType.INT4}
    plain = pipeline.plan(replace(request, weight_dtypes=narrow, quantize_effort="fast"))
    search = Search(planned, Limits())
    space = Space(request, sensitivities(planned))
    sketch = search._sketches.of(space, Mix(narrow=frozenset(range(len(space.fewer)))))
    assert sketch is not None
    assert sketch.loss < search._sketches.point(plain, ()).loss


def test_decisions_that_stay_are_counted(tmp_path: Path) -> None:
    """Of samples as they were given, where the model has a score for each class."""
    points = type_frontier(pipeline.plan(_net(tmp_path)), Limits())
    assert all(p.decisions is not None and 0 < p.decisions <= 100 for p in points)
    least = min(points, key=lambda p: p.flash_bytes)
    wide = min(points, key=lambda p: p.loss)
    assert (least.decisions or 0) <= (wide.decisions or 0)
    points = type_frontier(pipeline.plan(_net(tmp_path, classes=False)), Limits())
    assert all(p.decisions is None for p in points)


def test_quantize_says_by_what_rule_it_took_the_types(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss alone: cycles stay in proportion, and how to ask for more; its plan is not made anew."""
    monkeypatch.chdir(tmp_path)
    request = _net(tmp_path)
    command = ["quantize", "net.onnx", "--calibration", "data.npz", "-t", "cortex-m4"]
    command += ["--max-loss", "60%", "-o", "made.onnx"]
    assert 0 == run(command)
    said = capsys.readouterr().err
    assert "at most 1.15 times the cycles as asked for" in said
    assert "same %" in said
    assert "it loses at most what decisions change" in said
    planned, points = plan_within(replace(request, max_loss=60.0), Limits(), compare=True)
    (taken,) = (point for point in points if point.taken)
    (plain,) = (point for point in points if not point.options)
    assert taken.cycles <= 1.15 * plain.cycles
    assert any(p.flash_bytes < taken.flash_bytes and p.cycles > 1.15 * plain.cycles for p in points)
    again = pipeline.plan(planned.request)
    assert figures_of(again) == figures(taken)


def test_what_plans_lose_is_not_seen_on_samples_that_they_were_fitted_to(tmp_path: Path) -> None:
    """Of weights of 4 bits that are fitted to few samples: as much as other samples show."""
    request = _net(tmp_path, classes=False, samples=120)
    narrow = replace(request, weight_dtypes={"": DType.INT4})
    planned = pipeline.plan(replace(narrow, repairs={RepairKind.ROUNDING: True}))
    said = losses_of(planned)
    fresh = Data({"x": np.random.default_rng(3).standard_normal((300, 64), np.float32)}, 300)
    others = Losses(planned.floating, fresh).of(planned.removal.whole)
    assert planned.judged is not planned.removal.whole
    assert 0.95 * others < said.of(planned.judged) < 1.3 * others
    assert said.of(planned.removal.whole) < said.of(planned.judged)
    plain = pipeline.plan(narrow)
    assert plain.judged is plain.removal.whole
