# SPDX-License-Identifier: Apache-2.0
"""Operators of ONNX Runtime with weights in a form of their own: what it computes with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_files import TensorProto, model, node, onnx, run_onnx, save, value

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.facts import DynamicAsReal, FreeBlocks
from mcuplan.importer.onnx import ImportedModel, load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import Array, DType

_F32 = np.float32
_DATA = np.random.default_rng(6)
MS = "com.microsoft"


def _model(nodes: Sequence[Any], x: Any, constants: dict[str, Any], opset: int = 21) -> Any:
    extra = [onnx.helper.make_opsetid(MS, 1)]
    return model(nodes, [x], [value("y", None)], constants, opset, extra)


def _same(path: Path, x: Array, error: float = 1e-5) -> ImportedModel:
    imported = load_model(path)
    graph = imported.graph
    (expected,) = run_onnx(path, {"x": x})
    source = graph.inputs[0].tensor
    fed = x.reshape(graph.tensor(source).type.shape)
    found = evaluate(graph, {source: fed})[graph.outputs[0].tensor].reshape(expected.shape)
    assert np.abs(found - expected).max() <= error * np.abs(expected).max()
    return imported


def _bytes(*shape: int) -> Array:
    return _DATA.integers(0, 256, shape).astype(np.uint8)


def _product(bits: int, points: str, inputs: int = 40, **more: int) -> Any:
    """MatMulNBits of 40 inputs, or so many, in blocks of 16."""
    blocks = -(-inputs // 16)
    constants: dict[str, Any] = {
        "w": _bytes(5, blocks, 2 * bits),
        "s": _DATA.uniform(-0.2, 0.2, (5, blocks)).astype(_F32),
        "b": _DATA.normal(size=5).astype(_F32),
    }
    if points == "packed":
        constants["z"] = _bytes(5, -(-blocks * bits // 8))
    elif points == "real":
        constants["z"] = _DATA.uniform(0, 15, (5, blocks)).astype(_F32)
    inputs_of = ["x", "w", "s", "z" if points else "", "", "b"]
    sizes = {"K": inputs, "N": 5, "bits": bits, "block_size": 16} | more
    step = node("MatMulNBits", inputs_of, ["y"], domain=MS, **sizes)
    return _model([step], value("x", [1, inputs]), constants)


@pytest.mark.parametrize(
    ("bits", "points"), [(2, ""), (4, ""), (4, "packed"), (4, "real"), (8, ""), (8, "packed")]
)
def test_products_of_few_bits(bits: int, points: str, tmp_path: Path) -> None:
    """Blocks that bytes end within, scales below 0, a bias; those of few bits are told."""
    path = save(tmp_path, _product(bits, points))
    imported = _same(path, _DATA.normal(size=(1, 40)).astype(_F32))
    assert (FreeBlocks(1, 16) in imported.graph.notes) == (bits < 8)


def test_blocks_on_multiples_stay_of_four_bits(tmp_path: Path) -> None:
    """Where scales of an output are multiples of one, integers on it are kept."""
    proto = _product(4, "")
    scales = 0.01 * np.sign(_DATA.uniform(-1, 1, (5, 3))) * _DATA.integers(1, 9, (5, 3))
    proto.graph.initializer[0].raw_data = _bytes(5, 3, 8).tobytes().replace(b"\x00", b"\x88")
    made = onnx.numpy_helper.from_array(scales.astype(_F32), "s")
    proto.graph.initializer[1].CopyFrom(made)
    held = np.frombuffer(proto.graph.initializer[0].raw_data, np.uint8).copy()
    held[(held & 15) == 0] |= 1  # -8 times a scale below 0 is 8
    held[(held >> 4) == 0] |= 16
    proto.graph.initializer[0].raw_data = held.tobytes()
    path = save(tmp_path, proto)
    imported = _same(path, _DATA.normal(size=(1, 40)).astype(_F32))
    (stored,) = [t.stored for t in imported.graph.tensors.values() if t.stored is not None]
    assert stored.quant.dtype is DType.INT4_BLOCKS
    assert not any(isinstance(note, FreeBlocks) for note in imported.graph.notes)


@pytest.mark.parametrize(
    ("more", "error"), [({"block_size": 0}, DamagedModel), ({"N": 6}, DamagedModel)]
)
def test_products_that_do_not_fit(more: dict[str, int], error: Any, tmp_path: Path) -> None:
    """Sizes that bytes contradict are an error at the node."""
    with pytest.raises(error) as caught:
        load_model(save(tmp_path, _product(4, "", **more)))
    assert "MatMulNBits" in caught.value.where


def test_reordered_inputs_are_refused(tmp_path: Path) -> None:
    """The order of inputs of a group (g_idx) is not known to be one of blocks."""
    proto = _product(4, "")
    proto.graph.node[0].input[4] = "g"
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(40, np.int32), "g"))
    with pytest.raises(UnsupportedOp, match="g_idx"):
        load_model(save(tmp_path, proto))


@pytest.mark.parametrize("points", [False, True])
@pytest.mark.parametrize("held", ["bytes", "halves"])
def test_rows_of_few_bits(held: str, points: bool, tmp_path: Path) -> None:
    """GatherBlockQuantized of a table in bytes or INT4; scales of blocks of 16."""
    table = _DATA.integers(0, 16, (7, 32))
    constants: dict[str, Any] = {"s": _DATA.uniform(0.1, 0.2, (7, 2)).astype(_F32)}
    if held == "bytes":
        constants["w"] = (table[:, ::2] | table[:, 1::2] << 4).astype(np.uint8)
        point: Any = _bytes(7, 1)
    else:
        constants["w"] = onnx.helper.make_tensor("w", TensorProto.UINT4, (7, 32), table)
        point = onnx.helper.make_tensor("z", TensorProto.UINT4, (7, 2), np.arange(14))
    inputs = ["w", "x", "s", "z"] if points else ["w", "x", "s"]
    constants |= {"z": point} if points else {}
    step = node("GatherBlockQuantized", inputs, ["y"], domain=MS, block_size=16, quantize_axis=1)
    proto = _model([step], value("x", [1, 4], TensorProto.INT64), constants)
    imported = _same(save(tmp_path, proto), np.array([[6, 0, 3, 3]]))
    assert FreeBlocks(1, 16) in imported.graph.notes


@pytest.mark.parametrize("per_output", [False, True])
@pytest.mark.parametrize("sides", [1, 2])
def test_a_cell_with_bytes_as_weights(sides: int, per_output: bool, tmp_path: Path) -> None:
    """DynamicQuantizeLSTM is an LSTM of real values, but for what it rounds of each sample."""
    count = (sides, 16) if per_output else (sides,)
    constants: dict[str, Any] = {"b": _DATA.normal(size=(sides, 32)).astype(_F32)}
    for name, inputs in (("w", 6), ("r", 4)):
        constants |= {
            name: _DATA.integers(-90, 90, (sides, inputs, 16)).astype(np.int8),
            f"{name}s": _DATA.uniform(0.005, 0.01, count).astype(_F32),
            f"{name}z": np.zeros(count, np.int8),
        }
    names = ["x", "w", "r", "b", "", "", "", "", "ws", "wz", "rs", "rz"]
    direction = "bidirectional" if sides == 2 else "forward"
    more = {"hidden_size": 4, "direction": direction}
    step = node("DynamicQuantizeLSTM", names, ["y"], domain=MS, **more)
    proto = _model([step], value("x", [5, 1, 6]), constants)
    x = _DATA.normal(size=(5, 1, 6)).astype(_F32)
    imported = _same(save(tmp_path, proto), x, error=0.02)
    assert DynamicAsReal(1) in imported.graph.notes


@pytest.mark.parametrize("zero", [False, True])
def test_a_product_with_bytes_as_weights(zero: bool, tmp_path: Path) -> None:
    """DynamicQuantizeMatMul, but for what it rounds of each sample."""
    constants = {
        "w": _bytes(12, 5),
        "s": _F32(0.01),
        "z": np.uint8(120 if zero else 0),
        "b": _DATA.normal(size=5).astype(_F32),
    }
    inputs = ["x", "w", "s", "z" if zero else "", "b"]
    step = node("DynamicQuantizeMatMul", inputs, ["y"], domain=MS)
    proto = _model([step], value("x", [1, 12]), constants)
    _same(save(tmp_path, proto), _DATA.normal(size=(1, 12)).astype(_F32), error=0.02)
