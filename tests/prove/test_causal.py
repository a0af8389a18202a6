# SPDX-License-Identifier: Apache-2.0
"""A causal convolution frame by frame is the same convolution over the whole sequence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from causal_nets import STATES, TAPS, frames, save_streaming, save_whole

from mcuplan import passes, pipeline
from mcuplan.calibrate import Runtime
from mcuplan.importer import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.lower import lower
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import prove_on_core, prove_on_host
from mcuplan.prove.subject import Subject
from mcuplan.record import Planned, Request
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.targets import load_target

FRAMES = 50
GRIDS = {"frames": "window", "features": "features", "score": "score"}  # whole: streaming


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """The network with a state, calibrated on all frames of the sequence."""
    folder = tmp_path_factory.mktemp("causal")
    np.savez(folder / "frames.npz", frame=frames(FRAMES))
    data, target = folder / "frames.npz", load_target("cortex-m4")
    return pipeline.plan(Request(save_streaming(folder), target, calibration=data, states=STATES))


@pytest.fixture(scope="module")
def calls(streaming: Planned) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Integers of the frames, and of what each call makes of them by the reference."""
    graph = streaming.integer
    (port,) = graph.app_inputs
    feeds = {port.tensor: graph.tensor(port.tensor).type.q.quantize(frames(FRAMES))}
    made = [name for node in graph.nodes for name in node.outputs]
    return feeds, dict(evaluate(graph, feeds, made))


def _model_tensor(graph: Graph, name: str) -> str:
    """The first tensor of a graph that holds a tensor of the model."""
    return next(n for n, t in graph.tensors.items() if t.origin and t.origin.name == name)


def _whole(streaming: Planned, folder: Path) -> Graph:
    """The int8 graph over the sequence, on the grids of the one with a state."""
    graph = passes.run(load_model(save_whole(folder, FRAMES)).graph)
    tensors = dict(graph.tensors)
    for name, other in GRIDS.items():
        quant = streaming.integer.tensor(_model_tensor(streaming.integer, other)).type.quant
        for key, tensor in graph.tensors.items():
            if tensor.origin is not None and tensor.origin.name == name:
                tensors[key] = replace(tensor, type=replace(tensor.type, quant=quant))
    grids = assign_grids(replace(graph, tensors=tensors), {})
    return lower(grids.graph, None).graph


def test_frame_by_frame_in_float(tmp_path: Path) -> None:
    """Fifty calls of the float graph give what ONNX Runtime makes of the sequence."""
    graph = load_model(save_streaming(tmp_path), states=STATES).graph
    (score,) = graph.app_outputs
    ours = evaluate(graph, {graph.app_inputs[0].tensor: frames(FRAMES)})[score.tensor]
    runtime = Runtime(save_whole(tmp_path, FRAMES).read_bytes())
    (theirs,) = runtime.run({"frames": frames(FRAMES)[:, :, 0].T[None]})
    assert (FRAMES, 3, 1) == ours.shape
    np.testing.assert_allclose(ours[:, :, 0].T[None], theirs, rtol=1e-4, atol=1e-5)


def test_frame_by_frame_in_integers(
    streaming: Planned,
    calls: tuple[dict[str, np.ndarray], dict[str, np.ndarray]],
    tmp_path: Path,
) -> None:
    """Every byte of fifty calls is that of the plan of the whole sequence on the same grids."""
    _, values = calls
    graph = streaming.integer
    window = values[_model_tensor(graph, "window")].reshape(FRAMES, -1, TAPS)
    sequence = window[:, :, -1].T[None]  # frames on the grid of the window
    whole = _whole(streaming, tmp_path)
    plan = plan_graph(whole, load_target("cortex-m4"))
    (taken,), (given,), (score,) = whole.inputs, whole.outputs, graph.app_outputs
    feeds = {taken.tensor: sequence.reshape(whole.tensor(taken.tensor).type.shape)}
    made = evaluate(plan.program.graph, feeds)[given.tensor].reshape(3, FRAMES)
    assert np.array_equal(made, values[score.tensor].reshape(FRAMES, 3).T)
    assert len(np.unique(made)) > FRAMES  # a network of one value would show nothing


def test_frame_by_frame_in_code(
    streaming: Planned,
    calls: tuple[dict[str, np.ndarray], dict[str, np.ndarray]],
    host_gcc: str,
    arm_gcc: str,
    qemu: str,
) -> None:
    """So are those of the code, here after each step, and on an emulated Cortex-M4."""
    feeds, _ = calls
    bundle = pipeline.generate(streaming, "causal")
    subject = Subject(bundle, streaming.plan, streaming.removal)
    host = prove_on_host(subject, feeds)
    assert (FRAMES, None, ()) == (host.samples, host.mismatch, host.findings)
    core = prove_on_core(subject, feeds, core_named("cortex-m4"))
    assert (FRAMES, True, (), ()) == (core.samples, core.equal, core.drift, core.findings)
