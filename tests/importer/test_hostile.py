# SPDX-License-Identifier: Apache-2.0
"""Damaged, hostile and undecidable model files."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_files import conv_model, model, node, save, value

from mcuplan.errors import McuplanError, Problems
from mcuplan.importer.onnx import load_model

X = value("x", [1, 4])
Y = value("y", None)


def _external(location: str, *, length: int | None = None, offset: int = 0) -> Any:
    """A Conv whose weights lie in another file."""
    proto = conv_model()
    weights = proto.graph.initializer[0]
    nbytes = len(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    entries = {"location": location, "offset": offset, "length": length or nbytes}
    for key, text in entries.items():
        weights.external_data.add(key=key, value=str(text))
    return proto


def _sizes(dims: list[int], data: bytes = b"", kind: int = TensorProto.FLOAT) -> Any:
    tensor = TensorProto(name="c", data_type=kind, dims=dims)
    tensor.raw_data = data
    return _using(tensor)


def _using(constant: Any) -> Any:
    """A model whose Gemm reads the constant ``c``."""
    return model([node("Gemm", ["x", "c"], ["y"])], [X], [Y], {"c": constant})


def _with(change: Callable[[Any], None], proto: Any = None) -> Any:
    proto = proto or conv_model()
    change(proto)
    return proto


def _one(op_type: str, inputs: list[str], **options: Any) -> Any:
    """A model of one node."""
    constants = options.pop("constants", None)
    opset = options.pop("opset", 17)
    return model([node(op_type, inputs, ["y"], **options)], [X], [Y], constants, opset)


def _pool(**attributes: Any) -> Any:
    """A model of one MaxPool."""
    nodes = [node("MaxPool", ["x"], ["y"], **attributes)]
    return model(nodes, [value("x", [1, 3, 8, 8])], [Y])


def _folded(op_type: str, *values: Any, **attributes: Any) -> Any:
    """A model that adds what a node makes from constants."""
    names = [f"c{i}" for i in range(len(values))]
    nodes = [node(op_type, names, ["made"], **attributes), node("Add", ["x", "made"], ["y"])]
    return model(nodes, [X], [Y], dict(zip(names, values, strict=True)))


def _then_branch() -> Any:
    out = [value("inner", [1, 4])]
    return helper.make_graph([helper.make_node("Identity", ["x"], ["inner"])], "then", [], out)


def _function_model() -> Any:
    proto = _one("Twice", ["x"], domain="local")
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    imports = [helper.make_opsetid("", 17)]
    proto.functions.append(helper.make_function("local", "Twice", ["a"], ["b"], body, imports))
    proto.opset_import.append(helper.make_opsetid("local", 1))
    return proto


def _sequence_input() -> Any:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 4])
    proto = _one("SequenceAt", ["x", "i"], constants={"i": np.array(0)})
    proto.graph.input[0].type.CopyFrom(helper.make_sequence_type_proto(tensor))
    return proto


def _nan_weights(bad: float) -> Any:
    weights = np.ones((4, 3, 3, 3), np.float32)
    weights[2, 1, 0, 0] = bad
    return conv_model(weights)


def _quantized(scale: Any, zero: Any, **attributes: Any) -> Any:
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], **attributes),
        node("DequantizeLinear", ["q", "s", "z"], ["y"], **attributes),
    ]
    return model(nodes, [X], [Y], {"s": scale, "z": zero}, opset=21)


def _cycle(length: int) -> Any:
    nodes = [node("Add", ["x", f"t{(i + 1) % length}"], [f"t{i}"]) for i in range(length)] + [
        node("Relu", ["t0"], ["y"])
    ]
    return model(nodes, [X], [Y])


_VALID = conv_model().SerializeToString()
_UNKNOWN = [helper.make_opsetid("com.example", 1)]
_F32 = np.float32

HOSTILE: dict[str, tuple[Any, str]] = {
    # files
    "empty file": (b"", "model/damaged"),
    "text": (b"import torch\n" * 40, "model/damaged"),
    "random bytes": (random.Random(3).randbytes(4000), "model/damaged"),
    "zero bytes": (bytes(4096), "model/damaged"),
    "first half only": (_VALID[: len(_VALID) // 2], "model/damaged"),
    "last byte missing": (_VALID[:-1], "model/damaged"),
    "tflite file": (b"\x1c\0\0\0TFL3" + bytes(100), "model/damaged"),
    "pytorch archive": (b"PK\x03\x04" + bytes(100), "model/damaged"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\n", "model/damaged"),
    "no graph": (_with(lambda m: m.ClearField("graph")), "model/damaged"),
    # versions
    "no opset": (_with(lambda m: m.ClearField("opset_import")), "model/damaged"),
    "opset 6": (_one("Relu", ["x"], opset=6), "model/unsupported-op"),
    "opset 9999": (_one("Relu", ["x"], opset=9999), "model/unsupported-op"),
    "two opsets": (
        _with(lambda m: m.opset_import.append(helper.make_opsetid("ai.onnx", 9))),
        "model/damaged",
    ),
    "IR version of the far future": (
        _with(lambda m: setattr(m, "ir_version", 1 << 40)),
        "model/unsupported-op",
    ),
    # structure
    "cycle": (_cycle(3), "model/damaged"),
    "node that reads itself": (_cycle(1), "model/damaged"),
    "missing input": (_one("Add", ["x", "nowhere"]), "model/damaged"),
    "missing output": (
        model([node("Relu", ["x"], ["t"])], [X], [Y]),
        "model/damaged",
    ),
    "output made twice": (
        model([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])], [X], [Y]),
        "model/damaged",
    ),
    "node makes the input": (
        model([node("Relu", ["y"], ["x"]), node("Relu", ["x"], ["y"])], [X], [Y]),
        "model/damaged",
    ),
    "two inputs of one name": (model([node("Relu", ["x"], ["y"])], [X, X], [Y]), "model/damaged"),
    "two constants of one name": (
        _with(lambda m: m.graph.initializer.append(m.graph.initializer[0])),
        "model/damaged",
    ),
    # nodes
    "unknown domain": (
        model([node("Relu", ["x"], ["y"], domain="com.example")], [X], [Y], extra=_UNKNOWN),
        "model/unknown-domain",
    ),
    "unknown contributed operator": (
        _one("BiasGelu", ["x"], domain="com.microsoft"),
        "model/unsupported-op",
    ),
    "no such operator": (_one("Frobnicate", ["x"]), "model/unsupported-op"),
    "unsupported operator": (_one("Det", ["x"]), "model/unsupported-op"),
    "operator of a later opset": (_one("HardSwish", ["x"], opset=13), "model/unsupported-op"),
    "function of the model": (_function_model(), "model/unsupported-op"),
    "control flow": (
        _one(
            "If",
            ["c"],
            constants={"c": np.array(True)},
            then_branch=_then_branch(),
            else_branch=_then_branch(),
        ),
        "model/unsupported-op",
    ),
    "too many inputs": (_one("Relu", ["x", "x"]), "model/damaged"),
    "too few inputs": (_one("Gemm", ["x"]), "model/damaged"),
    "unknown attribute": (_one("Relu", ["x"], slope=0.1), "model/damaged"),
    "attribute of another type": (_one("Flatten", ["x"], axis=[1, 2]), "model/damaged"),
    "attribute missing": (_one("Cast", ["x"]), "model/damaged"),
    # shapes
    "unknown height": (conv_model(shape=(1, 3, "height", 8)), "model/dynamic-shape"),
    "unnamed width": (conv_model(shape=(1, 3, 8, None)), "model/dynamic-shape"),
    "unknown rank": (
        _with(lambda m: m.graph.input[0].type.tensor_type.ClearField("shape")),
        "model/dynamic-shape",
    ),
    "batch of 8": (conv_model(shape=(8, 3, 8, 8)), "model/unsupported-op"),
    "size 0": (conv_model(shape=(1, 3, 0, 8)), "model/damaged"),
    "input without a type": (
        _with(lambda m: m.graph.input[0].ClearField("type")),
        "model/damaged",
    ),
    "huge input": (conv_model(shape=(1, 3, 1 << 20, 1 << 20)), "model/too-large"),
    "output of another rank": (
        _with(lambda m: m.graph.output[0].CopyFrom(value("y", [1, 4]))),
        "model/damaged",
    ),
    "weights of another rank": (conv_model(np.ones((4, 3, 3), _F32)), "model/damaged"),
    "kernel larger than the input": (
        conv_model(shape=(1, 3, 2, 2)),
        "model/unsupported-op",
    ),
    "pool with huge padding": (
        _pool(kernel_shape=[2, 2], pads=[1 << 40] * 4),
        "model/unsupported-op",
    ),
    "pool with a huge kernel": (
        _pool(kernel_shape=[1 << 16, 2], pads=[1 << 15, 0, 1 << 15, 0]),
        "model/too-large",
    ),
    "pool with a stride of 0": (_pool(kernel_shape=[2, 2], strides=[0, 1]), "model/damaged"),
    "kernel of another size than its weights": (
        _with(lambda m: m.graph.node[0].attribute[0].ints.__setitem__(0, 2)),
        "model/damaged",
    ),
    "strides of another rank": (_pool(kernel_shape=[2, 2], strides=[1]), "model/damaged"),
    # types
    "sum of floats and integers": (
        _one("Add", ["x", "c"], constants={"c": np.ones(4, np.int64)}),
        "model/damaged",
    ),
    "shape of floats": (
        _one("Reshape", ["x", "c"], constants={"c": np.ones(1, np.float32)}),
        "model/damaged",
    ),
    "float64 input": (
        _with(lambda m: m.graph.input[0].CopyFrom(value("x", [1, 3, 8, 8], TensorProto.DOUBLE))),
        "model/unsupported-type",
    ),
    "sequence input": (_sequence_input(), "model/unsupported-type"),
    "string constant": (
        _using(helper.make_tensor("c", TensorProto.STRING, [2], ["a", "b"])),
        "model/unsupported-type",
    ),
    "bfloat16 constant": (
        _sizes([4, 2], bytes(16), TensorProto.BFLOAT16),
        "model/unsupported-type",
    ),
    "sparse weights": (
        _with(
            lambda m: m.graph.sparse_initializer.append(
                helper.make_sparse_tensor(
                    helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0]),
                    helper.make_tensor("i", TensorProto.INT64, [1], [0]),
                    [9],
                )
            )
        ),
        "model/unsupported-type",
    ),
    "int8 input without a scale": (
        model([node("Relu", ["x"], ["y"])], [value("x", [1, 4], TensorProto.INT8)], [Y]),
        "model/unsupported-type",
    ),
    # constants
    "NaN weights": (_nan_weights(float("nan")), "model/non-finite"),
    "infinite weights": (_nan_weights(float("inf")), "model/non-finite"),
    "negative size": (_sizes([4, -2]), "model/damaged"),
    "data shorter than its shape": (_sizes([4, 2], bytes(28)), "model/damaged"),
    "data longer than its shape": (_sizes([4, 2], bytes(36)), "model/damaged"),
    "huge tensor": (_sizes([1 << 40, 1 << 20]), "model/too-large"),
    "huge tensor of zero bytes per row": (_sizes([1 << 31, 4]), "model/too-large"),
    "300 axes": (_sizes([1] * 300, bytes(4)), "model/damaged"),
    "huge computed constant": (
        _folded("ConstantOfShape", np.array([10**12], np.int64)),
        "model/too-large",
    ),
    "huge Expand": (
        _folded("Expand", np.ones(1, _F32), np.array([1 << 40, 4], np.int64)),
        "model/too-large",
    ),
    "huge Tile": (
        _folded("Tile", np.ones(4, _F32), np.array([1 << 40], np.int64)),
        "model/too-large",
    ),
    "huge Range": (_folded("Range", _F32(0), _F32(1e12), _F32(1)), "model/too-large"),
    "endless Range": (_folded("Range", _F32(0), _F32(10), _F32(0)), "model/damaged"),
    "huge Pad": (
        _folded("Pad", np.ones(4, _F32), np.array([1 << 40, 0], np.int64)),
        "model/too-large",
    ),
    "huge sum of a row and a column": (
        _folded("Add", np.ones((1 << 18, 1), _F32), np.ones((1, 1 << 18), _F32)),
        "model/too-large",
    ),
    "gather behind the end": (
        _folded("Gather", np.ones(4, _F32), np.array([4], np.int64)),
        "model/damaged",
    ),
    "integer division by zero": (
        _folded("Div", np.ones(4, np.int64), np.zeros(4, np.int64)),
        "model/damaged",
    ),
    "reshape to another size": (
        _folded("Reshape", np.ones(4, _F32), np.array([3], np.int64)),
        "model/damaged",
    ),
    # quantization
    "scale 0": (_quantized(_F32(0), np.int8(0)), "quant/scale-impossible"),
    "negative scale": (_quantized(_F32(-1), np.int8(0)), "quant/scale-impossible"),
    "NaN scale": (_quantized(_F32("nan"), np.int8(0)), "quant/scale-impossible"),
    "int16 activations": (_quantized(_F32(1), np.int16(0)), "model/unsupported-type"),
    "scales per channel of an activation": (
        _quantized(np.ones(4, _F32), np.zeros(4, np.int8), axis=1),
        "model/unsupported-op",
    ),
    # external data
    "missing external data": (_external("weights.bin"), "model/external-data"),
    "external data above the folder": (_external("../secret.bin"), "model/external-data"),
    "external data by a detour": (_external("sub/../../secret.bin"), "model/external-data"),
    "absolute external data": (_external("/etc/passwd"), "model/external-data"),
    "external data on a drive": (_external("C:\\secret.bin"), "model/external-data"),
    "external data above by backslash": (_external("..\\secret.bin"), "model/external-data"),
    "external data through a link": (_external("link.bin"), "model/external-data"),
    "external data through a linked folder": (_external("out/secret.bin"), "model/external-data"),
    "external data is a folder": (_external("sub"), "model/external-data"),
    "short external data": (_external("short.bin"), "model/external-data"),
    "external data of another length": (
        _external("long.bin", length=12),
        "model/external-data",
    ),
    "external data behind the end": (_external("long.bin", offset=1 << 40), "model/external-data"),
    "external data at a negative offset": (_external("long.bin", offset=-4), "model/external-data"),
    "external data without a name": (_external(""), "model/external-data"),
}


def _prepare(folder: Path) -> Path:
    """A folder with everything that the external locations above could reach."""
    inside = folder / "inside"
    (inside / "sub").mkdir(parents=True)
    for name in ("secret.bin", "inside/long.bin"):
        (folder / name).write_bytes(bytes(1000))
    (inside / "short.bin").write_bytes(bytes(100))
    (inside / "link.bin").symlink_to(folder / "secret.bin")
    (inside / "out").symlink_to(folder)
    return inside


def _errors(path: Path, **options: Any) -> tuple[McuplanError, ...]:
    with pytest.raises((McuplanError, Problems)) as caught:
        load_model(path, **options)
    error = caught.value
    return error.errors if isinstance(error, Problems) else (error,)


@pytest.mark.parametrize("case", HOSTILE)
def test_refused_with_its_code(case: str, tmp_path: Path) -> None:
    """A bad model is refused with its code, exit status 3, a place and a one-line message."""
    proto, code = HOSTILE[case]
    errors = _errors(save(_prepare(tmp_path), proto))
    assert code in {error.code for error in errors}
    for error in errors:
        assert 3 == error.exit_status
        assert error.where or error.hint
        assert str(error).isprintable()


@pytest.mark.parametrize("case", ["huge tensor", "huge Expand", "huge sum of a row and a column"])
def test_memory_is_not_taken(case: str, tmp_path: Path) -> None:
    """Declared sizes are checked before memory is taken."""
    import tracemalloc

    path = save(tmp_path, HOSTILE[case][0])
    tracemalloc.start()
    try:
        _errors(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize("kind", ["missing", "folder", "device", "zero byte", "below a file"])
def test_not_a_file(kind: str, tmp_path: Path) -> None:
    """A path that is no regular file is wrong usage, exit status 2."""
    file = save(tmp_path, conv_model())
    path = {
        "missing": tmp_path / "no.onnx",
        "folder": tmp_path,
        "device": Path("/dev/zero"),
        "zero byte": tmp_path / "a\0b",
        "below a file": file / "model.onnx",
    }[kind]
    (error,) = _errors(path)
    assert ("usage/bad-argument", 2) == (error.code, error.exit_status)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file(tmp_path: Path) -> None:
    """A file that may not be read is wrong usage, too."""
    path = save(tmp_path, conv_model())
    path.chmod(0)
    (error,) = _errors(path)
    assert 2 == error.exit_status


@pytest.mark.parametrize("dims", [{"N": 1}, {"x:2": 0}])
def test_dimension_that_is_not_there(dims: dict[str, int], tmp_path: Path) -> None:
    """A --dim for an unknown name, or with no size, is wrong usage."""
    path = save(tmp_path, conv_model(shape=("batch", 3, None, 8)))
    wrong = [e for e in _errors(path, dims=dims) if e.code == "usage/bad-argument"]
    assert 1 == len(wrong)
    assert 2 == wrong[0].exit_status


_ODD = ['a"b', "a'b", "a\nb", "*/ evil();", "../../up", "/abs", "", "%s%n", "\x1b[31m", "ü→", "\0"]


@pytest.mark.parametrize("name", [n for n in _ODD if n])
def test_odd_names_are_kept(name: str, tmp_path: Path) -> None:
    """Names of any characters import; they stay as the model has them."""
    nodes = [node("Conv", [name, "w", "b"], [f"{name}2"], kernel_shape=[3, 3], name=f"n{name}")]
    base = conv_model()
    proto = model(nodes, [value(name, [1, 3, 8, 8])], [value(f"{name}2", None)])
    proto.graph.initializer.extend(base.graph.initializer)
    graph = load_model(save(tmp_path, proto)).graph
    assert [name] == [p.name for p in graph.inputs]
    assert [f"{name}2"] == [p.name for p in graph.outputs]
    graph.check()


@pytest.mark.parametrize("name", [n for n in _ODD if n])
def test_odd_names_in_messages(name: str, tmp_path: Path) -> None:
    """A message shows odd names on one line, without control characters."""
    proto = model([node("Det", ["x"], ["y"], name=f"n{name}")], [X], [Y])
    (error,) = _errors(save(tmp_path, proto))
    assert str(error).isprintable()
    assert "Det" in error.where


def test_every_problem_at_once(tmp_path: Path) -> None:
    """One run names every unsupported node, also those behind a refused one."""
    nodes = [
        node("Det", ["x"], ["a"]),
        node("Conv", ["x", "w"], ["b"], kernel_shape=[1, 1], auto_pad="ODD"),
        node("LpNormalization", ["a"], ["c"]),
        node("Relu", ["a"], ["d"]),
        node("Hardmax", ["b"], ["y"]),
        node("Sum", ["c", "d", "y"], ["z"]),
    ]
    inputs = [value("x", [1, 3, 8, 8]), value("unused", [1, "T"])]
    proto = model(nodes, inputs, [Y, value("z", None)], {"w": np.ones((2, 3, 1, 1), _F32)})
    errors = _errors(save(tmp_path, proto))
    places = " ".join(error.where for error in errors)
    for name in ("Det_a", "Conv_b", "LpNormalization_c", "Hardmax_y", "input unused"):
        assert name in places
    assert "Relu_d" not in places
    assert "opset 17" in places


def test_mutations_never_crash(tmp_path: Path) -> None:
    """Files with flipped, cut and repeated bytes import or are refused, nothing else."""
    chance = random.Random(11)
    sources = [_VALID, _quantized(_F32(0.5), np.int8(3)).SerializeToString()]
    sources += [HOSTILE[k][0].SerializeToString() for k in ("gather behind the end", "huge Pad")]
    refused = 0
    for round_ in range(600):
        data = bytearray(chance.choice(sources))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            kind = chance.randrange(3)
            if kind == 0:
                data[at] = chance.randrange(256)
            elif kind == 1:
                del data[at : at + chance.randint(1, 8)]
            else:
                data[at:at] = data[at : at + chance.randint(1, 8)]
        try:
            load_model(save(tmp_path, bytes(data), f"m{round_ % 2}.onnx"))
        except (McuplanError, Problems):
            refused += 1
    assert 100 < refused < 600


def test_large_graph_is_read_in_linear_time(tmp_path: Path) -> None:
    """Ten times the nodes take about ten times as long."""
    seconds = []
    for count in (300, 3000):
        nodes = [node("Gemm", [f"t{i}", "w"], [f"t{i + 1}"]) for i in range(count)]
        proto = model(
            nodes,
            [value("t0", [1, 4])],
            [value(f"t{count}", None)],
            {"w": np.eye(4, dtype=_F32)},
        )
        path = save(tmp_path, proto)
        start = time.process_time()
        graph = load_model(path).graph
        seconds.append(time.process_time() - start)
        assert count == len(graph.nodes)
    assert seconds[1] < 40 * max(seconds[0], 0.02)


def test_many_inputs_and_functions_are_read_in_linear_time(tmp_path: Path) -> None:
    """Thousands of inputs beside thousands of functions take no product of the two."""
    count = 2000
    nodes = [node("Relu", [f"x{i}"], [f"y{i}"]) for i in range(count)]
    proto = model(
        nodes,
        [value(f"x{i}", [1, 2]) for i in range(count)],
        [value(f"y{i}", None) for i in range(count)],
    )
    body = [helper.make_node("Relu", ["a"], ["b"])]
    for i in range(count):
        imports = [helper.make_opsetid("", 17)]
        proto.functions.append(helper.make_function("local", f"f{i}", ["a"], ["b"], body, imports))
    path = save(tmp_path, proto)
    start = time.process_time()
    assert count == len(load_model(path).graph.inputs)
    assert time.process_time() - start < 4
