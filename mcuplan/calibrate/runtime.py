# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on a model in memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mcuplan.errors import ToolFailed
from mcuplan.ir.types import Array

__all__ = ["Runtime"]

_NUMPY_TYPES = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class Runtime:
    """A loaded model; runs on one thread, so that results do not depend on the machine."""

    def __init__(self, model: bytes, *, optimize: bool = True) -> None:
        """Load a serialized model.

        Args:
            model: a serialized ONNX model.
            optimize: let the runtime rewrite the graph; off, nodes run as they are written.

        Raises:
            ToolFailed: the runtime refuses it.
        """
        import onnxruntime as ort  # slow to import, and not every command runs a model

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = (
            level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
        )
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its classes have no other base
            raise _refused(error) from error
        self.outputs = tuple(str(output.name) for output in self._session.get_outputs())
        self._types = {str(i.name): _NUMPY_TYPES.get(i.type) for i in self._session.get_inputs()}

    def run(self, feeds: Mapping[str, Array]) -> tuple[Array, ...]:
        """All outputs in order for one sample; values are given the model's element types."""
        typed = {name: a.astype(self._types[name] or a.dtype) for name, a in feeds.items()}
        try:
            return tuple(self._session.run(None, typed))
        except Exception as error:  # its classes have no other base
            raise _refused(error) from error


def _refused(error: Exception) -> ToolFailed:
    said = " ".join(str(error).split())[:400]
    return ToolFailed(
        f"ONNX Runtime refuses the model: {said}", hint="see if onnxruntime runs the file itself"
    )
