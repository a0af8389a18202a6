# SPDX-License-Identifier: Apache-2.0
"""Layers with activations of 16 bits: which, what is converted, how near, and the proof of C."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcuplan import pipeline
from mcuplan.calibrate import read_data
from mcuplan.cli import run
from mcuplan.errors import McuplanError
from mcuplan.facts import InType
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType
from mcuplan.options.asked import with_backend
from mcuplan.prove.boundary import boundary_inputs, real_outputs
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target

_MODELS = Path(__file__).resolve().parents[2] / "models"


def _weights(*shape: int) -> Any:
    return (np.random.default_rng(len(shape)).normal(size=shape) / 4).astype(np.float32)


def _saved(folder: Path, *, divides: bool = False) -> Path:
    """Two branches that are joined: pools, a sum, a sigmoid; a quotient, which int16 has not."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1"], ["c"], "first", pads=[1] * 4),
        node("Relu", ["c"], ["r"], "relu"),
        node("Conv", ["r", "w2"], ["d"], "second", pads=[1] * 4, group=8),
        node("Sigmoid", ["d"], ["s"], "gate"),
        node("Mul", ["r", "s"], ["m"], "gated"),
        node("MaxPool", ["m"], ["p"], "largest", kernel_shape=[2, 2], strides=[2, 2]),
        node("AveragePool", ["r"], ["a"], "mean", kernel_shape=[2, 2], strides=[2, 2]),
        node("Concat", ["p", "a"], ["j"], "joined", axis=1),
        node("Neg", ["j"], ["q"], "negative"),
        node("Transpose", ["q"], ["y"], "last", perm=[0, 2, 3, 1]),
    ]
    held = {"w1": 2 * _weights(8, 3, 3, 3), "w2": _weights(8, 1, 3, 3)}
    if divides:
        nodes[7:7] = [
            node("AveragePool", ["s"], ["b"], "gates", kernel_shape=[2, 2], strides=[2, 2]),
            node("Div", ["a", "b"], ["v"], "quotient"),
        ]
        nodes[9] = node("Concat", ["p", "v"], ["j"], "joined", axis=1)
    graph = helper.make_graph(
        nodes,
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 6))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 3, 16))],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    path = folder / "net.onnx"
    imports = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    rng = np.random.default_rng(1)
    np.savez(folder / "data.npz", x=rng.normal(size=(12, 3, 8, 6)).astype(np.float32))
    return path


def _planned(path: Path, data: Path | None = None, **asked: Any) -> Planned:
    target = with_backend(load_target("cortex-m4"), "auto")
    return pipeline.plan(
        Request(path, target, calibration=data or path.with_name("data.npz"), **asked)
    )


def _types(planned: Planned) -> set[str]:
    return {step.kernel.function for step in planned.plan.program.steps}


def _ends(planned: Planned) -> list[DType]:
    graph = planned.integer
    return [graph.tensor(p.tensor).type.dtype for p in (*graph.inputs, *graph.outputs)]


def _told(planned: Planned) -> list[InType]:
    return [fact for fact in planned.grids.graph.notes if isinstance(fact, InType)]


def _error(planned: Planned, data: Path) -> float:
    """Mean absolute error against the float model."""
    graph, floating = planned.integer, planned.floating
    samples = read_data(data, graph.inputs)
    made = evaluate(graph, boundary_inputs(graph, samples))
    real = {p.tensor: p.from_model(np.asarray(samples.inputs[p.name])) for p in floating.inputs}
    shapes = {name: floating.tensor(name).type.shape[1:] for name in real}
    feeds = {n: v.reshape(-1, *shapes[n]).astype(np.float32) for n, v in real.items()}
    (ours,), (theirs,) = graph.outputs, floating.outputs
    wanted = theirs.to_model(evaluate(floating, feeds)[theirs.tensor])
    found = real_outputs(graph, ours, made[ours.tensor])
    return float(np.abs(found - wanted.reshape(found.shape)).mean())


def test_everything(tmp_path: Path, host_gcc: str, arm_gcc: str, qemu: str) -> None:
    """Every layer and both ends; every byte is that of the reference, and far nearer than int8."""
    path = _saved(tmp_path)
    planned = _planned(path, dtype=DType.INT16)
    assert [DType.INT16, DType.INT16] == _ends(planned)
    moves = {"mplan_concat_s8", "mplan_copy_s8"}  # bytes of any type
    assert not [name for name in _types(planned) - moves if "_s8" in name]
    assert [] == _told(planned)
    errors = [_error(each, tmp_path / "data.npz") for each in (planned, _planned(path))]
    assert errors[0] <= 0.05 * errors[1]
    evidence = verify(planned, planned.request, Wanted("net", samples=2))
    assert [True, True] == [run.equal_to_reference for run in evidence.verifications]
    assert [] == [f for f in evidence.findings if f.severity == "error"]


def test_a_layer_that_is_asked_for(tmp_path: Path, host_gcc: str) -> None:
    """It is converted where it meets int8; the ends of the model stay int8."""
    planned = _planned(_saved(tmp_path), wide_layers=("second",))
    assert [DType.INT8, DType.INT8] == _ends(planned)
    assert "mplan_requantize_s16" in _types(planned)
    assert [InType(("second",), 2, "int16")] == _told(planned)
    evidence = verify(planned, planned.request, Wanted("net", on=("host",)))
    assert evidence.verifications[0].equal_to_reference


def test_what_has_no_form_stays_int8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And is told; asked for by name it is an error."""
    path = _saved(tmp_path, divides=True)
    planned = _planned(path, dtype=DType.INT16)
    assert [("quotient",)] == [fact.layers for fact in _told(planned)]
    assert {"mplan_div_s8", "mplan_binary_s16", "mplan_requantize_s16"} <= _types(planned)
    with pytest.raises(McuplanError) as caught:
        _planned(path, wide_layers=("quotient",))
    assert "model/unsupported-op" == caught.value.code
    command = ["check", str(path), "--target", "cortex-m4", "--calibration", "random"]
    assert 0 == run([*command, "--dtype", "int16"])
    assert "quant/int8-layers" in capsys.readouterr().out
    assert 0 == run([*command, "--layer-dtype", "second=int16"])
    assert "quant/int16-layers" in capsys.readouterr().out
    assert 2 == run([*command, "--layer-dtype", "third=int16"])
    assert 2 == run([*command, "--layer-dtype", "second=int16", "--layer-dtype", "second=float32"])
    assert "two types for layer 'second'" in capsys.readouterr().err


def test_a_layer_that_gives_nothing_but_zeros_has_readers(tmp_path: Path, host_gcc: str) -> None:
    """Its grid leaves room for a scale of theirs."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c"], "first"),
        node("Relu", ["c"], ["r"], "dead"),
        node("Conv", ["r", "w2", "b2"], ["y"], "second"),
    ]
    held = {"w1": _weights(8, 3, 1, 1), "w2": _weights(4, 8, 1, 1)}
    held |= {"b1": np.full(8, -99, np.float32), "b2": _weights(4)}
    graph = helper.make_graph(
        nodes,
        "dead",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 2, 2))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 2, 2))],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    path = tmp_path / "dead.onnx"
    imports = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    samples = np.random.default_rng(1).normal(size=(12, 3, 2, 2)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=samples)
    data = ["--calibration", str(tmp_path / "data.npz")]
    command = ["verify", str(path), "-t", "cortex-m4", *data, "--dtype", "int16", "--no-save"]
    assert 0 == run([*command, "-q"])


def test_a_quantized_model_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked for int16, grids of int8 are wrong usage; those of int16 are what was asked for."""
    path, whole = str(_saved(tmp_path)), ["--target", "cortex-m4", "--dtype", "int16"]
    for dtype, status in (("int8", 2), ("int16", 0)):
        made = str(tmp_path / f"{dtype}.onnx")
        command = ["quantize", path, "--calibration", "random", "--dtype", dtype, "-o", made]
        assert 0 == run(command)
        capsys.readouterr()
        assert status == run(["check", made, *whole]), dtype
    assert "0 conversions" not in capsys.readouterr().out


def test_rows(tmp_path: Path, host_gcc: str) -> None:
    """A network run by rows gives the bytes of the reference, too."""
    folder = _MODELS / "digits_dscnn"
    planned = _planned(
        folder / "model.onnx", folder / "calibration.npz", dtype=DType.INT16, objective="ram"
    )
    whole = _planned(
        folder / "model.onnx",
        folder / "calibration.npz",
        dtype=DType.INT16,
        objective="ram",
        streaming="off",
    )
    assert not planned.plan.is_straight
    arenas = [sum(m.arena_bytes for m in each.plan.memory.values()) for each in (planned, whole)]
    assert arenas[0] < arenas[1]
    evidence = verify(planned, planned.request, Wanted("net", on=("host",), samples=3))
    assert evidence.verifications[0].equal_to_reference


@pytest.mark.parametrize("more", [[], ["--weight-dtype", "int8"]])
def test_exported_and_read_again(more: list[str], tmp_path: Path, host_gcc: str) -> None:
    """As ONNX of opset 21, whose layers the code is within a step of."""
    folder, written = _MODELS / "diabetes_mlp", tmp_path / "net.onnx"
    command = ["quantize", str(folder / "model.onnx"), "--dtype", "int16", "-o", str(written)]
    assert 0 == run([*command, "--calibration", str(folder / "calibration.npz"), *more])
    (opset,) = onnx.load(written).opset_import
    assert ("", 21) == (opset.domain, opset.version)
    target = with_backend(load_target("cortex-m4"), "auto")
    planned = pipeline.plan(Request(written, target))
    wide = "mplan_dense_s16_dsp" if more else "mplan_dense_s16_w16_dsp"
    assert {wide, "mplan_lookup_s16"} == _types(planned)
    evidence = verify(planned, planned.request, Wanted("net", on=("host",), samples=3))
    assert evidence.verifications[0].equal_to_reference
    assert [] == [f for f in evidence.findings if f.severity == "error"]
