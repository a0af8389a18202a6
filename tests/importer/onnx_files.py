# SPDX-License-Identifier: Apache-2.0
"""Small model files for the tests of the importer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def value(name: str, shape: Sequence[int | str | None] | None, kind: int = FLOAT) -> Any:
    """An input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def node(op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any:
    """A node named after its first output."""
    attributes.setdefault("name", f"{op_type}_{outputs[0]}" if outputs else op_type)
    return helper.make_node(op_type, list(inputs), list(outputs), **attributes)


def model(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
    extra: Sequence[Any] = (),
) -> Any:
    """A model of the given nodes; constants are numpy arrays or TensorProtos."""
    tensors = [
        numpy_helper.from_array(np.asarray(array), name)
        if not isinstance(array, TensorProto)
        else array
        for name, array in (constants or {}).items()
    ]
    graph = helper.make_graph(list(nodes), "test", list(inputs), list(outputs), tensors)
    imports = [helper.make_opsetid("", opset), *extra]
    return helper.make_model(graph, opset_imports=imports, ir_version=9, producer_name="tests")


def save(folder: Path, proto: Any, name: str = "model.onnx") -> Path:
    """Write a model file."""
    path = folder / name
    path.write_bytes(proto if isinstance(proto, bytes) else proto.SerializeToString())
    return path


def conv_model(weights: Any = None, shape: Sequence[int | str | None] = (1, 3, 8, 8)) -> Any:
    """One convolution with a bias."""
    if weights is None:
        weights = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    constants = {"w": weights, "b": np.arange(4, dtype=np.float32)}
    nodes = [node("Conv", ["x", "w", "b"], ["y"], kernel_shape=[3, 3])]
    return model(nodes, [value("x", shape)], [value("y", None)], constants)


def run_onnx(path: Path, feeds: Mapping[str, Any]) -> list[Any]:
    """Outputs of ONNX Runtime without graph optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    outputs: list[Any] = session.run(None, dict(feeds))
    return outputs


__all__ = [
    "FLOAT",
    "TensorProto",
    "conv_model",
    "model",
    "node",
    "onnx",
    "run_onnx",
    "save",
    "value",
]
