# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models, read by mcuplan and run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from mcuplan.exporter.onnx import to_onnx
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph


def node(op_type: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    """A node; inputs and outputs are names with spaces between, "-" for an absent one."""
    names, made = ([n if n != "-" else "" for n in text.split()] for text in (inputs, outputs))
    return helper.make_node(op_type, names, made, name=f"{op_type}_{outputs}", **attributes)


def model(
    nodes: Sequence[Any] | Any,
    inputs: Mapping[str, Sequence[int]],
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
    outputs: str = "y",
    types: Mapping[str, int] | None = None,
) -> Any:
    """A model of float inputs; ``types`` of outputs that are not float."""
    made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
    kinds = {name: TensorProto.FLOAT for name in outputs.split()} | dict(types or {})
    wanted = [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()]
    tensors = [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()]
    nodes = nodes if isinstance(nodes, list) else [nodes]
    graph = helper.make_graph(nodes, "test", made, wanted, tensors)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def run_onnx(proto: Any, feeds: Mapping[str, Any]) -> list[Any]:
    """Outputs of ONNX Runtime without graph optimizations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    data = proto.SerializeToString()
    session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
    found: list[Any] = session.run(None, dict(feeds))
    return found


def agrees(folder: Path, proto: Any, *, low: float = -3.0, high: float = 3.0) -> Graph:
    """Assert that the imported graph, and the graph written again, compute what the model does.

    Returns:
        The imported graph.
    """
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    graph = load_model(path).graph
    graph.check()
    rng = np.random.default_rng(5)
    feeds = {
        port.name: rng.uniform(low, high, port.shape).astype(np.float32) for port in graph.inputs
    }
    expected = run_onnx(proto, feeds)
    given = {}
    for port in graph.inputs:
        origin = graph.tensor(port.tensor).origin
        assert origin is not None
        given[port.tensor] = origin.from_model(feeds[port.name])
    found = evaluate(graph, given)
    written = run_onnx(to_onnx(graph, qdq=False), feeds)
    for port, array, again in zip(graph.outputs, expected, written, strict=True):
        assert port.shape == array.shape
        result = found[port.tensor]
        wanted = port.from_model(array[None]).reshape(result.shape)
        np.testing.assert_allclose(result, wanted, rtol=2e-5, atol=2e-6)
        np.testing.assert_allclose(again, array, rtol=2e-5, atol=2e-6)
    return graph


def kinds(graph: Graph) -> list[str]:
    """Operators of a graph that are no views."""
    return [type(n.op).__name__ for n in graph.nodes if not n.op.is_view]
