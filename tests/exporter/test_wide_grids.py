# SPDX-License-Identifier: Apache-2.0
"""Cells keep values of 16 bits that the file they are written to has no grids for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from nets import Net

from mcuplan import pipeline
from mcuplan.calibrate import read_data
from mcuplan.cli import run
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import Array, DType
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.record import Request
from mcuplan.targets import load_target

_MODEL = Path(__file__).resolve().parents[2] / "models" / "digits_gru"


def _cells(direction: str) -> onnx.ModelProto:
    """An LSTM, all outputs of which a GRU reads, the last of which a matrix reads."""
    net, many = Net((5, 1, 6)), 2 if direction == "bidirectional" else 1
    weights = [net.random(many, 32, 6), net.random(many, 32, 8), net.random(many, 64)]
    y = net.add("LSTM", "x", *weights, hidden_size=8, direction=direction)
    y = net.add("Transpose", y, perm=[0, 2, 1, 3])
    y = net.add("Reshape", y, net.const([5, 1, 8 * many], np.int64))
    weights = [net.random(1, 21, 8 * many), net.random(1, 21, 7), net.random(1, 42)]
    net.add("GRU", y, *weights, hidden_size=7, outputs=2, linear_before_reset=1)
    y = net.add("Reshape", net.nodes[-1].output[1], net.const([1, 7], np.int64))
    return net.model(net.add("Gemm", y, net.random(7, 4)))


def _program(model: Path, data: Path, **more: object) -> list[Array]:
    """What the integers of a model give, layer by layer."""
    target = load_target("cortex-m4")
    graph = pipeline.plan(Request(model, target, **more)).lowered  # type: ignore[arg-type]
    samples = read_data(data, graph.app_inputs)
    made = [name for node in graph.nodes for name in node.outputs]
    values = evaluate(graph, boundary_inputs(graph, samples), made)
    return [values[name] for name in made]


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_cells_come_back_as_the_same_program(direction: str, tmp_path: Path) -> None:
    """Matrices, first states and outputs: each integer of each layer, in plain ONNX."""
    files = [tmp_path / name for name in ("net.onnx", "data.npz", "made.onnx")]
    model, data, made = files
    model.write_bytes(_cells(direction).SerializeToString())
    rng = np.random.Generator(np.random.PCG64(5))
    np.savez(data, x=rng.standard_normal((30, 5, 1, 6)).astype(np.float32))
    assert 0 == run(["quantize", str(model), "--calibration", str(data), "-o", str(made)])
    assert {""} == {node.domain for node in onnx.load(str(made)).graph.node}
    before, after = _program(model, data, calibration=data), _program(made, data)
    assert len(before) >= 5
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_runtime_loads_recurrent_cells(tmp_path: Path) -> None:
    """What is written is read by any runtime, and verified as it is."""
    data, written = _MODEL / "calibration.npz", tmp_path / "out.onnx"
    arguments = [str(_MODEL / "model.onnx"), "--calibration", str(data), "-o", str(written)]
    assert run(["quantize", *arguments]) == 0
    onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    assert {""} == {node.domain for node in onnx.load(str(written)).graph.node}


def test_tables_and_sums_come_back_in_eight_bits(tmp_path: Path) -> None:
    """What is rounded behind rows that indices choose are the values of the table."""
    net = Net((1, 4))
    rows = net.add("Gather", net.random(20, 6), "x")
    made = net.add("Relu", net.add("MatMul", rows, net.random(6, 3)))
    made = net.add("ReduceSum", made, net.const([2], np.int64), keepdims=0)
    model = net.model(made)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    files = [tmp_path / name for name in ("net.onnx", "data.npz", "made.onnx")]
    files[0].write_bytes(model.SerializeToString())
    np.savez(files[1], x=np.arange(20).reshape(5, 4))
    given, data, written = files
    assert 0 == run(["quantize", str(given), "--calibration", str(data), "-o", str(written)])
    before, after = _program(given, data, calibration=data), _program(written, data)
    assert {np.dtype(np.int8)} == {each.dtype for each in after}
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def _images(net: Net) -> str:
    """A convolution between orders of axes."""
    x = net.add("Transpose", net.add("Reshape", "x", net.const([1, 6, 6, 3], np.int64)), perm=_CHW)
    y = net.add("Conv", x, net.random(8, 3, 3, 3), pads=[1, 1, 1, 1])
    y = net.add("Transpose", net.add("Relu", y), perm=[0, 2, 3, 1])
    y = net.add("Reshape", y, net.const([1, 288], np.int64))
    return net.add("Gemm", y, net.random(288, 4))


def _series(net: Net) -> str:
    """Matrices of each step, whose biases ONNX Runtime takes into a Gemm; a cell."""
    x = net.add("Reshape", "x", net.const([1, 9, 12], np.int64))
    x = net.add("Relu", net.add("Add", net.add("MatMul", x, net.random(12, 8)), net.random(8)))
    x = net.add("Add", net.add("MatMul", x, net.random(8, 6)), net.random(6))
    x = net.add("Transpose", x, perm=[1, 0, 2])
    x = net.add("GRU", x, net.random(1, 12, 6), net.random(1, 12, 4), hidden_size=4)
    x = net.add("Gather", x, net.const(-1, np.int64))
    return net.add("Gemm", net.add("Reshape", x, net.const([1, 4], np.int64)), net.random(4, 3))


_CHW = [0, 3, 1, 2]


@pytest.mark.parametrize("network", [_images, _series])
def test_a_runtime_loads_weights_of_four_bits(
    network: Callable[[Net], str], tmp_path: Path
) -> None:
    """With all its rewriting, though moved values lie between grids; read back as it was."""
    net = Net((1, 108), seed=3)
    model = net.model(network(net))
    files = [tmp_path / name for name in ("net.onnx", "data.npz", "made.onnx")]
    files[0].write_bytes(model.SerializeToString())
    rng = np.random.Generator(np.random.PCG64(5))
    np.savez(files[1], x=rng.standard_normal((30, 108)).astype(np.float32))
    given, data, written = files
    asked = ["quantize", str(given), "--calibration", str(data), "--weight-dtype", "int4"]
    assert 0 == run([*asked, "-o", str(written)])
    onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    narrow = {"weight_dtypes": {"": DType.INT4}}
    before, after = _program(given, data, calibration=data, **narrow), _program(written, data)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def _quantized(net: Net, output: str, folder: Path, *asked: str) -> tuple[Path, Path, Path]:
    given, data, written = (folder / name for name in ("net.onnx", "data.npz", "made.onnx"))
    given.write_bytes(net.model(output).SerializeToString())
    np.savez(data, x=net.samples(30))
    calibration = ["--calibration", str(data)]
    assert 0 == run(["quantize", str(given), *calibration, *asked, "-o", str(written)])
    return given, data, written


def test_choices_come_back_as_tables(tmp_path: Path) -> None:
    """A condition that the file has as a number, and casts to a truth value."""
    net = Net((1, 12), seed=3)
    y = net.add("Gemm", "x", net.random(12, 8))
    choice = net.add("Where", net.add("Greater", y, net.const(0.3)), y, net.add("Softplus", y))
    given, data, written = _quantized(net, net.add("Gemm", choice, net.random(8, 3)), tmp_path)
    before, after = _program(given, data, calibration=data), _program(written, data)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    planned = pipeline.plan(Request(written, load_target("cortex-m4")))
    assert ["Dense", "Where", "Dense"] == [node.op.label for node in planned.integer.nodes]


def _chain(net: Net, rounded: Callable[[str], str]) -> str:
    """One behind another, the last outputs of which a matrix reads."""
    x = net.add("Reshape", rounded("x"), net.const([10, 1, 6], np.int64))
    for inputs in (6, 4):
        x = net.add("GRU", x, net.random(1, 12, inputs), net.random(1, 12, 4), hidden_size=4)
        x = net.add("Reshape", rounded(x), net.const([10, 1, 4], np.int64))
    x = net.add("Gather", x, net.const(-1, np.int64))
    x = net.add("Reshape", x, net.const([1, 4], np.int64))
    return rounded(net.add("Gemm", x, net.random(4, 3)))


def _kernels(path: Path) -> set[str]:
    planned = pipeline.plan(Request(path, load_target("cortex-m4")))
    return {step.kernel.function for step in planned.plan.program.steps}


def test_cells_between_grids_of_16_bits_are_islands(tmp_path: Path) -> None:
    """None is there for what the file has in 16 bits."""
    net = Net((1, 60), seed=3)
    grid = net.const(2.0**-13), net.const(0, np.int16)

    def rounded(x: str) -> str:
        whole = net.add("QuantizeLinear", x, *grid)
        return net.add("DequantizeLinear", whole, *grid)

    model = net.model(_chain(net, rounded))
    model.opset_import[0].version, model.ir_version = 21, 10
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    assert {"mplan_recurrent_f32", "mplan_dequantize_wide_f32"} <= _kernels(path)


def test_cells_of_a_model_of_16_bits_have_8(tmp_path: Path) -> None:
    """They and their weights; the file that is written says so, and has them in integers."""
    net = Net((1, 60), seed=3)
    asked = ["--dtype", "int16"]
    given, data, written = _quantized(net, _chain(net, lambda x: x), tmp_path, *asked)
    before = _program(given, data, calibration=data, dtype=DType.INT16)
    assert all(np.array_equal(a, b) for a, b in zip(before, _program(written, data), strict=True))
    kernels = _kernels(written)
    assert "mplan_recurrent_s8" in kernels
    assert not any(name.endswith("_f32") for name in kernels)
