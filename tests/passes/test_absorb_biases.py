# SPDX-License-Identifier: Apache-2.0
"""Channels are moved towards 0, and the layers around them make up for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nets import Net, imported, run_graph, worst

from mcuplan import pipeline
from mcuplan.facts import RepairKind
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.passes import run
from mcuplan.passes.absorb_biases import absorb_biases
from mcuplan.record import Request
from mcuplan.targets import load_target

Array = np.ndarray


def _net(relu: bool, pad: int = 0, group: int = 1, offset: float = 30.0) -> tuple[Net, str]:
    """Two layers; channels of the first lie far from 0, each elsewhere."""
    net = Net((1, 3, 7, 7), seed=5)
    bias = offset * (1 + net.rng.random(6))
    weights = net.rng.standard_normal((6, 3, 3, 3)) / 3
    made = net.add("Conv", "x", net.const(weights), net.const(bias))
    made = net.add("Relu", made) if relu else made
    weights = net.rng.standard_normal((6, 6 // group, 3, 3))
    each = np.repeat(bias.reshape(group, -1), 6 // group, axis=0)
    back = net.const(-(weights.sum(axis=(2, 3)) * each).sum(axis=1))  # outputs are around 0
    return net, net.add("Conv", made, net.const(weights), back, pads=[pad] * 4, group=group)


def _seen(graph: Graph, samples: Array) -> dict[str, tuple[Array, Array]]:
    names = [name for node in graph.nodes for name in node.outputs]
    values = evaluate(graph, {graph.inputs[0].tensor: samples}, names)
    flat = {name: each.reshape(-1, each.shape[-1]) for name, each in values.items()}
    return {name: (each.min(axis=0), each.max(axis=0)) for name, each in flat.items()}


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("group", [1, 2, 6])
def test_outputs_stay_and_ranges_shrink(relu: bool, group: int, tmp_path: Path) -> None:
    """Plain, grouped and depthwise readers; behind a Relu as far as samples stay above 0."""
    net, output = _net(relu, group=group)
    graph, samples = run(imported(net.model(output), tmp_path)), net.samples(20)
    moved = absorb_biases(graph, _seen(graph, samples))
    assert moved is not graph
    pair = [run_graph(each, {"x": samples}) for each in (graph, moved)]
    assert worst(*pair) < 1e-5
    (name,) = (n for n, t in moved.tensors.items() if t.origin is None and not t.is_constant)
    before, after = _seen(graph, samples)[name], _seen(moved, samples)[name]
    assert np.max(after[1]) < 0.5 * np.max(before[1])
    assert not relu or np.min(after[0]) > 0


def _through(kind: str) -> tuple[Net, str]:
    """The same, with something between the two layers that keeps what is added."""
    net = Net((1, 3, 8, 8), seed=5)
    bias = 30.0 * (1 + net.rng.random(6))
    one, other = (
        net.add("Conv", "x", net.const(net.rng.standard_normal((6, 3, 3, 3))), net.const(b))
        for b in (bias, -2 * bias)
    )
    made = {
        "centred": lambda: net.add("Relu", net.add("Sub", one, net.add("GlobalAveragePool", one))),
        "largest": lambda: net.add("MaxPool", one, kernel_shape=[2, 2], strides=[2, 2]),
        "mean": lambda: net.add("AveragePool", one, kernel_shape=[2, 2], pads=[1] * 4),
        "sum": lambda: net.add("Add", one, net.add("Relu", other)),
        "counted": lambda: net.add(
            "AveragePool", one, kernel_shape=[2, 2], pads=[1] * 4, count_include_pad=1
        ),
        "cut": lambda: net.add("Relu", net.add("Add", one, net.add("Relu", other))),
        "product": lambda: net.add("Mul", one, net.add("GlobalAveragePool", one)),
    }[kind]()
    return net, net.conv(made, 6, 4, pad=0)


@pytest.mark.parametrize("kind", ["centred", "largest", "mean", "sum"])
def test_what_keeps_a_constant_is_passed(kind: str, tmp_path: Path) -> None:
    """To the layers behind it, or to a difference from which it falls out."""
    net, output = _through(kind)
    graph, samples = run(imported(net.model(output), tmp_path)), net.samples(20)
    moved = absorb_biases(graph, seen := _seen(graph, samples))
    assert moved is not graph
    assert worst(*(run_graph(each, {"x": samples}) for each in (graph, moved))) < 1e-4
    name = next(node.output for node in graph.nodes if node.op.weight_inputs)
    after = _seen(moved, samples)[name]
    assert np.max(np.abs(after)) < 0.7 * np.max(np.abs(seen[name]))


@pytest.mark.parametrize("kind", ["counted", "cut", "product"])
def test_what_does_not_keep_a_constant_is_not_passed(kind: str, tmp_path: Path) -> None:
    """Padding that counts, limits, and products."""
    net, output = _through(kind)
    graph = run(imported(net.model(output), tmp_path))
    assert absorb_biases(graph, _seen(graph, net.samples(20))) is graph


def test_what_padding_holds_stays(tmp_path: Path) -> None:
    """Padding is 0, whatever the channels were moved by: such readers are left alone."""
    net, output = _net(True, pad=1)
    graph = run(imported(net.model(output), tmp_path))
    assert absorb_biases(graph, _seen(graph, net.samples(20))) is graph
    net, output = _net(True, offset=0.0)
    graph = run(imported(net.model(output), tmp_path))
    assert absorb_biases(graph, _seen(graph, net.samples(20))) is graph


@pytest.mark.parametrize("relu", [False, True])
def test_samples_that_are_equal_show_no_spread(relu: bool, tmp_path: Path) -> None:
    """What float32 rounds of them is none: a grid for that alone would hold no other input."""
    net, output = _net(relu)
    graph = run(imported(net.model(output), tmp_path))
    samples = np.full((4, 3, 7, 7), 0.3, np.float32)
    assert absorb_biases(graph, _seen(graph, samples)) is graph


def test_repair_keeps_it_where_outputs_gain(tmp_path: Path) -> None:
    """A step of the tensor is what it would be without the offsets: some dB at the outputs."""
    net, output = _net(True)
    (tmp_path / "net.onnx").write_bytes(net.model(output).SerializeToString())
    np.savez(tmp_path / "data.npz", x=net.samples(40))
    asked = Request(
        tmp_path / "net.onnx",
        load_target("cortex-m4"),
        calibration=tmp_path / "data.npz",
        quantize_effort="normal",
    )
    found = pipeline.plan(asked).calibration
    assert found is not None
    (gain,) = (each for each in found.repairs if each.kind is RepairKind.ABSORPTION)
    assert gain.kept
    assert gain.after_db > gain.before_db + 3
