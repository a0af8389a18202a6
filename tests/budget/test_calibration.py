# SPDX-License-Identifier: Apache-2.0
"""What calibration samples show of a model is told, with what to do about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nets import Net

from mcuplan import pipeline
from mcuplan.budget import assess
from mcuplan.budget.quantization import full_accumulators
from mcuplan.calibrate import Observers
from mcuplan.ir.editor import Editor
from mcuplan.ir.types import DType
from mcuplan.passes.full_sums import FullSums, full_sums
from mcuplan.record import Budget, Request
from mcuplan.targets import load_target

TARGET = load_target("cortex-m4")


def _budget(
    net: Net,
    output: str,
    samples: np.ndarray,
    folder: Path,
    observers: Observers | None = None,
    dtype: DType = DType.INT8,
) -> Budget:
    path = folder / "net.onnx"
    path.write_bytes(net.model(output).SerializeToString())
    np.savez(folder / "data.npz", x=samples)
    request = Request(path, TARGET, calibration=folder / "data.npz", dtype=dtype)
    return assess(pipeline.plan(replace(request, observers=observers or Observers())))


def _codes(budget: Budget) -> list[str]:
    found = (finding.code for finding in budget.verdict.findings)
    return [code for code in found if code.startswith("quant/")]


def _scaled(net: Net, factors: np.ndarray) -> str:
    weight = net.const(factors.reshape(-1, 1, 1, 1) * np.ones((len(factors), 3, 1, 1)))
    return net.add("Conv", "x", weight)


@pytest.mark.parametrize(("factor", "found"), [(3.0, False), (6.0, True)])
def test_a_range_set_by_one_sample(factor: float, found: bool, tmp_path: Path) -> None:
    """From 4 times on the tensor is named, and how to clip it; clipped, nothing is said."""
    net = Net((1, 3, 6, 6))
    samples = net.samples(20)
    samples /= np.abs(samples).reshape(20, -1).max(axis=1).reshape(20, 1, 1, 1)
    samples[7] *= factor
    net.add("Identity", "x")
    budget = _budget(net, net.conv("x", 3, 4), samples, tmp_path)
    assert found == ("quant/outlier-sample" in _codes(budget))
    if found:
        finding = next(f for f in budget.verdict.findings if f.code == "quant/outlier-sample")
        assert "one of 20 samples" in finding.message
        assert f"--observer {finding.where}=percentile" in finding.hint


def test_a_limit_is_set_by_no_sample(tmp_path: Path) -> None:
    """The range of a Sigmoid is that of the function, whatever single samples show."""
    net = Net((1, 4))
    samples = np.full((20, 4), -8.0, np.float32)
    samples[3] = 8.0
    assert [] == _codes(_budget(net, net.add("Sigmoid", "x"), samples, tmp_path))


@pytest.mark.parametrize(("dtype", "bits"), [(DType.INT8, 8), (DType.INT16, 16)])
def test_a_wide_column_of_an_input_has_a_remedy_of_inputs(
    dtype: DType, bits: int, tmp_path: Path
) -> None:
    """The bits are those of the grid; channels of inputs have a scale each with best alone."""
    net = Net((1, 6))
    samples = net.samples(20) * np.array([1, 1, 64, 1, 1, 1], np.float32)
    budget = _budget(net, net.add("Relu", "x"), samples, tmp_path, dtype=dtype)
    told = next(f for f in budget.verdict.findings if f.code == "quant/outlier-channel")
    assert f" of {bits} bits" in told.message
    assert told.hint.startswith("--quantize-effort best gives inputs")


@pytest.mark.parametrize(("factor", "found"), [(8.0, False), (40.0, True)])
def test_one_channel_that_is_far_wider(factor: float, found: bool, tmp_path: Path) -> None:
    """From 16 times on the channel is named, and the bits that are left for others."""
    net = Net((1, 3, 6, 6))
    factors = np.array([1.0, 1.0, factor, 1.0, 1.0], np.float32)
    budget = _budget(net, _scaled(net, factors), net.samples(20), tmp_path)
    told = [f for f in budget.verdict.findings if f.code == "quant/outlier-channel"]
    assert found == bool(told)
    if told:
        assert told[0].message.startswith("channel 2 is 40 times")
        assert "2.7 of 8 bits" in told[0].message


@pytest.mark.parametrize(("offset", "found"), [(4.0, False), (400.0, True)])
def test_channels_that_lie_far_from_0(offset: float, found: bool, tmp_path: Path) -> None:
    """Columns of a table, each in a unit of its own; the input is named, and what is left."""
    net = Net((1, 8))
    samples = net.samples(20) + offset * net.rng.random((1, 8)).astype(np.float32)
    budget = _budget(net, net.add("Gemm", "x", net.random(8, 4)), samples, tmp_path)
    told = [f for f in budget.verdict.findings if f.code == "quant/far-channels"]
    assert found == bool(told)
    if told:
        assert "x" == told[0].where
        assert "of 8 bits" in told[0].message
        assert "subtract the mean" in told[0].hint


@pytest.mark.parametrize("code", ["quant/far-channels", "quant/outlier-channel"])
def test_channels_as_wide_as_float32_are_told_in_numbers(code: str, tmp_path: Path) -> None:
    """No less than no bits are left, and no ratio is infinite or of 38 digits."""
    net, samples = Net((1, 4)), np.array([[-3.0, 3.0, 3.0, -3.0]] * 12, np.float32) * 1e38
    samples[0] = np.array([-3.0, 3.0, 3.0, -3.0], np.float32) * np.float32(0.999999e38)
    if code == "quant/outlier-channel":
        samples = net.samples(12) * np.array([1, 1, 1, 1e38], np.float32)
    budget = _budget(net, net.add("Mul", "x", net.const(0.5)), samples, tmp_path)
    message = next(f.message for f in budget.verdict.findings if f.code == code)
    assert "over a million times" in message
    assert "which has 0.0 of 8 bits" in message


@pytest.mark.parametrize(("gain", "found"), [(0.5, False), (0.01, True)])
def test_a_difference_of_two_large_maps(gain: float, found: bool, tmp_path: Path) -> None:
    """A small rest of two large tensors is known to their steps; both layers are named."""
    net = Net((1, 3, 6, 6))
    ones = np.ones(4, np.float32) * 50.0
    other = net.add("Mul", _scaled(net, ones), net.const(1.0 + gain))
    rest = net.add("Sub", other, _scaled(net, ones))
    budget = _budget(net, net.conv(rest, 4, 2), net.samples(20), tmp_path)
    told = [f for f in budget.verdict.findings if f.code == "quant/coarse-steps"]
    assert found == bool(told)
    if told:
        assert "of its 8 bits say nothing" in told[0].message
        assert told[0].hint.count("--layer-dtype") == 2


def test_the_report_has_what_was_compared(tmp_path: Path) -> None:
    """Samples, those held back, and the gain over min-max: in the record and in words."""
    net = Net((1, 3, 6, 6))
    samples = net.samples(40)
    samples[::3, 0, 0, 0] *= 30.0
    budget = _budget(net, net.conv("x", 3, 4), samples, tmp_path, Observers("auto"))
    seen = budget.calibration
    assert seen is not None
    assert (32, 8, 5) == (seen.samples, seen.held_back, len(seen.trials))
    by_name = {trial.observer: trial.sqnr_db for trial in seen.trials}
    assert by_name[seen.observer] == max(by_name.values())
    assert seen.gain_db == pytest.approx(by_name[seen.observer] - by_name["minmax"], abs=0.01)
    (told,) = (f for f in budget.verdict.findings if f.code == "quant/observer")
    assert (
        f"ranges by {seen.observer}: outputs with {by_name[seen.observer]:.1f} dB" in told.message
    )


def test_ranges_from_elsewhere_are_no_calibration(tmp_path: Path) -> None:
    """A report of random ranges, or of none, says nothing of samples."""
    net = Net((1, 3, 6, 6))
    path = tmp_path / "net.onnx"
    path.write_bytes(net.model(net.conv("x", 3, 4)).SerializeToString())
    for request in (Request(path, TARGET), Request(path, TARGET, random_calibration=True)):
        assert assess(pipeline.plan(request, sizes_only=True)).calibration is None


def test_sums_that_are_nearly_full(tmp_path: Path) -> None:
    """A bias of more than half of what int32 holds, as files bring it, leaves no whole bit."""
    net = Net((1, 3, 6, 6))
    path = tmp_path / "net.onnx"
    path.write_bytes(net.model(net.conv("x", 3, 4)).SerializeToString())
    np.savez(tmp_path / "data.npz", x=net.samples(20))
    graph = pipeline.plan(Request(path, TARGET, calibration=tmp_path / "data.npz")).grids.graph
    assert () == full_sums(graph)
    conv = next(node for node in graph.nodes if node.op.weight_inputs)
    bias = graph.tensor(conv.inputs[conv.op.weight_inputs[1]])
    assert bias.stored is not None
    large = bias.stored.values.copy()
    large[2] = 3 << 29
    edit = Editor(graph)
    edit.set_tensor(replace(bias, stored=replace(bias.stored, values=large)))
    (told,) = full_sums(edit.done())
    assert 2 == told.channel
    assert told.share == pytest.approx(0.75, abs=0.01)


def test_many_sums_that_are_nearly_full_are_one_finding() -> None:
    """The fullest layer is named, the others are counted: one cause, one note."""
    sums = [FullSums(f"conv{i}", i, 0.5 + i / 10) for i in (1, 3, 2)]
    for count, more in ((1, ""), (2, ", that of 1 more layer"), (3, ", those of 2 more layers")):
        (told,) = full_accumulators(tuple(sums[:count]))
        fullest = "conv3" if count > 1 else "conv1"
        assert (fullest, more in told.message) == (told.where, True)
    assert not list(full_accumulators(()))
