# SPDX-License-Identifier: Apache-2.0
"""What stands in the way of a model: every cause once, at the author's own places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnx_files import TensorProto, model, node, onnx, save, value

from mcuplan import pipeline
from mcuplan.calibrate import read_data
from mcuplan.errors import McuplanError, Problems, UsageError
from mcuplan.facts import EndsAt
from mcuplan.importer.hints import WAYS
from mcuplan.importer.onnx import load_model
from mcuplan.importer.refusals import source_line
from mcuplan.ops import all_readers
from mcuplan.prove.compare import ModelRuntime
from mcuplan.record import Request
from mcuplan.targets import load_target
from mcuplan.words import options

_RNG = np.random.default_rng(3)
_ENCODER = {"keys_floats": [0.0, 1.0], "values_floats": [1.0, 0.0]}


def _errors(path: Path, **options: Any) -> tuple[McuplanError, ...]:
    with pytest.raises((McuplanError, Problems)) as caught:
        load_model(path, **options)
    error = caught.value
    return error.errors if isinstance(error, Problems) else (error,)


def _weights(*shape: int) -> Any:
    return _RNG.normal(size=shape).astype(np.float32)


def _refused(count: int) -> Any:
    """Refused operators between convolutions, no shape stated anywhere."""
    nodes, name = [], "x"
    for i in range(count):
        nodes.append(node("Bernoulli", [name], [f"r{i}"], name=f"up{i}"))
        nodes.append(node("Conv", [f"r{i}", "w"], [f"c{i}"], pads=[1] * 4))
        name = f"c{i}"
    constants = {"w": _weights(2, 2, 3, 3)}
    return model(nodes, [value("x", (1, 2, 2, 2))], [value(name, None)], constants)


@pytest.mark.parametrize(
    ("count", "message", "where"),
    [
        (1, "Bernoulli is not supported", "up0 (Bernoulli, opset 17)"),
        (2, "Bernoulli is not supported: 2 nodes", "up0, up1 (Bernoulli, opset 17)"),
        (
            5,
            "Bernoulli is not supported: 5 nodes",
            "up0, up1, up2, ... and 2 more (Bernoulli, opset 17)",
        ),
    ],
)
def test_one_entry_for_each_cause(count: int, message: str, where: str, tmp_path: Path) -> None:
    """Nodes that are refused for one reason are counted, those behind each other too."""
    (error,) = _errors(save(tmp_path, _refused(count)))
    assert message == error.message
    assert where == error.where
    assert error.hint


def test_causes_of_several_kinds(tmp_path: Path) -> None:
    """Behind an operator without a shape rule of ours, ONNX's own inference judges on."""
    nodes = [
        node("Bernoulli", ["t"], ["e"]),
        node("Softplus", ["e"], ["p"]),
        node("MatMul", ["p", "left"], ["m"]),
        node("IsInf", ["m"], ["i"]),
        node("Cast", ["i"], ["s"], to=1),
        node("IsNaN", ["s"], ["n"]),
        node("Cast", ["n"], ["y"], to=1),
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
    ]
    constants = {"left": _weights(3, 4)}
    path = save(tmp_path, model(nodes, [value("x", (2, 1, 3))], [value("y", None)], constants))
    kinds = [error.message.split(" is not supported")[0] for error in _errors(path)]
    assert ["Bernoulli", "IsInf", "IsNaN"] == kinds


def test_types_behind_a_refused_node(tmp_path: Path) -> None:
    """A stand-in has its element type: nothing is called damaged that is not."""
    nodes = [
        node("Bernoulli", ["x"], ["i"], dtype=TensorProto.INT32),
        node("Cast", ["i"], ["f"], to=1),
        node("Mul", ["f", "x"], ["y"]),
    ]
    path = save(tmp_path, model(nodes, [value("x", (1, 4))], [value("y", None)]))
    assert {"model/unsupported-op"} == {error.code for error in _errors(path)}


def _traced(**texts: str) -> Any:
    made = node("Bernoulli", ["x"], ["y"])
    for key, text in texts.items():
        if key == "doc":
            made.doc_string = text
        else:
            made.metadata_props.add(key=f"pkg.torch.onnx.{key}", value=text)
    return made


_STACK = (
    'File "/app/work/train.py", line 88, in main\n    net(x)\n'
    'File "/app/work/model.py", line 41, in forward\n    return F.hardmax(x)\n'
    'File "/usr/lib/python3/site-packages/torch/nn/functional.py", line 9, in hardmax\n'
)


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        ({}, ""),
        ({"stack_trace": _STACK}, "model.py:41 in forward"),
        ({"stack_trace": 'File "D:\\work\\net.py", line 7, in forward'}, "net.py:7 in forward"),
        (
            {"doc": "/app/net.py(12): forward\n/x/torch/nn/m.py(1): _call\n"},
            "net.py:12 in forward",
        ),
        ({"class_hierarchy": "['net.Net', 'torch.nn.modules.M', 'aten.x.default']"}, "in M"),
        ({"stack_trace": 'File "/a/\x1b[31m\u202e.py", line 1, in f'}, r"\x1b[31m\u202e.py:1 in f"),
        ({"stack_trace": 'File "' + "a" * 90_000}, ""),
        ({"doc": "made by tf2onnx"}, ""),
    ],
)
def test_source_line(texts: dict[str, str], line: str) -> None:
    """The innermost line of the author's own files, as one safe line without its folder."""
    assert line == source_line(_traced(**texts))


def test_source_line_is_part_of_the_place(tmp_path: Path) -> None:
    """The line stands behind the node's name."""
    made = _traced(stack_trace=_STACK)
    path = save(tmp_path, model([made], [value("x", (1, 4))], [value("y", None)]))
    (error,) = _errors(path)
    assert "Bernoulli_y (Bernoulli, opset 17), model.py:41 in forward" == error.where


def test_unknown_domains_have_a_way_out(tmp_path: Path) -> None:
    """An operator of classical models says what to do; the model may end in front of it."""
    nodes = [
        node("Gemm", ["x", "w"], ["logits"]),
        node("Softmax", ["logits"], ["p"]),
        node("LabelEncoder", ["p"], ["y"], domain="ai.onnx.ml", **_ENCODER),
    ]
    extra = [helper.make_opsetid("ai.onnx.ml", 3)]
    proto = model(
        nodes, [value("x", (1, 4))], [value("y", None)], {"w": _weights(4, 3)}, extra=extra
    )
    path = save(tmp_path, proto)
    (error,) = _errors(path)
    assert "in the application" in error.hint
    assert "--cut-output p" in error.hint
    assert "p" == load_model(path, cuts=("p",)).graph.outputs[0].name


def _two_heads() -> Any:
    nodes = [
        node("Gemm", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["b"], name="act"),
        node("Hardmax", ["b"], ["odd"]),
        node("Gemm", ["a", "v"], ["other"]),
    ]
    constants = {"w": _weights(6, 4), "v": _weights(4, 2)}
    outputs = [value("odd", None), value("other", (1, 2))]
    return model(nodes, [value("x", (1, 6))], outputs, constants)


def test_cut_output(tmp_path: Path) -> None:
    """Outputs behind the cut go, others stay in order, and the runtime sees the same model."""
    path = save(tmp_path, _two_heads())
    imported = load_model(path, cuts=("b",))
    assert ["other", "b"] == [port.name for port in imported.graph.outputs]
    assert EndsAt(("b",), 1) in imported.graph.notes
    assert ["a"] == [p.name for p in load_model(path, cuts=("a",)).graph.outputs]
    assert ["other", "a"] == [p.name for p in load_model(path, cuts=("a", "other")).graph.outputs]


def test_cut_model_is_verified(tmp_path: Path) -> None:
    """The float model that ours is held against ends at the same tensor."""
    path = save(tmp_path, _two_heads())
    np.savez(tmp_path / "data.npz", x=_weights(4, 6))
    data = tmp_path / "data.npz"
    request = Request(path, load_target("cortex-m4"), cuts=("b",), calibration=data)
    planned = pipeline.plan(request)
    assert "cut-output b" in options(planned)
    graph = planned.integer
    samples = read_data(data, graph.inputs)
    outputs = ModelRuntime(path, graph).values(samples).outputs
    assert [(4, 2), (4, 4)] == [out.shape for out in outputs]


@pytest.mark.parametrize(("name", "hint"), [("nope", "known"), ("act", "makes b"), ("x", "known")])
def test_cut_at_no_tensor(name: str, hint: str, tmp_path: Path) -> None:
    """A name that no node makes is wrong usage, with the names that there are."""
    with pytest.raises(UsageError) as caught:
        load_model(save(tmp_path, _two_heads()), cuts=(name,))
    assert hint in caught.value.hint


def test_large_constants_take_no_part(tmp_path: Path) -> None:
    """Shapes are inferred without the weights, whatever their size and wherever they are."""
    big = onnx.numpy_helper.from_array(_weights(300, 300), "big")
    nodes = [
        node("Constant", [], ["c"], value=big),
        node("Bernoulli", ["x"], ["h"]),
        node("MatMul", ["h", "c"], ["m"]),
        node("MatMul", ["m", "w"], ["n"]),
        node("Bernoulli", ["n"], ["y"]),
    ]
    proto = model(nodes, [value("x", ("n", 300))], [value("y", None)], {"w": _weights(300, 200)})
    (error,) = _errors(save(tmp_path, proto))
    assert "Bernoulli is not supported: 2 nodes" == error.message


def test_output_of_another_type(tmp_path: Path) -> None:
    """An integer output of a refused operator is not judged as a real one."""
    nodes = [node("NonZero", ["x"], ["y"])]
    outputs = [value("y", None, TensorProto.INT64)]
    (error,) = _errors(save(tmp_path, model(nodes, [value("x", (1, 4))], outputs)))
    assert "NonZero is not supported" == error.message


def test_no_way_out_of_what_is_read() -> None:
    """Operators that readers take need no other way."""
    assert set() == WAYS.keys() & all_readers().keys()
