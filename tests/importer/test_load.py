# SPDX-License-Identifier: Apache-2.0
"""What importing a sound model gives."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_files import TensorProto, conv_model, model, node, onnx, run_onnx, save, value

from mcuplan.errors import DamagedModel, DynamicShape
from mcuplan.facts import BatchOfOne, LeftOut
from mcuplan.importer.onnx import load_model
from mcuplan.importer.protofile import Allowance, read_tensor
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType

_F32 = np.float32


def _agrees(path: Path, feeds: dict[str, Any], **options: Any) -> None:
    """Our graph and ONNX Runtime give the same outputs."""
    graph = load_model(path, **options).graph
    graph.check()
    found = evaluate(graph, {p.tensor: feeds[p.name] for p in graph.inputs})
    for port, expected in zip(graph.outputs, run_onnx(path, feeds), strict=True):
        scale = float(np.abs(expected).max())
        np.testing.assert_allclose(found[port.tensor], expected, atol=1e-5 * scale, rtol=0)


def test_facts_of_the_file(tmp_path: Path) -> None:
    """Hash, opset, producer, counts and names are those of the file."""
    path = save(tmp_path, conv_model(), "key word.onnx")
    imported = load_model(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == imported.sha256
    assert (17, 9, "tests", 1) == (
        imported.opset,
        imported.ir_version,
        imported.producer,
        imported.nodes,
    )
    assert ("float32", "key word") == (imported.form, imported.graph.name)
    (port,) = imported.graph.inputs
    assert ("x", (1, 3, 8, 8), DType.FLOAT32) == (port.name, port.shape, port.dtype)
    (port,) = imported.graph.outputs
    assert ("y", (1, 4, 6, 6)) == (port.name, port.shape)
    assert "Conv_y" in {n.origin for n in imported.graph.nodes}


@pytest.mark.parametrize("batch", ["N", None, -1])
def test_dynamic_batch_is_one(batch: Any, tmp_path: Path) -> None:
    """An unknown batch is taken as 1, with a note; shapes computed from it fold away."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "axes"], ["n1"]),
        node("Concat", ["n1", "rest"], ["shape"], axis=0),
        node("Reshape", ["x", "shape"], ["y"]),
    ]
    constants = {
        "zero": np.array(0, np.int64),
        "axes": np.array([0], np.int64),
        "rest": np.array([6, -1], np.int64),
    }
    proto = model(nodes, [value("x", ["N", 3, 4])], [value("y", None)], constants)
    dim = proto.graph.input[0].type.tensor_type.shape.dim[0]
    if batch is None:
        dim.Clear()
    elif batch == -1:
        dim.dim_value = -1
    path = save(tmp_path, proto)
    imported = load_model(path)
    assert (1, 6, 2) == imported.graph.outputs[0].shape
    assert [BatchOfOne] == [type(note) for note in imported.graph.notes]
    _agrees(path, {"x": np.arange(12, dtype=_F32).reshape(1, 3, 4)})


def test_dimensions_are_given_by_name(tmp_path: Path) -> None:
    """Every unknown dimension is listed with its flag, and can be given."""
    path = save(tmp_path, conv_model(shape=("N", 3, "rows", None)))
    with pytest.raises(Exception, match="rows") as caught:
        load_model(path)
    errors = caught.value.errors
    assert [DynamicShape, DynamicShape] == [type(e) for e in errors]
    assert ["rows", "x:3"] == [e.hint.partition("--dim ")[2].partition("=")[0] for e in errors]
    graph = load_model(path, {"rows": 9, "x:3": 7}).graph
    assert (1, 4, 7, 5) == graph.outputs[0].shape
    assert (1, 4, 7, 5) == load_model(path, {"rows": 9, "x:3": 7, "N": 1}).graph.outputs[0].shape


def test_nodes_in_any_order(tmp_path: Path) -> None:
    """A file whose nodes are not in order imports as if they were."""
    nodes = [node("Gemm", [f"t{i}", "w"], [f"t{i + 1}"]) for i in range(6)]
    constants = {"w": np.random.default_rng(2).normal(size=(4, 4)).astype(_F32)}
    outputs = [value("t6", None)]
    ports = ([value("t0", [1, 4])], outputs, constants)
    first = load_model(save(tmp_path, model(nodes, *ports))).graph
    mixed = [nodes[i] for i in (4, 1, 5, 0, 3, 2)]
    second = load_model(save(tmp_path, model(mixed, *ports))).graph
    assert [n.origin for n in first.nodes] == [n.origin for n in second.nodes]


def test_dead_nodes_are_left_out(tmp_path: Path) -> None:
    """What no output depends on is not read, even where it is unsupported."""
    proto = conv_model()
    proto.graph.node.extend([node("Det", ["x"], ["d"]), node("Identity", ["d"], ["e"])])
    imported = load_model(save(tmp_path, proto))
    assert 3 == imported.nodes
    assert LeftOut(2) in imported.graph.notes


def test_constants_among_the_inputs(tmp_path: Path) -> None:
    """Old files list initializers as inputs, too; they stay constants."""
    proto = conv_model()
    proto.graph.input.append(value("w", [4, 3, 3, 3]))
    proto.graph.input.append(value("b", [4]))
    path = save(tmp_path, proto)
    assert ["x"] == [p.name for p in load_model(path).graph.inputs]


@pytest.mark.parametrize("offset", [0, 64])
def test_external_data(offset: int, tmp_path: Path) -> None:
    """Weights beside the model, in a folder below it too, are read from their place."""
    proto = conv_model()
    weights = proto.graph.initializer[0]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(bytes(offset) + weights.raw_data + b"more")
    size = len(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, text in {"location": "data/w.bin", "offset": offset, "length": size}.items():
        weights.external_data.add(key=key, value=str(text))
    path = save(tmp_path, proto)
    inside = save(tmp_path, conv_model(), "inside.onnx")
    mine, other = load_model(path).graph, load_model(inside).graph
    name = mine.nodes[-2].inputs[1] if len(mine.nodes[-1].inputs) == 1 else mine.nodes[-1].inputs[1]
    np.testing.assert_array_equal(other.tensor(name).data, mine.tensor(name).data)


_TYPES = {
    "FLOAT": [0.5, -2.0],
    "DOUBLE": [0.5, -2.0],
    "FLOAT16": [0.5, -2.0],
    "INT8": [-128, 127],
    "UINT8": [0, 255],
    "INT16": [-7, 300],
    "UINT16": [7, 60000],
    "INT32": [-5, 1 << 30],
    "UINT32": [5, 1 << 31],
    "INT64": [-5, 1 << 20],
    "UINT64": [5, 1 << 20],
    "BOOL": [True, False],
    "INT4": [-8, 7],
    "UINT4": [15, 1],
}


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("kind", _TYPES)
def test_tensor_types(kind: str, raw: bool, tmp_path: Path) -> None:
    """Constants of every type are read from raw bytes and from typed fields alike."""
    data_type = getattr(TensorProto, kind)
    numbers = np.array([_TYPES[kind]])
    dtype = onnx.helper.tensor_dtype_to_np_dtype(data_type)
    if raw:
        tensor = onnx.numpy_helper.from_array(numbers.astype(dtype), "c")
    else:
        tensor = onnx.helper.make_tensor("c", data_type, [1, 2], numbers.reshape(-1).astype(dtype))
    nodes = [
        node("Cast", ["c"], ["f"], to=TensorProto.FLOAT),
        node("Transpose", ["f"], ["w"]),
        node("Gemm", ["x", "w"], ["y"]),
    ]
    proto = model(nodes, [value("x", [1, 2])], [value("y", None)], {"c": tensor}, opset=21)
    _agrees(save(tmp_path, proto), {"x": np.array([[1.0, 0.25]], _F32)})


@pytest.mark.parametrize(
    ("kind", "count", "content"),
    [
        ("INT4", 3, {"int32_data": [0x321, 5]}),
        ("INT4", 3, {"int32_data": [-1, 5]}),
        ("UINT4", 3, {"int32_data": [1 << 16, 5]}),
        ("UINT4", 3, {"int32_data": [1, 2, 3]}),
        ("INT4", 3, {"raw_data": b"abc"}),
        ("UINT4", 4, {"raw_data": b"a"}),
        ("INT4", 4, {"int64_data": [1, 2]}),
        ("INT8", 2, {"int32_data": [128, 0]}),
        ("INT8", 2, {"int32_data": [255, 0]}),
        ("UINT8", 2, {"int32_data": [-1, 0]}),
        ("INT16", 2, {"int32_data": [1 << 15, 0]}),
        ("FLOAT16", 2, {"int32_data": [1 << 16, 0]}),
        ("FLOAT16", 2, {"int32_data": [-1, 0]}),
        ("UINT32", 2, {"uint64_data": [1 << 32, 0]}),
        ("BOOL", 2, {"int32_data": [2, 0]}),
        ("BOOL", 2, {"raw_data": b"\x01\x02"}),
        ("FLOAT", 2, {"raw_data": b"1234567"}),
    ],
)
def test_bits_that_a_type_does_not_have(kind: str, count: int, content: dict[str, Any]) -> None:
    """No value is cut to its type in silence, nothing is taken from a field of other length."""
    tensor = TensorProto(data_type=getattr(TensorProto, kind), dims=[count], **content)
    with pytest.raises(DamagedModel):
        read_tensor(tensor, Path(), Allowance())


def test_half_a_byte_behind_the_last_value() -> None:
    """An odd number of values of 4 bits leaves half a byte that says nothing."""
    tensor = TensorProto(data_type=TensorProto.INT4, dims=[3], raw_data=b"\xf7\xe8")
    assert [7, -1, -8] == read_tensor(tensor, Path(), Allowance()).tolist()


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    """Ports come in the order of the model, each in its own layout."""
    constants = {"w": np.random.default_rng(3).normal(size=(2, 3, 1, 1)).astype(_F32)}
    nodes = [
        node("Conv", ["a", "w"], ["p"]),
        node("Transpose", ["b"], ["q"], perm=[0, 2, 1]),
        node("Identity", ["p"], ["r"]),
    ]
    outputs = [value("q", None), value("p", None), value("r", None)]
    proto = model(nodes, [value("b", [1, 2, 5]), value("a", [1, 3, 4, 4])], outputs, constants)
    path = save(tmp_path, proto)
    graph = load_model(path).graph
    assert ["b", "a"] == [p.name for p in graph.inputs]
    assert ["q", "p", "r"] == [p.name for p in graph.outputs]
    chance = np.random.default_rng(4)
    feeds = {
        "a": chance.normal(size=(1, 3, 4, 4)).astype(_F32),
        "b": chance.normal(size=(1, 2, 5)).astype(_F32),
    }
    _agrees(path, feeds)
