# SPDX-License-Identifier: Apache-2.0
"""Models whose outputs are constants or have no elements: little or nothing to be verified on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcuplan import pipeline
from mcuplan.errors import UsageError
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Request
from mcuplan.targets import load_target

_SLICE = {"first": 2, "end": 2, "axis": 1}


def test_a_model_without_inputs_is_refused(tmp_path: Path) -> None:
    """No sample of it exists: a message, no traceback; its values are there all the same."""
    constant = numpy_helper.from_array(np.ones((2, 3), np.float32), "c")
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])
    negated = helper.make_node("Neg", ["c"], ["y"])
    graph = helper.make_graph([negated], "g", [], [output], [constant])
    imports = [helper.make_opsetid("", 17)]
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    request = Request(path, load_target("cortex-m4"), dtype=DType.FLOAT32)
    planned = pipeline.plan(request)
    with pytest.raises(UsageError, match="no inputs"):
        verify(planned, request, Wanted("net"))
    (value,) = evaluate(planned.lowered, {}).values()
    assert np.full((2, 3), -1).tolist() == value.tolist()


@pytest.mark.parametrize("dtype", [DType.INT8, DType.FLOAT32])
def test_an_output_without_elements_is_equal(host_gcc: str, tmp_path: Path, dtype: DType) -> None:
    """An output of no rows is made, compared and found equal, beside another one."""
    ends = {name: numpy_helper.from_array(np.array([at]), name) for name, at in _SLICE.items()}
    nodes = [helper.make_node("Slice", ["x", *ends], ["y"]), helper.make_node("Relu", ["x"], ["z"])]
    shapes = {"x": [1, 4, 6], "y": [1, 0, 6], "z": [1, 4, 6]}
    x, *outputs = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    )
    graph = helper.make_graph(nodes, "g", [x], outputs, list(ends.values()))
    imports = [helper.make_opsetid("", 17)]
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    random = dtype is DType.INT8
    request = Request(path, load_target("cortex-m4"), dtype=dtype, random_calibration=random)
    planned = pipeline.plan(request)
    proof = verify(planned, request, Wanted("net")).verifications[0]
    assert proof.equal_to_reference
    assert not planned.notes
