# SPDX-License-Identifier: Apache-2.0
"""Functions that a model defines itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper
from onnx_files import model, node, save, value

from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate

_IMPORTS = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]


def _function(name: str, nodes: list[Any], attributes: tuple[str, ...] = ()) -> Any:
    return helper.make_function("local", name, ["a"], ["b"], nodes, _IMPORTS, list(attributes))


def _leaky() -> Any:
    """A function with an attribute that its node refers to."""
    made = helper.make_node("LeakyRelu", ["a"], ["b"])
    attribute = made.attribute.add(name="alpha", type=1)
    attribute.ref_attr_name = "slope"
    return _function("Leaky", [made], ("slope",))


def test_functions_of_functions(tmp_path: Path) -> None:
    """Nodes of one called twice are apart; attributes are handed down."""
    inner = helper.make_node("Leaky", ["a"], ["t"], domain="local", slope=0.25)
    outer = _function("Outer", [inner, helper.make_node("Add", ["t", "a"], ["b"])])
    nodes = [
        node("Outer", ["x"], ["m"], domain="local"),
        node("Outer", ["m"], ["y"], domain="local"),
    ]
    proto = model(nodes, [value("x", (1, 4))], [value("y", None)], extra=_IMPORTS[1:])
    proto.functions.extend([outer, _leaky()])
    graph = load_model(save(tmp_path, proto)).graph
    x = np.float32([[-4.0, -1.0, 0.0, 2.0]])
    (made,) = [evaluate(graph, {"x": x})[port.tensor] for port in graph.outputs]
    once = np.where(x < 0, 1.25 * x, 2 * x)
    np.testing.assert_allclose(np.where(once < 0, 1.25 * once, 2 * once), made, rtol=1e-6)


def test_a_function_that_nobody_calls_is_left_out(tmp_path: Path) -> None:
    """Whatever is in it."""
    unknown = helper.make_node("Nothing", ["a"], ["b"], domain="elsewhere")
    proto = model([node("Relu", ["x"], ["y"])], [value("x", (1, 4))], [value("y", None)])
    proto.functions.append(_function("Odd", [unknown]))
    assert 1 == len(load_model(save(tmp_path, proto)).graph.nodes)
