# SPDX-License-Identifier: Apache-2.0
"""A network of convolutions, a matrix and ReLUs in float32, from file to proof."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcuplan import pipeline
from mcuplan.calibrate import random_data
from mcuplan.cli import run
from mcuplan.errors import Problems, UsageError
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType, Types
from mcuplan.ops.softmax import Softmax
from mcuplan.ops.unary import Lookup
from mcuplan.prove.boundary import Feeds, boundary_inputs, real_outputs
from mcuplan.prove.proofs import Subject, prove_on_host
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Planned, Request, Verification
from mcuplan.targets import load_target

_SHAPE = (1, 3, 12, 12)


def _saved(folder: Path, *, extra: tuple[str, ...] = ()) -> Path:
    """Plain, depthwise and pointwise convolution, then a matrix; other operators before it."""
    rng = np.random.default_rng(3)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        values = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        return numpy_helper.from_array(values.astype(np.float32), name)

    held = [
        *(weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 8, 1, 3, 3)),
        *(weights("w3", 16, 8, 1, 1), weights("b3", 16), weights("wd", 10, 576), weights("bd", 10)),
        numpy_helper.from_array(np.float32(0), "low"),
        numpy_helper.from_array(np.float32(6), "high"),
    ]
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], "first", pads=[1] * 4, strides=[2, 2]),
        node("Relu", ["c1"], ["r1"]),
        node("Conv", ["r1", "w2"], ["c2"], "depthwise", pads=[1] * 4, group=8),
        node("Clip", ["c2", "low", "high"], ["r2"]),
        node("Conv", ["r2", "w3", "b3"], ["c3"], "pointwise"),
    ]
    last = "c3"
    for name in extra:
        nodes.append(node(name, [last], [f"{last}_{name}"], f"the_{name}"))
        last = f"{last}_{name}"
    nodes += [
        node("Flatten", [last], ["flat"]),
        node("Gemm", ["flat", "wd", "bd"], ["y"], "head", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "float",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, _SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 10))],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = folder / "net.onnx"
    onnx.save(model, path)
    return path


def _planned(path: Path, target: str = "cortex-m4", **asked: str) -> Planned:
    return pipeline.plan(Request(path, load_target(target), dtype=DType.FLOAT32, **asked))


def test_the_reference_is_near_the_runtime(tmp_path: Path) -> None:
    """The order of the sums is ours; no output is more than 1e-5 of the largest one off."""
    path = _saved(tmp_path)
    planned = _planned(path)
    data = random_data(planned.model.graph.inputs, 8)
    (port,) = planned.integer.outputs
    ours = evaluate(planned.integer, boundary_inputs(planned.integer, data))[port.tensor]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    theirs = np.concatenate([session.run(None, {"x": x[None]})[0] for x in data.inputs["x"]])
    mine = real_outputs(planned.integer, port, ours)
    assert 1e-5 * np.abs(theirs).max() > np.abs(mine - theirs).max()


@pytest.mark.parametrize(
    ("target", "objective"), [("cortex-m4", "balanced"), ("cortex-m0plus", "ram")]
)
def test_host_and_emulator_equal_the_reference_in_every_bit(
    target: str, objective: str, tmp_path: Path, host_gcc: str, arm_gcc: str, qemu: str
) -> None:
    """With and without floating-point hardware; whole steps, and rows that come and go."""
    path = _saved(tmp_path)
    planned = _planned(path, target, objective=objective)
    wanted = {"mplan_conv2d_f32", "mplan_depthwise_conv2d_f32", "mplan_dense_f32", "mplan_copy_s8"}
    assert wanted == {step.kernel.function for step in planned.plan.program.steps}
    evidence = verify(planned, planned.request, Wanted("net", samples=2))
    assert [True, True] == [run.equal_to_reference for run in evidence.verifications]
    assert all(run.elf is None or run.elf.agrees for run in evidence.verifications)
    assert [] == [f for f in evidence.findings if f.severity != "note"]


def test_rows_of_floats_are_fed(tmp_path: Path, host_gcc: str) -> None:
    """The input comes row by row, as floats, and is never held as a whole."""
    planned = _planned(_saved(tmp_path), io_layout="nhwc", streaming="input")
    assert planned.plan.fed_rows == 12
    assert [True] == [run.equal_to_reference for run in _on_host(planned)]


def _on_host(planned: Planned) -> tuple[Verification, ...]:
    evidence = verify(planned, planned.request, Wanted("net", on=("host",)))
    assert [] == [f for f in evidence.findings if f.severity != "note"]
    return evidence.verifications


def test_a_fused_multiply_is_found(tmp_path: Path, host_gcc: str) -> None:
    """The proof sees what one rounding less changes."""
    planned = _planned(_saved(tmp_path))
    path = PurePosixPath("mplan/mplan_dense_f32.c")
    bundle = pipeline.generate(planned, "net")
    text = bundle.files[path]
    fused = "acc = (float)(((double)value * (double)w[i]) + (double)acc);"
    assert "acc += value * w[i];" in text
    files = {**bundle.files, path: text.replace("acc += value * w[i];", fused)}
    subject = Subject(replace(bundle, files=files), planned.plan, planned.removal)
    data = random_data(planned.model.graph.inputs, 8)
    proof = prove_on_host(subject, Feeds(planned.integer, data))
    assert proof.mismatch is not None
    assert "head" == planned.plan.program.steps[proof.mismatch.step].node.origin


def test_the_boundary_has_real_values(tmp_path: Path) -> None:
    """Accessors of floats, no grid, no conversions; constants that give every bit back."""
    planned = _planned(_saved(tmp_path))
    files = pipeline.generate(planned, "net").files
    header, source = files[PurePosixPath("net.h")], files[PurePosixPath("net.c")]
    assert "\nfloat *net_input(const net_ctx_t *ctx);" in header
    assert "\nconst float *net_output(const net_ctx_t *ctx);" in header
    assert "SCALE" not in header
    assert "quantize" not in header
    assert ".act_min = 0.0f,\n    .act_max = 6.0f," in source
    assert "dtype float32" in header
    assert "no\n * floating point" not in header
    assert "-ffp-contract=off" in header
    assert "? (float *)(void *)&ctx->sram->bytes[OFFSET_X] : NULL;" in source


def test_refused_operators_are_named_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not there for float32, each by its name."""
    for op in (Lookup, Softmax):
        monkeypatch.setattr(op, "types", (Types(),))
    with pytest.raises(Problems) as raised:
        _planned(_saved(tmp_path, extra=("Sigmoid", "Softmax")))
    assert ["the_Sigmoid", "the_Softmax"] == [error.where for error in raised.value.errors]
    assert {"model/unsupported-op"} == {error.code for error in raised.value.errors}


def test_a_quantized_model_stays_quantized(tmp_path: Path) -> None:
    """Its own grids contradict the flag."""
    path = _saved(tmp_path)
    integers = tmp_path / "int8.onnx"
    command = ["quantize", str(path), "--calibration", "random", "-o", str(integers), "-q"]
    assert 0 == run(command)
    with pytest.raises(UsageError, match="float32"):
        _planned(integers)


def test_what_is_no_number_equals_itself(tmp_path: Path, host_gcc: str) -> None:
    """Roots of negative numbers are one NaN, which the proof finds in both."""
    value = helper.make_tensor_value_info
    shape = (1, 40)
    graph = helper.make_graph(
        [helper.make_node("Sqrt", ["x"], ["y"]), helper.make_node("Log", ["x"], ["z"])],
        "roots",
        [value("x", TensorProto.FLOAT, shape)],
        [value("y", TensorProto.FLOAT, shape), value("z", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "roots.onnx"
    onnx.save(model, path)
    planned = _planned(path)
    data = random_data(planned.model.graph.inputs, 8)
    assert (data.inputs["x"] < 0).any()
    subject = Subject(pipeline.generate(planned, "roots"), planned.plan, planned.removal)
    assert prove_on_host(subject, Feeds(planned.integer, data)).mismatch is None
