# SPDX-License-Identifier: Apache-2.0
"""Weights with a zero point: less it they need 9 bits, and are computed exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from mcuplan.calibrate import Data
from mcuplan.exporter.onnx import to_onnx
from mcuplan.importer import load_model
from mcuplan.ir.types import DType
from mcuplan.passes import run
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.assign_types import assign_types
from mcuplan.pipeline import generate, plan
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.evidence import against_runtime
from mcuplan.prove.proofs import Subject, prove_on_host
from mcuplan.record import Request
from mcuplan.targets import load_target
from tests.importer.onnx_files import model, node, save, value

KINDS = ("conv", "depthwise", "grouped", "gemm", "gemm_plain", "matmul", "qlinear")
_WEIGHTS = {
    "conv": (5, 4, 3, 2),
    "depthwise": (8, 1, 3, 3),
    "grouped": (6, 2, 3, 3),
    "qlinear": (5, 4, 3, 2),
    "gemm": (6, 10),
    "gemm_plain": (10, 6),
    "matmul": (10, 6),
}


def _layer(kind: str, rng: np.random.Generator, dtype: type, per_channel: bool) -> onnx.ModelProto:
    """Q - DQ - layer - Q - DQ; weights over all of their type, zero points anywhere."""
    shape = _WEIGHTS[kind]
    axis = 1 if kind in ("gemm_plain", "matmul") else 0
    info, n = np.iinfo(dtype), shape[axis] if per_channel else 1
    given = {"w": shape, "wz": (n,)}
    constants = {k: rng.integers(info.min, info.max + 1, s).astype(dtype) for k, s in given.items()}
    constants["ws"] = rng.uniform(0.002, 0.01, n).astype(np.float32)
    if not per_channel:
        constants |= {name: constants[name][0] for name in ("ws", "wz")}
    constants |= {"s": np.float32(0.05), "z": np.int8(rng.integers(-128, 128))}
    constants |= {"o": np.float32(0.3), "oz": np.int8(rng.integers(-50, 50))}
    if kind == "qlinear" and dtype is np.uint8:  # the runtime has uint8 weights with uint8 only
        constants |= {"z": np.uint8(130), "oz": np.uint8(rng.integers(80, 200))}
    dense = kind in ("gemm", "gemm_plain", "matmul")
    wide = {"gemm": (1, 10), "gemm_plain": (1, 10), "matmul": (1, 3, 10)}.get(kind, (1, 4, 6, 5))
    attributes: dict[str, object] = {"transB": 1} if kind == "gemm" else {}
    if not dense:
        attributes = {"pads": [1, 0, 2, 1], "strides": [1, int(rng.integers(1, 3))]}
        attributes |= {"dilations": [int(rng.integers(1, 3)), 1]}
        attributes["group"] = {"depthwise": 4, "grouped": 2}.get(kind, 1)
    first = [node("QuantizeLinear", ["x", "s", "z"], ["xq"])]
    last = [node("DequantizeLinear", ["q", "o", "oz"], ["y"])]
    if kind == "qlinear":
        names = ["xq", "s", "z", "w", "ws", "wz", "o", "oz"]
        middle = [node("QLinearConv", names, ["q"], **attributes)]
    else:
        constants["b"] = rng.normal(size=shape[axis]).astype(np.float32)
        name = {"gemm_plain": "Gemm", "gemm": "Gemm", "matmul": "MatMul"}.get(kind, "Conv")
        inputs = ["xd", "wd"] if kind == "matmul" else ["xd", "wd", "b"]
        middle = [
            node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
            node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=axis),
            node(name, inputs, ["a"], **attributes),
            node("QuantizeLinear", ["a", "o", "oz"], ["q"]),
        ]
    if kind == "matmul":
        constants.pop("b")
    nodes = [*first, *middle, *last]
    return model(nodes, [value("x", wide)], [value("y", None)], constants)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_one_step_from_the_runtime(
    kind: str, dtype: type, per_channel: bool, tmp_path: Path
) -> None:
    """Any zero point, window and group; nearly every output equal."""
    for seed in range(4):
        rng = np.random.default_rng([seed, KINDS.index(kind), per_channel, dtype is np.int8])
        proto = _layer(kind, rng, dtype, per_channel)
        path = save(tmp_path, proto)
        shape = tuple(d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim)
        x = rng.uniform(-8, 8, (6, *shape[1:])).astype(np.float32)
        planned = plan(Request(path, load_target("cortex-m4")))
        seen = against_runtime(path, planned.removal.whole, Data({"x": x}, 6), quantized=True)
        assert not [f for f in seen.findings if f.severity == "error"]


@pytest.mark.parametrize("target", ["cortex-m0plus", "cortex-m4", "cortex-m55"])
@pytest.mark.parametrize("kind", ["conv", "depthwise", "grouped", "matmul"])
def test_generated_code_is_that_of_the_reference(kind: str, target: str, tmp_path: Path) -> None:
    """No fast kernel takes weights that it would cut; every byte is equal."""
    rng = np.random.default_rng(11)
    path = save(tmp_path, _layer(kind, rng, np.uint8, True))
    planned = plan(Request(path, load_target(target)))
    steps = [s for s in planned.plan.program.steps if s.node.op.weight_inputs]
    assert {DType.INT16} == {step.kernel.types.weights[0] for step in steps}
    assert any(s.kernel.function.endswith("_w16") for s in planned.plan.program.steps)
    shape = planned.model.graph.inputs[0].shape
    data = Data({"x": rng.uniform(-8, 8, (6, *shape[1:])).astype(np.float32)}, 6)
    feeds = boundary_inputs(planned.integer, data)
    proof = prove_on_host(Subject(generate(planned, "net"), planned.plan), feeds)
    assert proof.mismatch is None


def test_weights_that_fit_8_bits_keep_their_kernel(tmp_path: Path) -> None:
    """A zero point alone costs nothing."""
    proto = _layer("conv", np.random.default_rng(1), np.int8, False)
    (w,) = (t for t in proto.graph.initializer if t.name == "w")
    (z,) = (t for t in proto.graph.initializer if t.name == "wz")
    small = np.random.default_rng(1).integers(-60, 60, _WEIGHTS["conv"]).astype(np.int8)
    w.CopyFrom(onnx.numpy_helper.from_array(small, "w"))
    z.CopyFrom(onnx.numpy_helper.from_array(np.array(9, np.int8), "wz"))
    graph = assign_types(assign_grids(run(load_model(save(tmp_path, proto)).graph), {}).graph)
    kinds = {graph.tensor(n).type.dtype for node in graph.nodes for n in node.inputs[1:2]}
    assert kinds == {DType.INT8}


def test_what_is_exported_reads_the_same(tmp_path: Path) -> None:
    """Wide weights are written as int32 and come back as they were."""
    path = save(tmp_path, _layer("conv", np.random.default_rng(4), np.uint8, True))
    grids = assign_grids(run(load_model(path).graph), {}).graph
    exported = save(tmp_path, to_onnx(grids, qdq=True), "exported.onnx")
    again = assign_grids(run(load_model(exported).graph), {}).graph
    weights = [
        t.stored.values
        for g in (grids, again)
        for t in g.tensors.values()
        if t.stored is not None and t.stored.values.ndim == 4
    ]
    assert len(weights) == 2
    assert weights[0].dtype == np.int16
    assert (weights[0] == weights[1]).all()
