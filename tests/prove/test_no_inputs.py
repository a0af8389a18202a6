# SPDX-License-Identifier: Apache-2.0
"""A model whose outputs are constants has nothing to be verified on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcuplan import pipeline
from mcuplan.errors import UsageError
from mcuplan.ir.types import DType
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Request
from mcuplan.targets import load_target


def test_a_model_without_inputs_is_refused(tmp_path: Path) -> None:
    """No sample of it exists: a message, no traceback."""
    constant = numpy_helper.from_array(np.ones((2, 3), np.float32), "c")
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])
    negated = helper.make_node("Neg", ["c"], ["y"])
    graph = helper.make_graph([negated], "g", [], [output], [constant])
    imports = [helper.make_opsetid("", 17)]
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    request = Request(path, load_target("cortex-m4"), dtype=DType.FLOAT32)
    with pytest.raises(UsageError, match="no inputs"):
        verify(pipeline.plan(request), request, Wanted("net"))
