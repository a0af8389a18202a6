# SPDX-License-Identifier: Apache-2.0
"""What `quantize` writes, run by ONNX Runtime, is layer by layer what the integers are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nets import Net

from mcuplan import pipeline
from mcuplan.calibrate import Data, read_data
from mcuplan.calibrate.runtime import Runtime
from mcuplan.exporter.onnx import to_onnx
from mcuplan.importer import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.compare import layers_alone, on_grid
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target

OURS = ("digits_dscnn", "digits_gru", "digits_vit", "imu_gesture_cnn")
SHARED = ("mlperf_kws_dscnn", "mlperf_ic_resnet8")
ROOT = Path(__file__).parents[2]
_SAMPLES = 60


def _planned(model: Path, data: Path) -> Planned:
    return pipeline.plan(Request(model, load_target("cortex-m4"), calibration=data))


def _compared(planned: Planned, data: Data) -> tuple[dict[str, int], float]:
    """Steps that each layer is off on the runtime's own input; share of equal decisions."""
    real, graph = planned.grids.graph, planned.removal.whole
    taps = [name for name in graph.tensors if _is_shown(real, graph, name)]
    model = to_onnx(real, qdq=True, taps=taps).SerializeToString()
    runtime = Runtime(model, optimize=False)
    runs = [runtime.run(data.feeds(real.app_inputs, i)) for i in range(data.samples)]
    first = len(real.outputs)
    given = dict(boundary_inputs(graph, data))
    for k, name in enumerate(taps, first):
        tensor = graph.tensor(name)
        values = [run[k].reshape(tensor.type.shape) for run in runs]
        given[name] = on_grid(tensor, np.concatenate(values))
    off: dict[str, int] = {}
    for name, mine, theirs in layers_alone(graph, given, data.samples):
        apart = np.abs(mine.astype(np.int64) - theirs.astype(np.int64)).max()
        off[name] = max(off.get(name, 0), int(apart))
    port = graph.outputs[0]
    mine = evaluate(graph, dict(boundary_inputs(graph, data)))[port.tensor]
    theirs = np.stack([run[0].reshape(-1) for run in runs])
    best = mine.reshape(len(runs), -1).argmax(axis=1) == theirs.argmax(axis=1)
    return off, float(best.mean())


def _is_shown(real: Graph, graph: Graph, name: str) -> bool:
    """Whether a computed tensor lies on one grid, in the file that is written, too."""
    known = name in real.tensors and not any(port.tensor == name for port in real.inputs)
    tensor = graph.tensor(name)
    quant = tensor.type.quant
    return known and not tensor.is_constant and quant is not None and quant.axis is None


def _holds(model: Path, calibration: Path, inputs: Path) -> None:
    planned = _planned(model, calibration)
    data = read_data(inputs, planned.grids.graph.app_inputs).first(_SAMPLES)
    off, agreed = _compared(planned, data)
    assert len(off) >= 4
    assert {} == {name: steps for name, steps in off.items() if steps > 1}
    assert agreed >= 0.99


@pytest.mark.parametrize("name", OURS)
def test_a_model_of_ours(name: str) -> None:
    """Every layer within a step on the same input, decisions the same."""
    folder = ROOT / "models" / name
    _holds(folder / "model.onnx", folder / "calibration.npz", folder / "test.npz")


@pytest.mark.parametrize("name", SHARED)
def test_a_model_of_others(name: str, tmp_path: Path, test_models: Path) -> None:
    """The same of larger ones."""
    folder = test_models / name
    port = load_model(folder / "model.onnx").graph.inputs[0]
    with np.load(folder / "inputs.npz") as file:
        for kind, count in (("calib", 100), ("x", _SAMPLES)):
            real = file[kind][:count].astype(np.float32) * file["scale"] + file["offset"]
            real = real.reshape(len(real), *port.shape[1:]).astype(np.float32)
            np.savez(tmp_path / f"{kind}.npz", **{port.name: real})
    _holds(folder / "model.onnx", tmp_path / "calib.npz", tmp_path / "x.npz")


def test_a_cell_of_two_states(tmp_path: Path) -> None:
    """An LSTM: its states of 16 bits lie on a grid each, which a runtime must take apart."""
    net = Net((5, 1, 6))
    weights = [net.random(1, 32, 6), net.random(1, 32, 8), net.random(1, 64)]
    y = net.add("LSTM", "x", *weights, hidden_size=8)
    y = net.add("Reshape", y, net.const([1, 40], np.int64))
    path = tmp_path / "net.onnx"
    path.write_bytes(net.model(net.add("Gemm", y, net.random(40, 4))).SerializeToString())
    samples = net.rng.standard_normal((30, 5, 1, 6)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=samples)
    planned = _planned(path, tmp_path / "data.npz")
    off, agreed = _compared(planned, Data({"x": samples}, 30))
    assert max(off.values()) <= 1
    assert agreed >= 0.99
