# SPDX-License-Identifier: Apache-2.0
"""TopK, a step with two outputs: read, written, planned, run on the host and an emulated core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from mcuplan import pipeline
from mcuplan.errors import UsageError
from mcuplan.ir.types import DType
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import prove_on_core, prove_on_host
from mcuplan.prove.subject import Subject
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target

from .onnx_cases import agrees, kinds, model, node

TYPES = {"v": TensorProto.FLOAT, "i": TensorProto.INT64}
LINE, IMAGE = {"x": (1, 9)}, {"x": (1, 4, 6, 5)}


def _top(inputs: Any, k: int, **attributes: Any) -> Any:
    made = node("TopK", "x k", "v i", **attributes)
    return model(made, inputs, {"k": np.int64([k])}, outputs="v i", types=TYPES)


MODELS: dict[str, Any] = {
    "vector": _top(LINE, 3),
    "least": _top(LINE, 9, largest=0),
    "columns": _top(IMAGE, 5, axis=3),
}
VALUES = model(node("TopK", "x k", "v i", axis=1), IMAGE, {"k": np.int64([2])}, outputs="v")


def _planned(folder: Path, proto: Any, **asked: Any) -> Planned:
    (folder / "net.onnx").write_bytes(proto.SerializeToString())
    target = load_target("cortex-m4")
    return pipeline.plan(Request(folder / "net.onnx", target, random_calibration=True, **asked))


@pytest.mark.parametrize("name", MODELS)
def test_both_outputs(name: str, tmp_path: Path) -> None:
    """Values and indices along any axis are those of ONNX Runtime."""
    graph = agrees(tmp_path, MODELS[name])
    assert set(kinds(graph)) <= {"TopK", "Transpose", "Cast"}
    assert [False, True] == [port.whole for port in graph.outputs]


@pytest.mark.parametrize("name", ["vector", "columns"])
def test_code(name: str, host_gcc: str, arm_gcc: str, qemu: str, tmp_path: Path) -> None:
    """Every byte of both outputs is that of the reference, and the plan is that of the ELF."""
    planned = _planned(tmp_path, MODELS[name])
    subject = Subject(pipeline.generate(planned, "net"), planned.plan, planned.removal)
    (port,) = planned.integer.inputs
    shape = planned.integer.tensor(port.tensor).type.shape
    drawn = np.random.default_rng(2).integers(-9, 9, (4, *shape[1:]))  # many are equal
    feeds = {port.tensor: drawn.astype(np.int8)}
    host = prove_on_host(subject, feeds)
    assert (None, ()) == (host.mismatch, host.findings)
    core = prove_on_core(subject, feeds, core_named("cortex-m4"))
    assert (True, (), ()) == (core.equal, core.drift, core.findings)


def test_an_output_that_nobody_reads_has_its_bytes(host_gcc: str, tmp_path: Path) -> None:
    """A kernel writes it all the same, and over nothing else."""
    nodes = [node("TopK", "x k", "v i"), node("Relu", "v", "y")]
    planned = _planned(tmp_path, model(nodes, LINE, {"k": np.int64([4])}))
    step = next(s for s in planned.plan.program.steps if len(s.node.outputs) == 2)
    places = [planned.plan.address(name)[1] for name in step.node.outputs]
    assert places[1] + 16 <= places[0] or places[0] + 4 <= places[1]


def test_values_alone_lie_along_any_axis(tmp_path: Path) -> None:
    """Channels of an image by size, with their indices or without."""
    agrees(tmp_path, VALUES)
    graph = _planned(tmp_path, _top(IMAGE, 2, axis=1)).integer
    assert [DType.INT8, DType.INT32] == [graph.tensor(p.tensor).type.dtype for p in graph.outputs]


def test_such_a_layer_is_not_fed(tmp_path: Path) -> None:
    """Rows of several outputs do not come together: refused by the layer's name."""
    with pytest.raises(UsageError, match="several outputs"):
        _planned(tmp_path, MODELS["columns"], streaming="input")
