# SPDX-License-Identifier: Apache-2.0
"""Integers of 4 bits, of 16, and in blocks, where a model has them: as ONNX Runtime computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_files import TensorProto, model, node, onnx, run_onnx, save, value

from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import Array

_F32 = np.float32
_DATA = np.random.default_rng(4)


def _same(path: Path, x: Array) -> None:
    graph = load_model(path).graph
    (expected,) = run_onnx(path, {"x": x})
    found = evaluate(graph, {graph.inputs[0].tensor: x})[graph.outputs[0].tensor]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("given", ["an initializer", "a node", "an attribute"])
@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4])
def test_rounded_to_four_bits(kind: int, given: str, tmp_path: Path) -> None:
    """Activations and weights end where 4 bits do, whatever says that there are 4."""
    zero = onnx.helper.make_tensor("z", kind, [], [1 if kind == TensorProto.INT4 else 9])
    constants: dict[str, Any] = {"s": _F32(0.2), "w": 3 * _DATA.normal(size=(5, 3)).astype(_F32)}
    nodes, point, said = [], ["z"], {}
    if given == "an initializer":
        constants["z"] = zero
    elif given == "a node":
        nodes.append(node("Constant", [], ["z"], value=zero))
    else:
        point, said = [], {"output_dtype": kind}
    for name in "xw":
        nodes += [
            node("QuantizeLinear", [name, "s", *point], [f"{name}q"], **said),
            node("DequantizeLinear", [f"{name}q", "s", *point], [f"{name}r"]),
        ]
    nodes.append(node("Gemm", ["xr", "wr"], ["y"], transB=1))
    proto = model(nodes, [value("x", [1, 3])], [value("y", None)], constants, opset=21)
    x = 3 * _DATA.normal(size=(1, 3)).astype(_F32)
    _same(save(tmp_path, proto), x)


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_rounded_in_blocks(axis: int, tmp_path: Path) -> None:
    """Float weights behind Q and DQ by blocks are what ONNX Runtime makes of them."""
    counts = (2, 8) if axis == 0 else (5, 3)
    constants = {
        "w": _DATA.normal(size=(5, 8)).astype(_F32),
        "s": _DATA.uniform(0.1, 0.3, counts).astype(_F32),
        "z": onnx.helper.make_tensor("z", TensorProto.UINT4, counts, np.full(counts, 7)),
    }
    more = {"axis": axis, "block_size": 3}
    nodes = [
        node("QuantizeLinear", ["w", "s", "z"], ["wq"], **more),
        node("DequantizeLinear", ["wq", "s", "z"], ["wr"], **more),
        node("Gemm", ["x", "wr"], ["y"], transB=1),
    ]
    proto = model(nodes, [value("x", [1, 8])], [value("y", None)], constants, opset=21)
    _same(save(tmp_path, proto), _DATA.normal(size=(1, 8)).astype(_F32))


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_16_bits_without_zero_points(dtype: Any, tmp_path: Path) -> None:
    """The type that an attribute names is that of the default zero point."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes = [
        node("QuantizeLinear", ["x", "s"], ["q"], output_dtype=kind),
        node("DequantizeLinear", ["q", "s"], ["y"]),
    ]
    proto = model(nodes, [value("x", [1, 50])], [value("y", None)], {"s": _F32(1e-4)}, opset=21)
    _same(save(tmp_path, proto), _DATA.normal(size=(1, 50)).astype(_F32))


@pytest.mark.parametrize("end", ["0", "1", "low", "high", "s:axis"])
def test_names_of_a_model_stay_its_own(end: str, tmp_path: Path) -> None:
    """What a quantization by axis becomes takes no name that a tensor beside it has."""
    grid = ["s", "z"]
    nodes = [
        node("Relu", ["x"], [f"q:{end}"]),
        node("QuantizeLinear", ["x", *grid], ["q"], axis=1),
        node("DequantizeLinear", ["q", *grid], ["d"], axis=1),
        node("Add", ["d", f"q:{end}"], ["y"]),
    ]
    constants = {"s": _F32([0.1, 0.2, 0.3, 0.4]), "z": np.zeros(4, np.int8)}
    proto = model(nodes, [value("x", [1, 4])], [value("y", None)], constants, opset=21)
    _same(save(tmp_path, proto), np.array([[1.03, -2.0, 0.77, 5.1]], _F32))
