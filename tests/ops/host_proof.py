# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models all the way: calibrated, planned, generated, run on the host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcuplan import pipeline
from mcuplan.calibrate import read_data
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import Array
from mcuplan.prove.boundary import boundary_inputs, real_outputs
from mcuplan.prove.compare import ModelRuntime
from mcuplan.prove.proofs import Subject, prove_on_host
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target


@dataclass(frozen=True)
class Proved:
    """One output: real values [samples, elements] of C code and runtime, and its step."""

    ours: Array
    runtime: Array
    scale: float

    def steps_off(self) -> float:
        """The largest difference in steps of the output's grid."""
        return float(np.abs(self.ours - self.runtime).max() / self.scale)


def proves(
    folder: Path,
    proto: Any,
    *,
    samples: int = 16,
    low: float = -3.0,
    high: float = 3.0,
    **asked: Any,
) -> tuple[Planned, list[Proved]]:
    """Assert that the C code gives the reference's bytes; the plan, and every output."""
    path, data_path = folder / "model.onnx", folder / "data.npz"
    path.write_bytes(proto.SerializeToString())
    rng = np.random.default_rng(7)
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in proto.graph.input
    }
    arrays = {n: rng.uniform(low, high, (samples, *s[1:])) for n, s in shapes.items()}
    np.savez(data_path, **{n: a.astype(np.float32) for n, a in arrays.items()})
    request = Request(path, load_target("cortex-m4"), calibration=data_path, **asked)
    planned = pipeline.plan(request)
    graph = planned.integer
    data = read_data(data_path, graph.inputs)
    feeds = boundary_inputs(graph, data)
    subject = Subject(pipeline.generate(planned, "net"), planned.plan, planned.removal)
    assert prove_on_host(subject, feeds).mismatch is None
    ours = evaluate(graph, feeds)
    runtime = ModelRuntime(path, graph).values(data)
    found = []
    for k, port in enumerate(graph.outputs):
        theirs = runtime.outputs[k]
        mine = real_outputs(graph, port, ours[port.tensor])
        found.append(Proved(mine, theirs, graph.tensor(port.tensor).type.step))
    return planned, found
