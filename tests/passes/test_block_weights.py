# SPDX-License-Identifier: Apache-2.0
"""Weights of 4 bits on scales of blocks: integers, files that have them, and the C they become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from mcuplan import pipeline
from mcuplan.cli import run
from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.exporter.onnx import to_onnx
from mcuplan.importer.onnx import load_model
from mcuplan.ir.block_factors import MOST, block_factors, factors_of_all, short
from mcuplan.ir.graph import Stored
from mcuplan.ir.types import DType, Quant
from mcuplan.passes._block_scales import as_blocks
from mcuplan.record import Request
from mcuplan.targets import load_target

_SHAPES = {"first": (16, 3, 3, 3), "mixed": (24, 16, 1, 1), "wide": (20, 24, 3, 3), "last": (6, 20)}
_BLOCK = 16


def _saved(folder: Path) -> Path:
    """Convolutions of few inputs, of one whole block, and of a block and a half; a matrix."""
    rng = np.random.default_rng(1)
    constants = [
        numpy_helper.from_array((rng.standard_t(4, s) / 9).astype(np.float32), f"{n}_w")
        for n, s in _SHAPES.items()
    ]
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "first_w"], ["a"], "first", **pads),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Conv", ["b", "mixed_w"], ["c"], "mixed"),
        helper.make_node("Conv", ["c", "wide_w"], ["d"], "wide", strides=[2, 2], **pads),
        helper.make_node("GlobalAveragePool", ["d"], ["e"], "pool"),
        helper.make_node("Flatten", ["e"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "last_w"], ["y"], "last", transB=1),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, 7, 6]), ("y", [1, 6]))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    path = folder / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    samples = np.random.default_rng(2).normal(size=(12, 3, 7, 6)).astype(np.float32)
    np.savez(folder / "data.npz", x=samples)
    return path


def _report(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    data = str(path.parent / "data.npz")
    command = ["verify", str(path), "--calibration", data, "--inputs", data, "--samples", "3"]
    command += ["--weight-dtype", "int4", "--weight-block", str(_BLOCK), "--no-save", "-f", "json"]
    run([*command, "--exit-zero", *options])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "cortex-m4", "--on", "emulator"),
        ("-t", "cortex-m55", "--on", "emulator"),
        ("-t", "cortex-m0plus", "--on", "host"),
    ],
)
def test_c_is_the_reference(
    options: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arm_gcc: str,
    qemu: str,
) -> None:
    """Every byte, by kernels of 8 bits that read products in RAM, and by those for blocks."""
    report = _report(_saved(tmp_path), capsys, *options)
    (proof,) = report["verification"]
    assert proof["equal_to_reference"]
    types = {each["dtype"]: each["bytes"] for each in report["flash"]["weights_by_type"]}
    assert {"int4", "int4_blocks"} == set(types)
    assert sum(types.values()) == report["flash"]["weights_bytes"]
    layers = {layer["name"]: layer for layer in report["layers"] if layer["weights_bytes"]}
    assert "host" in options or layers["wide"]["copied_bytes"] >= np.prod(_SHAPES["wide"])
    assert layers["wide"]["weights_bytes"] < 0.75 * np.prod(_SHAPES["wide"])
    assert "w4" in layers["last"]["kernel"]
    assert "emulator" not in options or proof["elf"]["agrees"]


def test_a_file_has_them(tmp_path: Path) -> None:
    """DequantizeLinear of opset 21 by blocks: integers, scales and biases are read as they were."""
    request = Request(
        _saved(tmp_path),
        load_target("cortex-m4"),
        calibration=tmp_path / "data.npz",
        weight_dtypes={"": DType.INT4},
        weight_block=_BLOCK,
    )
    planned = pipeline.plan(request)
    proto = to_onnx(planned.grids.graph, qdq=True, standard=True)
    onnx.checker.check_model(proto, full_check=True)
    blocks = [n for n in proto.graph.node if any(a.name == "block_size" for a in n.attribute)]
    assert 2 == len(blocks)  # not of three inputs, nor where one block is all of an output
    onnx.save(proto, tmp_path / "blocks.onnx")
    again = pipeline.plan(Request(tmp_path / "blocks.onnx", load_target("cortex-m4")))
    before, now = (
        [s.signature for s in each.plan.program.steps if s.node.op.weight_inputs]
        for each in (planned, again)
    )
    for one, other in zip(before, now, strict=True):
        assert one.inputs[1] == other.inputs[1]
        np.testing.assert_array_equal(one.constant(1), other.constant(1))
        np.testing.assert_array_equal(one.constant(2), other.constant(2))


def _blocked(folder: Path, scale: np.ndarray, zero: int | None, block: int) -> Path:
    """A matrix of unsigned integers of 4 bits in blocks of 8 along its rows."""
    values = np.random.default_rng(3).integers(1, 16, (20, 4))
    constants = [
        helper.make_tensor("w", TensorProto.UINT4, [20, 4], values.reshape(-1)),
        numpy_helper.from_array(scale.astype(np.float32), "s"),
    ]
    if zero is not None:
        points = [zero] * scale.size
        constants.append(helper.make_tensor("z", TensorProto.UINT4, scale.shape, points))
    inputs = ["w", "s"] + ["z"] * (zero is not None)
    nodes = [
        helper.make_node("DequantizeLinear", inputs, ["d"], axis=0, block_size=block),
        helper.make_node("MatMul", ["x", "d"], ["y"], "matrix"),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 20]), ("y", [1, 4]))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(made, folder / "blocked.onnx")
    return folder / "blocked.onnx"


def test_scales_that_are_multiples_of_one(tmp_path: Path) -> None:
    """Integers stay where factors of 1 to 15 give all scales of an output; else values are real."""
    scale = short(np.array([0.01, 0.3, 0.007, 0.02])) * np.array([[3], [15], [2]])
    graph = load_model(_blocked(tmp_path, scale, 8, 8)).graph
    (node,) = (n for n in graph.nodes if n.op.weight_inputs)
    weights = graph.tensor(node.inputs[1])
    assert weights.stored is not None
    assert weights.stored.quant.dtype is DType.INT4_BLOCKS
    real = weights.stored.quant.dequantize(weights.stored.values)
    np.testing.assert_array_equal(real.astype(np.float32), weights.data)
    for other, zero in ((scale * [[1.0], [1.1], [1.3]], 8), (scale, None)):
        graph = load_model(_blocked(tmp_path, other, zero, 8)).graph
        (node,) = (n for n in graph.nodes if n.op.weight_inputs)
        assert graph.tensor(node.inputs[1]).stored is None


@pytest.mark.parametrize("block", [-8, 0, 10, 1 << 60])
def test_blocks_that_do_not_fit(block: int, tmp_path: Path) -> None:
    """A size of blocks that the scales are not for is damage, not memory."""
    with pytest.raises((DamagedModel, UnsupportedOp)):
        load_model(_blocked(tmp_path, np.full((3, 4), 0.1), 8, block))


@pytest.mark.parametrize(("block", "size"), [(1, 20), (2, 20), (3, 20), (7, 20), (3, 3)])
def test_blocks_that_no_kernel_reads(block: int, size: int) -> None:
    """Few or odd ones become the same integers of 8 bits."""
    rng = np.random.default_rng(block)
    each = np.repeat(rng.integers(2, MOST + 1, (4, -(-size // block))), block, axis=1)[:, :size]
    values = (rng.choice([-7, 7, 1], (4, size)) * each).astype(np.int8)
    quant = Quant((0.5,) * 4, (0,) * 4, 0, DType.INT4_BLOCKS, factored=block)
    made = as_blocks(Stored(values, quant))
    assert made.quant.dtype in (DType.INT8, DType.INT4)
    assert made.quant.factored is None
    real = made.values * np.array(made.quant.scale)[:, None]
    np.testing.assert_array_equal(real, values * 0.5)


def test_an_odd_block_of_all_inputs() -> None:
    """It stays one: nothing is behind it."""
    values = np.array([[15, -30, 45, 15, 15]] * 2 + [[14, 7, 49, 7, 7]] * 2, np.int8)
    quant = Quant((0.5,), (0,), None, DType.INT4_BLOCKS, factored=5)
    made = as_blocks(Stored(values, quant))
    assert made.quant.dtype is DType.INT4_BLOCKS
    np.testing.assert_array_equal(made.values * made.quant.scale[0], values * 0.5)


@pytest.mark.parametrize(("dead", "left"), [(range(16, 24), 16), (range(3, 4), 24)])
def test_dead_channels_of_blocks(dead: range, left: int, tmp_path: Path) -> None:
    """They go where blocks keep their factors, and stay where blocks would be of several."""
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=shape) for shape in ((24, 3, 1, 1), (6, 24, 1, 1))]
    weights[0][list(dead)] = 0.0
    weights[1] *= np.repeat([1.0, 0.4, 0.13], 8)[:, None, None]
    constants = [
        numpy_helper.from_array(values.astype(np.float32), name)
        for values, name in zip(weights, "vw", strict=True)
    ]
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["a"], "first"),
        helper.make_node("Conv", ["a", "w"], ["y"], "last"),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 2, 2])
        for name, channels in (("x", 3), ("y", 6))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    path = tmp_path / "dead.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    np.savez(tmp_path / "data.npz", x=rng.normal(size=(12, 3, 2, 2)).astype(np.float32))
    planned = pipeline.plan(
        Request(
            path,
            load_target("cortex-m4"),
            calibration=tmp_path / "data.npz",
            weight_dtypes={"": DType.INT4},
            weight_block=8,
        )
    )
    steps = (s.signature for s in planned.plan.program.steps if s.node.op.weight_inputs)
    *_, last = steps
    assert left == last.inputs[0].channels
    assert DType.INT4_BLOCKS is last.inputs[1].dtype
    assert 8 == last.inputs[1].q.factored
    assert block_factors(last.constant(1), 8) is not None


@given(st.integers(0, 1 << 32), st.integers(1, 20), st.integers(1, 40))
def test_factors_are_the_least(seed: int, block: int, size: int) -> None:
    """What was multiplied by a factor has one, no larger, that leaves integers of 4 bits."""
    rng = np.random.default_rng(seed)
    wanted = rng.integers(1, MOST + 1, (3, -(-size // block)))
    each = np.repeat(wanted, block, axis=1)[:, :size]
    values = (rng.integers(-8, 8, (3, size)) * each).astype(np.int8)
    found, every = block_factors(values, block), factors_of_all(values, block)
    assert found is not None
    assert every is not None
    assert (found <= wanted).all()
    assert DType.INT4.holds(values // every.astype(np.int8))
    assert not (values % every.astype(np.int8)).any()
    assert None is block_factors(np.array([[1, 120]], np.int8), 2)


def test_options_that_do_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A block of no weights of 4 bits, and sizes that none has."""
    command = ["check", str(_saved(tmp_path)), "-t", "cortex-m4", "--calibration", "random"]
    assert 2 == run([*command, "--weight-block", "32"])
    for wrong in ("0", "12", "-8", "8192", "all"):
        assert 2 == run([*command, "--weight-dtype", "int4", "--weight-block", wrong])
    assert "Traceback" not in capsys.readouterr().err
