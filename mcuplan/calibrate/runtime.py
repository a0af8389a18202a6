# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on a model in memory."""

from __future__ import annotations

from collections.abc import Mapping

from mcuplan.errors import ToolFailed
from mcuplan.ir.types import Array

__all__ = ["Runtime"]


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

    def run(self, feeds: Mapping[str, Array]) -> tuple[Array, ...]:
        """All outputs in order for one sample."""
        try:
            return tuple(self._session.run(None, dict(feeds)))
        except Exception as error:  # its classes have no other base
            raise _refused(error) from error


def _refused(error: Exception) -> ToolFailed:
    said = " ".join(str(error).split())[:400]
    return ToolFailed(
        f"ONNX Runtime refuses the model: {said}", hint="see if onnxruntime runs the file itself"
    )
