# SPDX-License-Identifier: Apache-2.0
"""What ONNX forbids is refused, what it means is done, and nothing is printed on the way."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnx_files import TensorProto, model, node, onnx, run_onnx, save, value

from mcuplan.errors import McuplanError, Problems
from mcuplan.facts import NotFinite, OpsetAssumed, OutOfOrder
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate

_RNG = np.random.default_rng(9)
_W = _RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
_X, _Y = value("x", (1, 3, 6, 6)), value("y", None)


def _errors(path: Path) -> tuple[McuplanError, ...]:
    with pytest.raises((McuplanError, Problems)) as caught:
        load_model(path)
    error = caught.value
    return error.errors if isinstance(error, Problems) else (error,)


def _small() -> Any:
    """Convolution, pool, mean and dense layer."""
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("ReduceMean", ["p"], ["m"], axes=[2, 3], keepdims=0),
        node("Gemm", ["m", "v", "b"], ["y"], transB=1),
    ]
    constants = {
        "w": _W,
        "v": _RNG.normal(size=(5, 4)).astype(np.float32),
        "b": np.ones(5, np.float32),
    }
    return model(nodes, [_X], [value("y", (1, 5))], constants)


def _changed(change: Callable[[Any], Any]) -> Any:
    made = _small()
    change(made)
    return made


def _attribute(index: int, name: str, content: Any) -> Callable[[Any], Any]:
    def change(proto: Any) -> None:
        kept = [a for a in proto.graph.node[index].attribute if a.name != name]
        del proto.graph.node[index].attribute[:]
        extra = [] if content is None else [helper.make_attribute(name, content)]
        proto.graph.node[index].attribute.extend([*kept, *extra])

    return change


def _copy_initializer(proto: Any) -> None:
    proto.graph.initializer.add().CopyFrom(proto.graph.initializer[0])


def _bool_weights(proto: Any) -> None:
    made = onnx.numpy_helper.from_array(_W > 0, "w")
    proto.graph.initializer[0].CopyFrom(made)


def _set_type(kind: int) -> Callable[[Any], Any]:
    def change(proto: Any) -> None:
        proto.graph.output[0].type.tensor_type.elem_type = kind

    return change


_FORBIDDEN: dict[str, Callable[[Any], Any]] = {
    "tensor made twice": lambda m: m.graph.node.append(m.graph.node[0]),
    "initializer twice": _copy_initializer,
    "input made by a node": lambda m: m.graph.node[0].output.__setitem__(0, "x"),
    "required attribute missing": _attribute(1, "kernel_shape", None),
    "attribute of another type": _attribute(1, "kernel_shape", 2.5),
    "attribute not of the operator": _attribute(0, "colour", 3),
    "no opset": lambda m: m.ClearField("opset_import"),
    "unknown operator": lambda m: setattr(m.graph.node[2], "op_type", "Meanest"),
    "unknown domain": lambda m: setattr(m.graph.node[2], "domain", "my.ops"),
    "cycle": lambda m: m.graph.node[0].input.__setitem__(0, "p"),
    "too many inputs": lambda m: m.graph.node[1].input.append("w"),
    "too few inputs": lambda m: m.graph.node[0].input.pop(),
    "too many outputs": lambda m: m.graph.node[3].output.append("z"),
    "missing input": lambda m: m.graph.node[0].input.__setitem__(1, "nowhere"),
    "bool weights": _bool_weights,
    "output of another type": _set_type(TensorProto.INT64),
    "axis beyond the rank": _attribute(2, "axes", [2, 4]),
    "axis before the first": _attribute(2, "axes", [-5]),
    "flag that is none": _attribute(3, "transB", 60),
    "inner sizes differ": lambda m: m.graph.initializer[1].dims.__setitem__(1, 5),
    "no IR version": lambda m: m.ClearField("ir_version"),
    "strides of 0": _attribute(1, "strides", [0, 0]),
    "three strides": _attribute(1, "strides", [2, 2, 2]),
}


@pytest.mark.parametrize("case", _FORBIDDEN)
def test_what_onnx_forbids(case: str, tmp_path: Path) -> None:
    """Each breach is refused with a code, a place and an action."""
    for error in _errors(save(tmp_path, _changed(_FORBIDDEN[case]))):
        assert error.code.startswith("model/")
        assert error.where
        assert error.hint


def test_checker_has_the_last_word(tmp_path: Path) -> None:
    """What only ONNX's own inference finds is told by node, in one printable line."""
    nodes = [node("Relu", ["x"], ["r"]), node("Identity", ["r"], ["y"])]
    proto = model(nodes, [_X], [value("y", None, TensorProto.DOUBLE)])
    (error,) = _errors(save(tmp_path, proto))
    assert "model/damaged" == error.code
    assert "ONNX forbids it: the output is float32, declared float64" == error.message
    assert "Identity_y (Identity)" == error.where


def test_harmless_dialects(tmp_path: Path) -> None:
    """Nodes of one name, and nodes in another order, are read; the order is noted."""
    proto = _small()
    for one in proto.graph.node:
        one.name = "same"
    assert OutOfOrder() not in load_model(save(tmp_path, proto)).graph.notes
    order = [proto.graph.node[i] for i in (3, 1, 2, 0)]
    copies = [onnx.NodeProto.FromString(n.SerializeToString()) for n in order]
    del proto.graph.node[:]
    proto.graph.node.extend(copies)
    assert OutOfOrder() in load_model(save(tmp_path, proto)).graph.notes


def test_contributed_operators_without_a_version(tmp_path: Path) -> None:
    """The runtime takes com.microsoft operators without an import of their domain; so do we."""
    grid = ["s", "z"]
    nodes = [
        node("QuantizeLinear", ["x", *grid], ["q"]),
        node("QLinearAdd", ["q", *grid, "q", *grid, *grid], ["r"], domain="com.microsoft"),
        node("DequantizeLinear", ["r", *grid], ["y"]),
    ]
    constants = {"s": np.float32(0.1), "z": np.uint8(3)}
    path = save(tmp_path, model(nodes, [value("x", (1, 4))], [_Y], constants))
    run_onnx(path, {"x": np.ones((1, 4), np.float32)})
    assert OpsetAssumed("com.microsoft") in load_model(path).graph.notes


@pytest.mark.parametrize("keep", [-1, 0, 1, 2, 60])
@pytest.mark.parametrize("op_type", ["ReduceMean", "ReduceMax", "ReduceSum"])
@pytest.mark.parametrize("constant", [False, True])
def test_keepdims(op_type: str, keep: int, constant: bool, tmp_path: Path) -> None:
    """Axes are kept where keepdims is 1, as the standard and the runtime have it."""
    axes = {"axes": [1, 2]} if op_type != "ReduceSum" else {}
    inputs = ["a"] if axes else ["a", "axes"]
    nodes = [
        node(op_type, inputs, ["r"], keepdims=keep, **axes),
        node("Add", ["x", "r"], ["y"]) if constant else node("Relu", ["r"], ["y"]),
    ]
    constants: dict[str, Any] = {"axes": np.array([1, 2], np.int64)}
    shape = (1, 3, 3, 1)
    if constant:
        constants["a"] = _RNG.normal(size=(1, 3, 3, 3)).astype(np.float32)
    else:
        nodes[0].input[0], shape = "x", (1, 3, 4, 5)
    path = save(tmp_path, model(nodes, [value("x", shape)], [_Y], constants))
    x = _RNG.normal(size=shape).astype(np.float32)
    (expected,) = run_onnx(path, {"x": x})
    graph = load_model(path).graph
    (port,) = graph.outputs
    assert expected.shape == port.shape
    found = evaluate(graph, {graph.inputs[0].tensor: x})[port.tensor]
    np.testing.assert_allclose(found.reshape(-1), expected.reshape(-1), atol=1e-5)


def test_constants_that_overflow(tmp_path: Path) -> None:
    """Folding prints no warning; a constant that becomes infinite is noted, and refused if read."""
    huge = np.full((3, 1, 1), 3e38, np.float32)
    nodes = [
        node("Mul", ["huge", "huge"], ["inf"]),
        node("Clip", ["x", "", "limit"], ["c"]),
        node("ReduceMax", ["inf"], ["limit"], keepdims=0),
        node("Relu", ["c"], ["y"]),
    ]
    path = save(tmp_path, model(nodes, [_X], [_Y], {"huge": huge}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        imported = load_model(path)
    assert NotFinite("inf", "Mul") in imported.graph.notes
    nodes[1] = node("Add", ["x", "inf"], ["c"])
    (error,) = _errors(save(tmp_path, model(nodes, [_X], [_Y], {"huge": huge})))
    assert "model/non-finite" == error.code


def _mutated(proto: Any, chance: random.Random) -> Any:
    """A model with one or two of its parts exchanged, dropped or renumbered."""
    made = onnx.ModelProto.FromString(proto.SerializeToString())
    graph = made.graph
    for _ in range(chance.randint(1, 2)):
        target = chance.choice(list(graph.node))
        kind = chance.randrange(8)
        if kind == 0 and target.attribute:
            attribute = chance.choice(list(target.attribute))
            attribute.i = chance.choice([-1, 0, 2, 60, 1 << 40])
            del attribute.ints[chance.randrange(len(attribute.ints) + 1) :]
            attribute.ints.extend([chance.choice([-3, 0, 1, 7])] * chance.randrange(3))
        elif kind == 1 and target.attribute:
            del target.attribute[chance.randrange(len(target.attribute))]
        elif kind == 2:
            target.op_type = chance.choice(
                ["Relu", "Conv", "Gemm", "Softmax", "LSTM", "Concat", "If"]
            )
        elif kind == 3 and target.input:
            names = [n for one in graph.node for n in (*one.input, *one.output)]
            target.input[chance.randrange(len(target.input))] = chance.choice([*names, "", "none"])
        elif kind == 4:
            tensor = chance.choice(list(graph.initializer))
            tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice([-1, 0, 1, 3, 1 << 33])
        elif kind == 5:
            chance.choice(list(graph.initializer)).data_type = chance.randrange(30)
        elif kind == 6:
            port = chance.choice([*graph.input, *graph.output]).type.tensor_type
            port.elem_type = chance.choice([0, 1, 2, 7, 9, 10, 16, 99])
        else:
            dims = graph.input[0].type.tensor_type.shape.dim
            dims[chance.randrange(len(dims))].dim_value = chance.choice([-1, 0, 1, 2, 5, 1 << 40])
    return made


def test_mutants_are_read_or_refused(tmp_path: Path) -> None:
    """Every mutant of a small model is read or refused with code, place and action, silently."""
    chance = random.Random(17)
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(400):
            path = save(tmp_path, _mutated(_small(), chance))
            try:
                load_model(path)
            except (McuplanError, Problems) as error:
                refused += 1
                for one in error.errors if isinstance(error, Problems) else (error,):
                    assert one.code.startswith("model/")
                    assert one.where
                    assert one.hint
                    assert str(one).isprintable()
    assert 100 < refused < 400
