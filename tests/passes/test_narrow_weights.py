# SPDX-License-Identifier: Apache-2.0
"""Weights of 4 bits: which layers, their integers, files that bring them, and the C they become."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from nets import Net
from onnx import TensorProto, helper, numpy_helper

from mcuplan import pipeline
from mcuplan.calibrate import Data
from mcuplan.cli import run
from mcuplan.errors import UsageError
from mcuplan.exporter.onnx import to_onnx
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType
from mcuplan.passes.constants import fitting_scales
from mcuplan.prove.boundary import boundary_inputs, real_outputs
from mcuplan.prove.proofs import Subject, prove_on_host
from mcuplan.record import Planned, Request
from mcuplan.repair.rounding import _error, rounded
from mcuplan.targets import Target, load_target

LAYERS = ("first", "each", "mixed", "last")


def _saved(folder: Path) -> Path:
    """A convolution, a depthwise one, a matrix for each pixel, and one for the whole."""
    rng = np.random.default_rng(1)
    shapes = {"first": (8, 3, 3, 3), "each": (8, 1, 3, 3), "mixed": (12, 8, 1, 1), "last": (5, 12)}
    constants = [
        numpy_helper.from_array((rng.standard_t(4, s) / 5).astype(np.float32), f"{n}_w")
        for n, s in shapes.items()
    ]
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "first_w"], ["a"], "first", **pads),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Conv", ["b", "each_w"], ["c"], "each", group=8, **pads),
        helper.make_node("Conv", ["c", "mixed_w"], ["d"], "mixed"),
        helper.make_node("GlobalAveragePool", ["d"], ["e"], "pool"),
        helper.make_node("Flatten", ["e"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "last_w"], ["y"], "last", transB=1),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, 9, 8]), ("y", [1, 5]))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    path = folder / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def _data(folder: Path, count: int = 24) -> Path:
    samples = np.random.default_rng(2).normal(size=(count, 3, 9, 8)).astype(np.float32)
    np.savez(folder / "data.npz", x=samples)
    return folder / "data.npz"


_FAST = replace(load_target("cortex-m4"), backend="auto")


def _planned(
    folder: Path, asked: dict[str, DType], target: Target, effort: str = "fast"
) -> Planned:
    return pipeline.plan(
        Request(
            _saved(folder),
            target,
            calibration=_data(folder),
            weight_dtypes=asked,
            quantize_effort=effort,
        )
    )


def _dtypes(planned: Planned) -> dict[str, DType]:
    steps = (s for s in planned.plan.program.steps if s.node.op.weight_inputs)
    return {s.node.origin: s.signature.inputs[s.node.op.weight_inputs[0]].dtype for s in steps}


@pytest.mark.parametrize("effort", ["fast", "best"])
def test_c_is_the_reference(effort: str, tmp_path: Path) -> None:
    """Every byte of each layer, by the portable kernel."""
    planned = _planned(tmp_path, {"": DType.INT4}, load_target("cortex-m4"), effort)
    assert dict.fromkeys(LAYERS, DType.INT4) == _dtypes(planned)
    assert None is _mismatch(planned, np.load(tmp_path / "data.npz")["x"])


def test_on_a_core(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """The fast kernels of a core give the bytes of the reference, too."""
    data = str(_data(tmp_path, 3))
    command = ["verify", str(_saved(tmp_path)), "-t", "cortex-m4", "--calibration", data]
    command += ["--inputs", data, "--on", "emulator", "--weight-dtype", "int4", "--min-sqnr", "0"]
    assert 0 == run([*command, "--no-save", "-q"])
    kernels = {
        s.kernel.function for s in _planned(tmp_path, {"": DType.INT4}, _FAST).plan.program.steps
    }
    assert {"mplan_depthwise3x3_w4_dsp", "mplan_conv2d_w4_dsp"} <= kernels


def _mismatch(planned: Planned, samples: np.ndarray) -> object:
    feeds = boundary_inputs(planned.integer, Data({"x": samples}, len(samples)))
    return prove_on_host(Subject(pipeline.generate(planned, "net"), planned.plan), feeds).mismatch


def test_one_layer_or_all_but_one(tmp_path: Path) -> None:
    """The empty name is that of all others."""
    int4, int8 = DType.INT4, DType.INT8
    only = _planned(tmp_path, {"mixed": int4}, _FAST)
    assert {name: int4 if name == "mixed" else int8 for name in LAYERS} == _dtypes(only)
    others = _planned(tmp_path, {"": int4, "last": int8}, _FAST)
    assert {name: int8 if name == "last" else int4 for name in LAYERS} == _dtypes(others)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What has no weights, names that nobody has, and types that there are not are wrong usage."""
    command = ["check", str(_saved(tmp_path)), "-t", "cortex-m4", "--calibration", "random"]
    assert 0 == run([*command, "--weight-dtype", "int4", "--weight-dtype", "last=int8"])
    for wrong, status in (("nobody=int4", 2), ("pool=int4", 3), ("last=int3", 2), ("=int4", 2)):
        assert status == run([*command, "--weight-dtype", wrong]), wrong
    twice = ["--weight-dtype", "last=int8", "--weight-dtype", "last=int4"]
    assert 2 == run([*command, *twice])
    assert 2 == run([*command, "--weight-dtype", "int4", "--dtype", "float32"])
    capsys.readouterr()
    real = ["--layer-dtype", "last=float32", "--weight-dtype", "last=int4"]
    assert run([*command, *real]) in (2, 3)
    assert "int4" in (said := capsys.readouterr().err)
    assert "Traceback" not in said


@pytest.mark.parametrize("options", [["--dtype", "int16"], ["--layer-dtype", "last=int16"]])
def test_with_activations_of_16_bits(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], host_gcc: str
) -> None:
    """Two weights to a byte, widened to those of 8 bits: every byte on this computer."""
    command = ["verify", str(_saved(tmp_path)), "-t", "cortex-m4", "--calibration", "random"]
    command += ["--weight-dtype", "int4", "--on", "host", "--no-save", "-f", "json", *options]
    assert 0 == run([*command, "--exit-zero"])
    report = json.loads(capsys.readouterr().out)
    (proof,) = report["verification"]
    assert proof["equal_to_reference"]
    wide = [layer for layer in report["layers"] if "s16" in layer["kernel"]]
    assert any(layer.get("copied_bytes") for layer in wide)


def test_the_exported_file_has_them(tmp_path: Path) -> None:
    """Standard INT4 of opset 21: ONNX Runtime computes the same, and it reads as it was."""
    planned = _planned(tmp_path, {"": DType.INT4}, _FAST)
    proto = to_onnx(planned.grids.graph, qdq=True, standard=True)
    onnx.checker.check_model(proto)
    narrow = [t for t in proto.graph.initializer if t.data_type == TensorProto.INT4]
    assert len(LAYERS) * 2 == len(narrow)  # and their zero points
    assert 21 == proto.opset_import[0].version
    path = tmp_path / "narrow.onnx"
    onnx.save(proto, path)
    again = pipeline.plan(Request(path, _FAST))
    before, now = (
        [s.signature for s in each.plan.program.steps if s.node.op.weight_inputs]
        for each in (planned, again)
    )
    for one, other in zip(before, now, strict=True):
        assert DType.INT4 is other.inputs[1].dtype
        np.testing.assert_array_equal(one.constant(1), other.constant(1))
        assert one.inputs[1].q.scale == other.inputs[1].q.scale
    samples = np.load(tmp_path / "data.npz")["x"][:4]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    graph, (port,) = again.integer, again.integer.outputs
    step = graph.tensor(port.tensor).type.q.s
    for x in samples[:, None]:
        (theirs,) = session.run(None, {"x": x})
        made = evaluate(graph, boundary_inputs(graph, Data({"x": x}, 1)))
        assert np.abs(theirs - real_outputs(graph, port, made[port.tensor])).max() <= 2.01 * step


@pytest.mark.parametrize("least", [-7, -8])
def test_unsigned_ones_around_8_are_the_same(least: int, tmp_path: Path) -> None:
    """UINT4 with a zero point of 8; integers of -8, too."""
    rng = np.random.default_rng(5)
    values = rng.integers(least, 8, (6, 16))
    values[0] = least
    weights = helper.make_tensor("w", TensorProto.UINT4, [6, 16], (values + 8).reshape(-1))
    zero = helper.make_tensor("z", TensorProto.UINT4, [6], [8] * 6)
    scale = numpy_helper.from_array(rng.uniform(0.01, 0.1, 6).astype(np.float32), "s")
    grid = [
        numpy_helper.from_array(np.float32(0.02), "t"),
        numpy_helper.from_array(np.int8(3), "u"),
        numpy_helper.from_array(np.float32(0.1), "v"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "t", "u"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "t", "u"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"], axis=0),
        helper.make_node("Gemm", ["d", "wd"], ["g"], transB=1),
        helper.make_node("QuantizeLinear", ["g", "v", "u"], ["h"]),
        helper.make_node("DequantizeLinear", ["h", "v", "u"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 16]), ("y", [1, 6]))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weights, zero, scale, *grid])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(made, tmp_path / "net.onnx")
    planned = pipeline.plan(Request(tmp_path / "net.onnx", _FAST))
    (step,) = planned.plan.program.steps
    assert DType.INT4 is step.signature.inputs[1].dtype
    np.testing.assert_array_equal(values, step.signature.constant(1))
    assert step.kernel.function == "mplan_dense_w4_dsp"
    portable = pipeline.plan(Request(tmp_path / "net.onnx", load_target("cortex-m4")))
    assert None is _mismatch(portable, rng.normal(size=(8, 16)).astype(np.float32))


@pytest.mark.parametrize("seed", range(5))
def test_scales_err_less_than_those_that_cut_nothing(seed: int) -> None:
    """Of each channel, whatever its outliers; fitted to what is multiplied, less again."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_t(3, (9, 40))
    samples = rng.normal(size=(300, 40)) @ rng.normal(size=(40, 40))
    hessian = np.cov(samples, rowvar=False)
    widest = np.abs(weights).max(axis=1) / DType.INT4.high

    def off(scales: np.ndarray) -> np.ndarray:
        steps = scales[:, None]
        return np.clip(np.rint(weights / steps), -7, 7) * steps - weights

    scales = fitting_scales(weights, widest, DType.INT4)
    assert ((off(scales) ** 2).sum(axis=1) <= (off(widest) ** 2).sum(axis=1)).all()
    made, fitted = rounded(weights, scales, hessian, DType.INT4)
    assert DType.INT4.high >= np.abs(made).max()
    errors = _error(made * fitted[:, None] - weights, hessian)
    assert errors.sum() < 0.7 * _error(off(scales), hessian).sum()


def _quantized(folder: Path) -> Path:
    """A model with one layer of stored integers, and one whose weights are real."""
    net = Net((1, 4, 6, 6))
    codes = net.const(net.rng.integers(-127, 128, (6, 4, 3, 3)), np.int8)
    weights = net.add("DequantizeLinear", codes, net.const(0.01), net.const(0, np.int8))
    y = net.quantize(net.add("Conv", net.quantize("x", 0.03), weights), 0.1)
    y = net.quantize(net.conv(y, 6, 5, 1, 0), 0.3)
    (folder / "codes.onnx").write_bytes(net.model(y).SerializeToString())
    return folder / "codes.onnx"


def test_integers_of_a_quantized_model_stay(tmp_path: Path) -> None:
    """What is left to round is rounded as asked; a layer with its own is refused by its name."""
    asked = Request(_quantized(tmp_path), _FAST, close_gaps=True)
    mixed = _dtypes(pipeline.plan(replace(asked, weight_dtypes={"": DType.INT4})))
    assert [DType.INT8, DType.INT4] == list(mixed.values())
    first, _ = mixed
    with pytest.raises(UsageError, match="stay the integers") as raised:
        pipeline.plan(replace(asked, weight_dtypes={first: DType.INT4}))
    assert first == raised.value.where
    with pytest.raises(UsageError, match="stay the integers"):
        pipeline.plan(replace(asked, close_gaps=False, weight_dtypes={"": DType.INT4}))
