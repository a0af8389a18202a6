# SPDX-License-Identifier: Apache-2.0
"""The fpu kernels on an emulated Cortex-M4F against the float32 meaning, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mcuplan import pipeline
from mcuplan.ir.types import DType
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import Subject, prove_on_core
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target

DENSE = "mplan_dense_f32_fpu"
# kernel, stride, dilation, pads, (h, w, c), output channels
CONVS = [
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (5, 3, 16), 16),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (3, 3, 7), 5),
    ((1, 1), (2, 2), (1, 1), (0, 0, 0, 0), (6, 8, 5), 3),
    ((1, 1), (1, 1), (1, 1), (1, 1, 1, 1), (3, 3, 4), 4),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (6, 5, 8), 9),
    ((3, 3), (2, 2), (1, 1), (0, 0, 1, 1), (8, 8, 3), 8),
    ((10, 4), (2, 2), (1, 1), (4, 1, 5, 1), (15, 10, 1), 12),
    ((3, 2), (1, 2), (2, 1), (2, 1, 1, 0), (7, 9, 5), 4),
    ((5, 1), (2, 1), (1, 1), (2, 0, 2, 0), (11, 1, 3), 15),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (1, 1, 16), 1),
    ((5, 7), (3, 1), (1, 1), (0, 5, 2, 4), (6, 3, 2), 20),  # windows that miss the input
]
MATRICES = [(9, 4), (64, 12), (33, 17), (7, 23)]  # inputs, outputs


def _model(folder: Path, rng: np.random.Generator) -> Path:
    """Every layer on an input of its own; values of very different sizes."""
    nodes, held, inputs, outputs = [], [], [], []

    def values(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 10 ** rng.uniform(-2, 2, shape)).astype(np.float32)

    def add(kind: str, shape: tuple[int, ...], weights: tuple[int, ...], **given: object) -> None:
        k = len(nodes)
        pair = (values(*weights), values(weights[0]))
        held.extend(numpy_helper.from_array(v, f"{n}{k}") for n, v in zip("wb", pair, strict=True))
        nodes.append(helper.make_node(kind, [f"x{k}", f"w{k}", f"b{k}"], [f"s{k}"], **given))
        nodes.append(helper.make_node("Relu" if k % 4 else "Identity", [f"s{k}"], [f"y{k}"]))
        inputs.append(helper.make_tensor_value_info(f"x{k}", TensorProto.FLOAT, shape))
        outputs.append(helper.make_tensor_value_info(f"y{k}", TensorProto.FLOAT, None))

    for kernel, strides, dilations, pads, (h, w, c), made in CONVS:
        given = {"strides": strides, "dilations": dilations, "pads": pads}
        add("Conv", (1, c, h, w), (made, c, *kernel), **given)
    for taken, made in MATRICES:
        add("Gemm", (1, taken), (made, taken), transB=1)
    graph = helper.make_graph(nodes, "layers", inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = folder / "layers.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def _planned(folder: Path, backend: str) -> Planned:
    path = _model(folder, np.random.default_rng(4))
    target = replace(load_target("cortex-m4"), backend=backend)
    return pipeline.plan(Request(path, target, dtype=DType.FLOAT32))


def test_every_layer_gives_every_bit(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any window, stride, padding and number of channels, clamped or not."""
    planned = _planned(tmp_path, "fpu")
    functions = [step.kernel.function for step in planned.plan.program.steps]
    layers = [name for name in functions if name.endswith("_fpu")]
    assert len(layers) == len(CONVS) + len(MATRICES)
    assert layers.count(DENSE) == len(MATRICES) + 2
    (proof,) = verify(planned, planned.request, Wanted("layers", on=("emulator",))).verifications
    assert proof.equal_to_reference


def test_they_are_chosen_where_there_is_a_unit(tmp_path: Path) -> None:
    """By a core with one, unless portable kernels are asked for."""
    found = {
        asked: {step.kernel.backend for step in _planned(tmp_path, asked).plan.program.steps}
        for asked in ("auto", "c99")
    }
    assert "fpu" in found["auto"]
    assert {"c99"} == found["c99"]


def test_rows_and_sums_beyond_the_end(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Rows come from wherever a plan by rows has them; sums of no finite number end at the last."""
    rng = np.random.default_rng(6)
    nodes, held, given = [], [], "x"
    for k, (taken, made, low, high) in enumerate([(3, 6, -1, 1), (6, 7, -1, 1), (7, 10, 0, 3e38)]):
        weights = rng.uniform(low, high, (made, taken, 3, 3)).astype(np.float32)
        held.append(numpy_helper.from_array(weights, f"w{k}"))
        nodes.append(helper.make_node("Conv", [given, f"w{k}"], [f"s{k}"], pads=[1] * 4))
        nodes.append(helper.make_node("Relu" if k < 2 else "Identity", [f"s{k}"], [f"y{k}"]))
        given = f"y{k}"
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, channels, 16, 6))
        for name, channels in [("x", 3), ("y2", 10)]
    ]
    graph = helper.make_graph(nodes, "rows", ports[:1], ports[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "rows.onnx")
    target = replace(load_target("cortex-m4"), backend="fpu")
    request = Request(
        tmp_path / "rows.onnx", target, dtype=DType.FLOAT32, streaming="input", io_layout="nhwc"
    )
    planned = pipeline.plan(request)
    assert not planned.plan.is_straight
    subject = Subject(pipeline.generate(planned, "rows"), planned.plan, planned.removal)
    feeds = {planned.integer.inputs[0].tensor: rng.standard_normal((2, 16, 6, 3), np.float32)}
    assert prove_on_core(subject, feeds, core_named(target.core).with_flags(target.flags)).equal
