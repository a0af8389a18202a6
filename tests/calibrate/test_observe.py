# SPDX-License-Identifier: Apache-2.0
"""Ranges are those of the values that the graph takes."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from nets import Net, imported

from mcuplan.calibrate import observe
from mcuplan.calibrate.data import Data
from mcuplan.calibrate.runtime import Runtime
from mcuplan.errors import ScaleError, ToolFailed
from mcuplan.ir.evaluate import evaluate
from mcuplan.passes import run
from mcuplan.quant.histogram import Clipped, Percentile
from mcuplan.quant.observers import MinMax


def test_ranges_are_those_of_the_evaluated_graph(tmp_path: Path) -> None:
    """Min and max over all samples, for inputs, inner tensors and outputs."""
    net = Net((1, 3, 6, 6))
    x = net.add("Relu", net.conv("x", 3, 4))
    x = net.add("Add", net.conv(x, 4, 4), x)
    graph = run(imported(net.model(net.add("Softplus", x)), tmp_path))
    samples = net.samples(9)
    names = [t.name for t in graph.tensors.values() if not t.is_constant]
    found = observe(graph, Data({"x": samples}, 9), MinMax(), names)
    values = evaluate(graph, {graph.inputs[0].tensor: samples}, names)
    assert names == list(found)
    for name in names:
        expected = (values[name].min(), values[name].max())
        assert expected == pytest.approx(found[name], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("op", "attributes", "low", "high"),
    [
        ("Softmax", {}, 40.0 - 16 * math.log(2), 40.0),
        ("Sigmoid", {}, -16 * math.log(2), 16 * math.log(2)),
        ("Tanh", {}, -17 * math.log(2) / 2, 17 * math.log(2) / 2),
        ("HardSigmoid", {"alpha": 0.25, "beta": 0.5}, -2.0, 2.0),
        ("HardSigmoid", {"alpha": -0.25, "beta": 0.5}, -2.0, 2.0),
        ("HardSwish", {}, -3.0, 40.0),
        ("Softplus", {}, -60.0, 40.0),
    ],
)
def test_ranges_hold_what_their_reader_tells_apart(
    op: str, attributes: dict[str, float], low: float, high: float, tmp_path: Path
) -> None:
    """What one kind of reader makes the same of, to half a step of int16, needs no room."""
    net = Net((1, 3))
    logits = net.add("Neg", "x")
    graph = imported(net.model(net.add(op, logits, **attributes)), tmp_path)
    both = imported(net.model(net.add("Add", net.add(op, logits, **attributes), logits)), tmp_path)
    data = Data({"x": np.array([[60.0, -40.0, 0.0]], np.float32)}, 1)
    (neg,) = graph.consumers()[graph.inputs[0].tensor]
    found = observe(graph, data, MinMax(), [neg.output])[neg.output]
    assert found == pytest.approx((low, high), rel=1e-6)
    (neg,) = both.consumers()[both.inputs[0].tensor]
    assert observe(both, data, MinMax(), [neg.output])[neg.output] == (-60.0, 40.0)
    x = np.linspace(-60.0, 40.0, 2001, dtype=np.float32)[:, None]
    x = np.concatenate([x, np.zeros_like(x)], axis=1)
    read = graph.producers()[graph.outputs[0].tensor].op
    assert np.abs(read.reference(read.told_apart(x))[0] - read.reference(x)[0]).max() <= 2.0**-15


def test_an_observer_of_shares_sees_all_samples(tmp_path: Path) -> None:
    """An outlier in one of 300 samples does not decide a percentile."""
    net = Net((1, 40))
    graph = imported(net.model(net.add("Neg", "x")), tmp_path)
    samples = np.random.default_rng(0).uniform(-1, 1, (300, 40)).astype(np.float32)
    samples[17, 3] = -1000.0
    name = graph.outputs[0].tensor
    data = Data({"x": samples}, 300)
    assert 1000.0 == observe(graph, data, MinMax(), [name])[name][1]
    assert observe(graph, data, Clipped(Percentile(99.9)), [name])[name][1] < 1.5


def test_a_value_that_is_not_finite_is_named(tmp_path: Path) -> None:
    """Overflow in the float model stops calibration at the tensor where it happens."""
    net = Net((1, 4))
    graph = imported(net.model(net.add("Exp", net.add("Exp", "x"))), tmp_path)
    data = Data({"x": np.full((2, 4), 80.0, np.float32)}, 2)
    with pytest.raises(ScaleError) as caught:
        observe(graph, data, MinMax(), [graph.outputs[0].tensor])
    assert graph.outputs[0].tensor == caught.value.where


def test_a_model_that_the_runtime_refuses() -> None:
    """What ONNX Runtime says is an error of a tool, not a traceback."""
    with pytest.raises(ToolFailed, match="refuses"):
        Runtime(b"no model")


def test_factors_beyond_float32_are_found_in_what_they_make(tmp_path: Path) -> None:
    """Two that are finite alone make one that is not; that is an error with a place, no warning."""
    net = Net((1, 3))
    scaled = net.add("Mul", net.add("Mul", "x", net.const(1e28)), net.const(3e38))
    graph = run(imported(net.model(net.add("HardSwish", scaled)), tmp_path))
    names = [t.name for t in graph.tensors.values() if not t.is_constant]
    data = Data({"x": np.ones((2, 3), np.float32)}, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ScaleError) as caught:
            observe(graph, data, MinMax(), names)
    assert caught.value.where
