# SPDX-License-Identifier: Apache-2.0
"""Fitted weights and biases, what is judged by which samples, and the exported model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nets import Net
from repair.trap_models import ROOT, trap

from mcuplan import pipeline
from mcuplan.calibrate import Data, Runtime
from mcuplan.calibrate.farther import with_farther
from mcuplan.cli import run
from mcuplan.exporter.onnx import to_onnx
from mcuplan.facts import RepairKind
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.types import Array, DType
from mcuplan.passes.lower import lower
from mcuplan.record import Request
from mcuplan.repair import EFFORTS, kinds_of
from mcuplan.repair.refit import refit
from mcuplan.targets import load_target

DATA = ROOT / "models" / "digits_dscnn"


def _asked(**more: object) -> Request:
    asked = Request(DATA / "model.onnx", load_target("cortex-m4"))
    return replace(asked, calibration=DATA / "calibration.npz", **more)


def _feeds(graph: Graph) -> dict[str, Array]:
    inputs = np.load(DATA / "calibration.npz")["input"]
    return {graph.inputs[0].tensor: inputs.reshape(-1, 8, 8, 1)}


def _coarse(graph: Graph, bits: int) -> Graph:
    """Weights on scales that leave them fewer bits; scales are kept, so refit cannot undo it."""
    tensors = dict(graph.tensors)
    times = 2 ** (8 - bits)
    for node in graph.nodes:
        if len(node.op.weight_inputs) == 2:
            tensor = tensors[name := node.inputs[1]]
            stored = tensor.stored
            assert stored is not None
            grid = replace(stored.quant, scale=tuple(s * times for s in stored.quant.scale))
            values = np.rint(stored.values / times).astype(np.int8)
            tensors[name] = replace(tensor, stored=replace(stored, values=values, quant=grid))
    return replace(graph, tensors=tensors)


def _noise(graph: Graph, grids: Graph, feeds: dict[str, Array]) -> float:
    output = graph.outputs[0].tensor
    made = evaluate(lower(grids, None).graph, {n: _on(grids, n, a) for n, a in feeds.items()})
    mine = grids.tensor(output).type.q.dequantize(made[output])
    theirs = evaluate(graph, feeds)[output]
    return float(np.square(mine - theirs).sum() / np.square(theirs).sum())


def _on(graph: Graph, name: str, values: Array) -> Array:
    return graph.tensor(name).type.q.quantize(values)


def test_weights_of_few_bits_are_rounded_to_what_the_layer_computes() -> None:
    """With 4 bits: nearest is worse than with other biases, and these than with other weights."""
    _, graph = pipeline.simplify(_asked())
    grids = _coarse(pipeline.quantize(_asked(), graph).grids.graph, 4)
    feeds = _feeds(graph)
    before = _noise(graph, grids, feeds)
    biases = _noise(graph, refit(graph, grids, feeds, rounding=False), feeds)
    rounded = refit(graph, grids, feeds, rounding=True)
    assert _noise(graph, rounded, feeds) < 0.75 * biases
    assert biases < before
    again = refit(graph, grids, feeds, rounding=True)
    for name, tensor in rounded.tensors.items():
        if tensor.stored is not None:
            assert again.tensor(name).stored is not None
            np.testing.assert_array_equal(tensor.stored.values, again.tensor(name).stored.values)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_a_constant_channel_stays_where_its_grid_allows(share: float) -> None:
    """Behind a Relu a share of a step is the nearest step, not several of them."""
    _, graph = pipeline.simplify(_asked())
    node = next(node for node in graph.nodes if len(node.op.weight_inputs) == 2)
    step = pipeline.quantize(_asked(), graph).grids.graph.tensor(node.output).type.q.s
    tensors = dict(graph.tensors)
    for index, value in ((1, 0.0), (2, share * step)):
        tensor = tensors[node.inputs[index]]
        data = np.array(tensor.data)
        data[0] = value
        tensors[tensor.name] = replace(tensor, data=data)
    graph = replace(graph, tensors=tensors)
    grids, feeds = pipeline.quantize(_asked(), graph).grids.graph, _feeds(graph)
    codes = {n: _on(grids, n, a) for n, a in feeds.items()}
    for rounding in (False, True):
        low = lower(refit(graph, grids, feeds, rounding=rounding), None).graph
        made = evaluate(low, codes, [node.output])[node.output][..., 0].astype(np.int64)
        zero = low.tensor(node.output).type.q.z
        assert np.abs(made - zero - share).max() <= 1


def test_fast_is_what_it_was() -> None:
    """No repair: the ranges as they were observed, and nothing tried."""
    _, graph = pipeline.simplify(_asked())
    found = pipeline.quantize(_asked(), graph)
    assert found.calibrated is not None
    assert found.graph is graph
    assert found.calibrated.repairs == ()


@pytest.mark.parametrize("name", ["prelu", "difference"])
def test_the_exported_model_gives_what_the_code_gives(name: str, tmp_path: Path) -> None:
    """Under ONNX Runtime, within a step of the output's grid on nearly all of it."""
    asked = replace(_asked(quantize_effort="normal"), model=trap(name, tmp_path))
    _, graph = pipeline.simplify(asked)
    grids = pipeline.quantize(asked, graph).grids.graph
    output = grids.outputs[0].tensor
    feeds = _feeds(graph)
    codes = {n: _on(grids, n, a) for n, a in feeds.items()}
    made = evaluate(lower(grids, None).graph, codes)[output].astype(np.int64)
    runtime = Runtime(to_onnx(grids, qdq=True).SerializeToString(), optimize=False)
    inputs = np.load(DATA / "calibration.npz")["input"]
    theirs = np.concatenate([runtime.run({"input": one[None]})[0] for one in inputs])
    apart = np.abs(_on(grids, output, theirs).astype(np.int64) - made)
    assert (apart <= 1).mean() > 0.99
    assert (theirs.argmax(axis=1) == made.argmax(axis=1)).mean() >= 0.99


def test_samples_farther_out_stay_within_what_was_seen() -> None:
    """Twice as far from the mean of each element, behind the samples as they are."""
    port = Port("x", "x", (1, 2), DType.FLOAT32)
    data = Data({"x": np.array([[0, 1], [4, 1], [2, 10]], np.float32)}, 3)
    made = with_farther(data, [port], [0, 1])
    np.testing.assert_array_equal(made.inputs["x"], [[0, 1], [4, 1], [0, 0], [6, 0]])


@pytest.mark.parametrize("kind", RepairKind)
def test_each_kind_can_be_asked_for_and_left_out(kind: RepairKind) -> None:
    """Beside what an effort does, in the order of all of them."""
    for effort, kinds in EFFORTS.items():
        assert kinds | {kind} == set(kinds_of(effort, {kind: True}))
        assert kinds - {kind} == set(kinds_of(effort, {kind: False}))
    every = kinds_of("fast", dict.fromkeys(RepairKind, True))
    assert [each for each in every if each is not kind] == list(
        kinds_of("fast", {**dict.fromkeys(RepairKind, True), kind: False})
    )


def test_what_is_asked_for_is_tried_though_outputs_are_near(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Said with what it was worth; an effort alone says that there was nothing to gain."""
    near = Net((1, 6))
    data, model = tmp_path / "data.npz", tmp_path / "net.onnx"
    model.write_bytes(near.model(near.add("Relu", "x")).SerializeToString())
    np.savez(data, x=near.samples(60))
    command = ["quantize", str(model), "--calibration", str(data), "-o", str(tmp_path / "q.onnx")]
    assert 0 == run([*command, "--quantize-effort", "best"])
    assert "nothing was repaired" in capsys.readouterr().err
    assert 0 == run([*command, "--repair", "biases", "--repair", "ranges"])
    said = capsys.readouterr().err
    assert "corrected biases" in said
    assert "fitted weights" not in said
    assert 0 == run([*command, "--quantize-effort", "best", "--no-repair", "rounding"])
    assert 2 == run([*command, "--repair", "biases", "--no-repair", "biases"])


@pytest.mark.parametrize("cell", ["GRU", "LSTM", "RNN"])
def test_a_cell_is_repaired_from_its_first_state_on(cell: str, tmp_path: Path) -> None:
    """Which depends on no input, and is there for each of the samples that are run together."""
    net, gates = Net((1, 6, 5)), {"GRU": 3, "LSTM": 4, "RNN": 1}[cell]
    sequence = net.add("Transpose", "x", perm=[1, 0, 2])
    parts = [net.random(1, gates * 8, 5), net.random(1, gates * 8, 8)]
    made = net.add(cell, sequence, *parts, net.random(1, gates * 16), hidden_size=8)
    flat = net.add("Flatten", net.add("Transpose", made, perm=[1, 0, 2, 3]))
    path, data = tmp_path / "net.onnx", tmp_path / "data.npz"
    out = net.add("Gemm", flat, net.random(48, 4))
    path.write_bytes(net.model(out).SerializeToString())
    np.savez(data, x=net.samples(60))
    asked = replace(_asked(quantize_effort="best"), model=path, calibration=data)
    _, graph = pipeline.simplify(asked)
    found = pipeline.quantize(asked, graph).calibrated
    assert found is not None
    assert RepairKind.ROUNDING in {each.kind for each in found.repairs}
