# SPDX-License-Identifier: Apache-2.0
"""Damaged, hostile and undecidable model files, each with the code it is refused with."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from onnx_files import conv_model, model, node, value

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


def one_node(op_type: str, inputs: list[str], **options: Any) -> Any:
    """A model of one node."""
    constants = options.pop("constants", None)
    opset = options.pop("opset", 17)
    return model([node(op_type, inputs, ["y"], **options)], [X], [Y], constants, opset)


def _pool(**attributes: Any) -> Any:
    """A model of one MaxPool."""
    nodes = [node("MaxPool", ["x"], ["y"], **attributes)]
    return model(nodes, [value("x", [1, 3, 8, 8])], [Y])


def folded(op_type: str, *values: Any, **attributes: Any) -> Any:
    """A model that adds what a node makes from constants."""
    names = [f"c{i}" for i in range(len(values))]
    nodes = [node(op_type, names, ["made"], **attributes), node("Add", ["x", "made"], ["y"])]
    return model(nodes, [X], [Y], dict(zip(names, values, strict=True)))


def _then_branch() -> Any:
    out = [value("inner", [1, 4])]
    return helper.make_graph([helper.make_node("Identity", ["x"], ["inner"])], "then", [], out)


_TURNS = {"m": np.array(2**62), "c": np.array(True)}


def _turn() -> Any:
    """A body that doubles what it carries, and goes on."""
    nodes = [
        helper.make_node("Identity", ["on"], ["goes"]),
        helper.make_node("Add", ["v", "v"], ["w"]),
    ]
    given = [value("i", [], 7), value("on", [], 9), value("v", [1, 4])]
    return helper.make_graph(nodes, "turn", given, [value("goes", [], 9), value("w", [1, 4])])


def _function_model(bodies: dict[str, list[str]]) -> Any:
    """A call of the first of some functions, each a chain of operators of one input."""
    proto = one_node(next(iter(bodies)), ["x"], domain="local")
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    for name, kinds in bodies.items():
        links = ["a", *(f"t{i}" for i in range(len(kinds) - 1)), "b"]
        body = [
            helper.make_node(kind, [x], [y], domain="local" if kind in bodies else "")
            for kind, x, y in zip(kinds, links[:-1], links[1:], strict=True)
        ]
        proto.functions.append(helper.make_function("local", name, ["a"], ["b"], body, imports))
    proto.opset_import.append(helper.make_opsetid("local", 1))
    return proto


def _sequence_input() -> Any:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 4])
    proto = one_node("SequenceAt", ["x", "i"], constants={"i": np.array(0)})
    proto.graph.input[0].type.CopyFrom(helper.make_sequence_type_proto(tensor))
    return proto


def _nan_weights(bad: float) -> Any:
    weights = np.ones((4, 3, 3, 3), np.float32)
    weights[2, 1, 0, 0] = bad
    return conv_model(weights)


def quantized(scale: Any, zero: Any, **attributes: Any) -> Any:
    """A model that rounds its input to a grid and back."""
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


def _batch_norm(gamma: float, variance: float) -> Any:
    """A BatchNormalization without epsilon."""
    values = {"s": gamma, "b": 0, "m": 0, "v": variance}
    constants = {name: np.full(3, v, np.float32) for name, v in values.items()}
    nodes = [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=0.0)]
    return model(nodes, [value("x", [1, 3, 8, 8])], [Y], constants)


UNSUPPORTED = "model/unsupported-op"
VALID = conv_model().SerializeToString()
_UNKNOWN = [helper.make_opsetid("com.example", 1)]
F32 = np.float32

HOSTILE: dict[str, tuple[Any, str]] = {
    # files
    "empty file": (b"", "model/damaged"),
    "text": (b"import torch\n" * 40, "model/damaged"),
    "random bytes": (random.Random(3).randbytes(4000), "model/damaged"),
    "zero bytes": (bytes(4096), "model/damaged"),
    "first half only": (VALID[: len(VALID) // 2], "model/damaged"),
    "last byte missing": (VALID[:-1], "model/damaged"),
    "tflite file": (b"\x1c\0\0\0TFL3" + bytes(100), "model/damaged"),
    "pytorch archive": (b"PK\x03\x04" + bytes(100), "model/damaged"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\n", "model/damaged"),
    "no graph": (_with(lambda m: m.ClearField("graph")), "model/damaged"),
    # versions
    "no opset": (_with(lambda m: m.ClearField("opset_import")), "model/damaged"),
    "opset 6": (one_node("Dropout", ["x"], opset=6), "model/unsupported-op"),
    "opset 9999": (one_node("Relu", ["x"], opset=9999), "model/unsupported-op"),
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
    "missing input": (one_node("Add", ["x", "nowhere"]), "model/damaged"),
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
        one_node("BiasGelu", ["x"], domain="com.microsoft"),
        "model/unsupported-op",
    ),
    "no such operator": (one_node("Frobnicate", ["x"]), "model/unsupported-op"),
    "unsupported operator": (one_node("Det", ["x"]), "model/unsupported-op"),
    "operator of a later opset": (one_node("HardSwish", ["x"], opset=13), "model/unsupported-op"),
    "functions in a circle": (_function_model({"F": ["G"], "G": ["F"]}), "model/damaged"),
    "functions without an end": (
        _function_model({f"F{i}": [f"F{i + 1}"] * 2 for i in range(60)} | {"F60": ["Relu"]}),
        "model/too-large",
    ),
    "a loop without an end": (
        one_node("Loop", ["m", "c", "x"], constants=_TURNS, body=_turn()),
        "model/too-large",
    ),
    "control flow": (
        one_node(
            "If",
            ["x"],
            then_branch=_then_branch(),
            else_branch=_then_branch(),
        ),
        "model/unsupported-op",
    ),
    "too many inputs": (one_node("Relu", ["x", "x"]), "model/damaged"),
    "too few inputs": (one_node("Gemm", ["x"]), "model/damaged"),
    "unknown attribute": (one_node("Relu", ["x"], slope=0.1), "model/damaged"),
    "attribute of another type": (one_node("Flatten", ["x"], axis=[1, 2]), "model/damaged"),
    "attribute missing": (one_node("Cast", ["x"]), "model/damaged"),
    # shapes
    "unknown height": (conv_model(shape=(1, 3, "height", 8)), "model/dynamic-shape"),
    "unnamed width": (conv_model(shape=(1, 3, 8, None)), "model/dynamic-shape"),
    "unknown rank": (
        _with(lambda m: m.graph.input[0].type.tensor_type.ClearField("shape")),
        "model/dynamic-shape",
    ),
    "batch of 8": (conv_model(shape=(8, 3, 8, 8)), "model/unsupported-op"),
    "size 0": (conv_model(shape=(1, 3, 0, 8)), "model/unsupported-op"),
    "input without a type": (
        _with(lambda m: m.graph.input[0].ClearField("type")),
        "model/damaged",
    ),
    "huge input": (conv_model(shape=(1, 3, 1 << 20, 1 << 20)), "model/too-large"),
    "output of another rank": (
        _with(lambda m: m.graph.output[0].CopyFrom(value("y", [1, 4]))),
        "model/damaged",
    ),
    "weights of another rank": (conv_model(np.ones((4, 3, 3), F32)), "model/damaged"),
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
        one_node("Add", ["x", "c"], constants={"c": np.ones(4, np.int64)}),
        "model/damaged",
    ),
    "shape of floats": (
        one_node("Reshape", ["x", "c"], constants={"c": np.ones(1, np.float32)}),
        "model/damaged",
    ),
    "complex input": (
        _with(lambda m: m.graph.input[0].CopyFrom(value("x", [1, 3, 8, 8], TensorProto.COMPLEX64))),
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
        "model/unsupported-op",
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
        folded("ConstantOfShape", np.array([10**12], np.int64)),
        "model/too-large",
    ),
    "huge Expand": (
        folded("Expand", np.ones(1, F32), np.array([1 << 40, 4], np.int64)),
        "model/too-large",
    ),
    "huge Tile": (
        folded("Tile", np.ones(4, F32), np.array([1 << 40], np.int64)),
        "model/too-large",
    ),
    "huge Range": (folded("Range", F32(0), F32(1e12), F32(1)), "model/too-large"),
    "endless Range": (folded("Range", F32(0), F32(10), F32(0)), "model/damaged"),
    "huge Pad": (
        folded("Pad", np.ones(4, F32), np.array([1 << 40, 0], np.int64)),
        "model/too-large",
    ),
    "huge sum of a row and a column": (
        folded("Add", np.ones((1 << 18, 1), F32), np.ones((1, 1 << 18), F32)),
        "model/too-large",
    ),
    "gather behind the end": (
        folded("Gather", np.ones(4, F32), np.array([4], np.int64)),
        "model/damaged",
    ),
    "integer division by zero": (
        folded("Div", np.ones(4, np.int64), np.zeros(4, np.int64)),
        "model/damaged",
    ),
    "reshape to another size": (
        folded("Reshape", np.ones(4, F32), np.array([3], np.int64)),
        "model/damaged",
    ),
    # quantization
    "scale 0": (quantized(F32(0), np.int8(0)), "quant/scale-impossible"),
    "negative scale": (quantized(F32(-1), np.int8(0)), "quant/scale-impossible"),
    "NaN scale": (quantized(F32("nan"), np.int8(0)), "quant/scale-impossible"),
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
    "Expand to a negative size": (
        one_node("Expand", ["x", "c"], constants={"c": [-99, 4]}),
        UNSUPPORTED,
    ),
    "output without a name": (
        model([node("Split", ["x"], ["y", ""], axis=1)], [X], [Y], opset=13),
        "model/damaged",
    ),
    "NaN attribute": (one_node("LeakyRelu", ["x"], alpha=float("nan")), "model/non-finite"),
    "infinite attribute": (one_node("Elu", ["x"], alpha=float("inf")), "model/non-finite"),
    "NaN limit": (one_node("Clip", ["x"], max=float("nan"), opset=7), "model/non-finite"),
    "Celu with alpha 0": (one_node("Celu", ["x"], alpha=0.0), UNSUPPORTED),
    "float64 beyond float32": (_using(np.full((4, 2), 1e300)), "model/non-finite"),
    "batch normalization that overflows": (_batch_norm(3e38, 1e-38), "model/non-finite"),
    "Resize to a huge size": (
        one_node("Resize", ["x", "", "c"], constants={"c": F32([1, 1e9])}),
        "model/too-large",
    ),
    "exponent of more axes than the base": (
        one_node("Pow", ["x", "c"], constants={"c": F32([[[2]]])}),
        UNSUPPORTED,
    ),
    "gather along an axis that is not there": (
        folded("Gather", np.ones((4, 4), np.float32), np.array([0]), axis=5),
        "model/damaged",
    ),
}
