# SPDX-License-Identifier: Apache-2.0
"""States that names and shapes tell of."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import NodeProto, TensorProto, helper

from mcuplan import passes
from mcuplan.errors import UsageError
from mcuplan.importer.onnx import load_model
from mcuplan.importer.states import state_pairs
from mcuplan.ir.graph import Port
from mcuplan.ir.types import DType


def _ports(*names: str, shape: tuple[int, ...] = (1, 4)) -> tuple[Port, ...]:
    return tuple(Port(name, name, shape, DType.FLOAT32) for name in names)


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("h", "hn"),
        ("h0", "hn"),
        ("c0", "cn"),
        ("state", "new_state"),
        ("state_in", "state_out"),
        ("past_key_0", "present_key_0"),
        ("cache_in.2", "cache_out.2"),
        ("prev_hidden", "next_hidden"),
    ],
)
def test_names_of_states(read: str, written: str) -> None:
    """A name before and a name after a call, of one thing that is kept."""
    inputs, outputs = _ports("x", read), _ports("y", written)
    assert ((read, written),) == state_pairs(inputs, outputs)


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("in1", "add_3"),
        ("image_in", "image_out"),
        ("state", "state"),
        ("cache_in_0", "cache_out_1"),
        ("hidden", "logits"),
    ],
)
def test_other_names(read: str, written: str) -> None:
    """Names that do not plainly say so are none."""
    assert () == state_pairs(_ports("x", read), _ports("y", written))


def test_what_is_open() -> None:
    """Other shapes, ends of two pairs, and a model of states alone are none."""
    assert () == state_pairs(_ports("x", "h"), (*_ports("y"), *_ports("hn", shape=(1, 5))))
    assert () == state_pairs(_ports("x", "h", "h0"), _ports("y", "hn"))
    assert () == state_pairs(_ports("h"), _ports("y", "hn"))


def _saved(path: Path, kinds: dict[str, int], *nodes: NodeProto) -> Path:
    info = [helper.make_tensor_value_info(name, kind, (1, 4)) for name, kind in kinds.items()]
    graph = helper.make_graph(nodes, "test", info[:2], info[2:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(made.SerializeToString())
    return path


def test_found_and_refused(tmp_path: Path) -> None:
    """States are marked and said in a note; a user who wants none gets none."""
    kinds = dict.fromkeys(("x", "h", "y", "hn"), TensorProto.FLOAT)
    nodes = [helper.make_node("Add", ["x", "h"], ["hn"]), helper.make_node("Relu", ["hn"], ["y"])]
    path = _saved(tmp_path / "model.onnx", kinds, *nodes)
    assert ["h"] == [state.name for state in load_model(path).graph.states]
    assert "StatesFound" in {type(note).__name__ for note in load_model(path).graph.notes}
    assert () == load_model(path, states=(("", ""),)).graph.states


def test_integers_as_states(tmp_path: Path) -> None:
    """What is read as real numbers and made of integers is no state; integers keep their type."""
    kinds = {"x": 1, "h": TensorProto.INT64, "y": 1, "hn": TensorProto.INT64}
    real = [
        helper.make_node("Cast", ["h"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "real"], ["y"]),
        helper.make_node("Cast", ["y"], ["hn"], to=TensorProto.INT64),
    ]
    path = _saved(tmp_path / "real.onnx", kinds, *real)
    assert () == load_model(path).graph.states
    with pytest.raises(UsageError, match="integers"):
        load_model(path, states=(("h", "hn"),))
    whole = [
        helper.make_node("Mod", ["h", "h"], ["rest"]),
        helper.make_node("Cast", ["rest"], ["narrow"], to=TensorProto.INT32),
        helper.make_node("Cast", ["narrow"], ["hn"], to=TensorProto.INT64),
        helper.make_node("Relu", ["x"], ["y"]),
    ]
    graph = passes.run(load_model(_saved(tmp_path / "whole.onnx", kinds, *whole)).graph)
    assert {"i8"} == {
        graph.tensor(p.tensor).type.dtype.numpy.str[1:]
        for p in (graph.states[0].read, graph.states[0].written)
    }
