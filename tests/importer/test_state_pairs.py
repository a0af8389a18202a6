# SPDX-License-Identifier: Apache-2.0
"""States that names and shapes tell of."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto, helper

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


def test_found_and_refused(tmp_path: Path) -> None:
    """States are marked and said in a note; a user who wants none gets none."""
    shapes = {"x": (1, 4), "h": (1, 4), "y": (1, 4), "hn": (1, 4)}
    info = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()}
    nodes = [helper.make_node("Add", ["x", "h"], ["hn"]), helper.make_node("Relu", ["hn"], ["y"])]
    ends = [info["x"], info["h"]], [info["y"], info["hn"]]
    graph = helper.make_graph(nodes, "test", *ends)
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph, ir_version=8).SerializeToString())
    assert ["h"] == [state.name for state in load_model(path).graph.states]
    assert "StatesFound" in {type(note).__name__ for note in load_model(path).graph.notes}
    assert () == load_model(path, states=(("", ""),)).graph.states
