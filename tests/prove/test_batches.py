# SPDX-License-Identifier: Apache-2.0
"""Samples are compared some at a time: same results, and memory that does not grow with them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from int8_nets import RELU, Int8Net, inputs_of
from nets import Net

from mcuplan import pipeline
from mcuplan.calibrate import arrays, npz, observe, read_data
from mcuplan.emit import Stamp, emit
from mcuplan.ir.graph import Graph
from mcuplan.passes.dead_channels import keep_dead_channels
from mcuplan.prove import evidence, proofs
from mcuplan.prove.boundary import Feeds
from mcuplan.prove.cores import core_named
from mcuplan.prove.evidence import against_runtime
from mcuplan.prove.proofs import Subject, prove_on_core, prove_on_host
from mcuplan.quant.named_observers import OBSERVERS
from mcuplan.record import Planned, Request
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.targets import load_target

TARGET = replace(load_target("cortex-m4"), backend="c99")


def _planned(folder: Path, samples: int) -> Planned:
    """A small convolutional network and samples with labels."""
    net = Net((1, 2, 8, 8))
    x = net.add("Relu", net.conv("x", 2, 8))
    x = net.add("GlobalAveragePool", net.add("Relu", net.conv(x, 8, 8)))
    output = net.add("Gemm", net.add("Flatten", x), net.random(8, 5))
    (folder / "net.onnx").write_bytes(net.model(output).SerializeToString())
    labels = np.arange(samples) % 5
    np.savez(folder / "data.npz", x=net.samples(samples), labels=labels)
    np.savez(folder / "few.npz", x=net.samples(20))
    return pipeline.plan(Request(folder / "net.onnx", TARGET, calibration=folder / "few.npz"))


def _set_together(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    def together(graph: Graph) -> int:
        return size

    for module in (evidence, proofs):
        monkeypatch.setattr(module, "together", together)


def test_results_do_not_depend_on_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers, outputs, decisions and accuracy of blocks of 1, 7 and all samples."""
    planned = _planned(tmp_path, 40)
    data = read_data(tmp_path / "data.npz", planned.model.graph.inputs)
    found = []
    for size in (1, 7, 40):
        _set_together(monkeypatch, size)
        graph = planned.removal.whole
        found.append(against_runtime(planned.model.path, graph, data, quantized=False))
    first = found[0]
    for seen in found[1:]:
        assert first.outputs == seen.outputs
        assert (first.accuracy, first.decisions) == (seen.accuracy, seen.decisions)
        assert first.findings == seen.findings
        for name, layer in first.layers.items():
            assert seen.layers[name].error == pytest.approx(layer.error)


def _subject(graph: Graph) -> Subject:
    plan = plan_graph(graph, TARGET)
    bundle = emit(plan, "net", Stamp("net.onnx", "0" * 64))
    return Subject(bundle, plan, keep_dead_channels(graph))


def _network() -> Graph:
    net = Int8Net((1, 5, 4, 3))
    x = net.conv("x", net.weights(6, 1, 1, 3), np.arange(6) * 100, act=RELU)
    return net.graph(net.conv(x, net.weights(2, 1, 1, 6)))


@pytest.mark.parametrize("size", [1, 4, 100])
def test_the_host_runs_batches(size: int, host_gcc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All samples are compared, and the first step and sample that differ are the same."""
    monkeypatch.setattr(proofs, "RUN_SAMPLES", size)
    _set_together(monkeypatch, max(1, size // 2))
    graph = _network()
    feeds = inputs_of(graph, 10)
    proof = prove_on_host(_subject(graph), feeds)
    assert (10, None) == (proof.samples, proof.mismatch)
    wrong = {name: array.copy() for name, array in feeds.items()}
    subject = _subject(graph)
    expected = subject.expected

    def differs_late(given: dict[str, np.ndarray], names: list[str]) -> dict[str, np.ndarray]:
        values = dict(expected(given, names))
        (own,), (name, *_) = given.values(), names
        odd = (own == wrong["x"][7]).reshape(len(own), -1).all(axis=1)
        values[name] = np.where(odd.reshape(-1, 1, 1, 1), values[name] + 1, values[name])
        return values

    monkeypatch.setattr(Subject, "expected", lambda self, given, names: differs_late(given, names))
    mismatch = prove_on_host(subject, feeds).mismatch
    assert mismatch is not None
    assert (0, 7) == (mismatch.step, mismatch.sample)


def test_the_emulator_runs_batches(
    arm_gcc: str, qemu: str, host_gcc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cycles are those of the slowest sample of all batches."""
    graph = _network()
    feeds, core = inputs_of(graph, 5), core_named("cortex-m4")
    whole = prove_on_core(_subject(graph), feeds, core)
    monkeypatch.setattr(proofs, "RUN_SAMPLES", 2)
    batches = prove_on_core(_subject(graph), feeds, core)
    assert whole.equal
    assert (whole.total, whole.steps, whole.samples) == (
        batches.total,
        batches.steps,
        batches.samples,
    )
    assert batches.equal


def _peak(run: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_samples(
    tmp_path: Path, host_gcc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times the samples take as much memory, for runtime, reference and host program."""
    monkeypatch.setattr(npz, "_IN_MEMORY", 1000)
    monkeypatch.setattr(arrays, "_PART_ELEMENTS", 4000)
    monkeypatch.setattr(proofs, "RUN_SAMPLES", 32)
    peaks: list[list[int]] = [[], []]
    for samples in (48, 480):
        planned = _planned(tmp_path, samples)
        data = read_data(tmp_path / "data.npz", planned.model.graph.inputs)
        subject = Subject(pipeline.generate(planned, "net"), planned.plan, planned.removal)
        path, whole = planned.model.path, planned.removal.whole
        peaks[0].append(_peak(partial(against_runtime, path, whole, data, quantized=False)))
        feeds = Feeds(planned.integer, data)
        peaks[1].append(_peak(partial(prove_on_host, subject, feeds)))
    for few, many in peaks:
        assert many < 1.25 * few


def test_large_arrays_are_mapped_and_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays that lie in a file hold what arrays in memory hold, of every type and order."""
    planned = _planned(tmp_path, 30)
    ports = planned.model.graph.inputs
    samples = np.random.default_rng(0).standard_normal((30, 2, 8, 8))
    for dtype in (np.float32, np.float64, np.float16, ">f4"):
        for array in (samples.astype(dtype), np.asfortranarray(samples.astype(dtype))):
            np.savez_compressed(tmp_path / "d.npz", x=array)
            monkeypatch.setattr(npz, "_IN_MEMORY", 1 << 30)
            held = read_data(tmp_path / "d.npz", ports).inputs["x"]
            monkeypatch.setattr(npz, "_IN_MEMORY", 100)
            monkeypatch.setattr(arrays, "_PART_ELEMENTS", 300)
            mapped = read_data(tmp_path / "d.npz", ports)
            assert isinstance(mapped.inputs["x"], np.memmap)
            assert not isinstance(held, np.memmap)
            assert np.array_equal(held, mapped.inputs["x"])
            assert np.array_equal(held[3:5], mapped.part(3, 5).inputs["x"])


def test_ranges_do_not_depend_on_what_is_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Observers see the same values, however many wait for them."""
    planned = _planned(tmp_path, 40)
    data = read_data(tmp_path / "data.npz", planned.model.graph.inputs)
    names = [node.output for node in planned.floating.nodes]
    module: ModuleType = __import__("mcuplan.calibrate.observe", fromlist=["observe"])
    for observer in OBSERVERS.values():
        found = []
        for limit in (1 << 22, 1000):
            monkeypatch.setattr(module, "_WAITING_ELEMENTS", limit)
            found.append(observe(planned.floating, data, observer, names))
        assert found[0] == found[1]
