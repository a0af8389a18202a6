# SPDX-License-Identifier: Apache-2.0
"""Models that ONNX Runtime refuses are run by ONNX's own evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcuplan.calibrate import AnyRuntime, Runtime
from mcuplan.errors import ToolFailed


def _conv(**attributes: Any) -> bytes:
    weights = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], **attributes)],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 6, 5))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    imports = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=imports, ir_version=9)
    data: bytes = made.SerializeToString()
    return data


def test_dilation_with_same_padding(capfd: pytest.CaptureFixture[str]) -> None:
    """The runtime refuses it; its meaning is that of explicit pads, and nothing is printed."""
    x = np.random.default_rng(2).normal(size=(1, 1, 6, 5)).astype(np.float32)
    wanted = Runtime(_conv(dilations=[2, 2], pads=[2, 2, 2, 2])).run({"x": x})
    model = _conv(dilations=[2, 2], auto_pad="SAME_UPPER")
    with pytest.raises(ToolFailed):
        Runtime(model).run({"x": x})
    runtime = AnyRuntime(model)
    for _ in range(2):
        np.testing.assert_allclose(runtime.run({"x": x})[0], wanted[0], rtol=1e-5)
    assert "Dilation" in runtime.refused
    assert ("", "") == capfd.readouterr()


def test_runtime_first() -> None:
    """What the runtime takes is its own, and nothing is refused."""
    x = np.ones((1, 1, 6, 5), np.float32)
    runtime = AnyRuntime(_conv())
    np.testing.assert_array_equal(runtime.run({"x": x})[0], Runtime(_conv()).run({"x": x})[0])
    assert "" == runtime.refused


def test_both_refuse() -> None:
    """Neither takes a model without an operator of that name: an error of the tool."""
    with pytest.raises(ToolFailed, match="reference evaluator"):
        AnyRuntime(_conv().replace(b"Conv", b"Cano"))


@pytest.mark.parametrize("index", [2**62, 2**31 - 1, -(2**63)])
@pytest.mark.parametrize("rows", [2, 5])
def test_indices_out_of_range_are_refused_at_once(rows: int, index: int) -> None:
    """The reference evaluator takes years for an index of 2**62: it is not asked."""
    node = helper.make_node("GatherElements", ["x", "i"], ["y"], "a" * 99)  # a long message
    shapes = {"x": (1, (rows, 4)), "i": (7, (2, 4)), "y": (1, (2, 4))}
    ports = [helper.make_tensor_value_info(name, *kind) for name, kind in shapes.items()]
    graph = helper.make_graph([node], "net", ports[:2], ports[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    feeds = {"x": np.zeros((rows, 4), np.float32), "i": np.full((2, 4), index)}
    with pytest.raises(ToolFailed, match="GatherElements"):
        AnyRuntime(model.SerializeToString()).run(feeds)
