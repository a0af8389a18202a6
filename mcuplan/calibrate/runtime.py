# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on a model in memory."""

from __future__ import annotations

from collections.abc import Mapping

from mcuplan.ir.types import Array

__all__ = ["Runtime"]


class Runtime:
    """A loaded model; runs on one thread, so that results do not depend on the machine."""

    def __init__(self, model: bytes, *, optimize: bool = True) -> None:
        """Load a serialized model.

        Args:
            model: a serialized ONNX model.
            optimize: let the runtime rewrite the graph; off, nodes run as they are written.
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
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.outputs = tuple(str(output.name) for output in self._session.get_outputs())

    def run(self, feeds: Mapping[str, Array]) -> tuple[Array, ...]:
        """All outputs in order for one sample."""
        return tuple(self._session.run(None, dict(feeds)))
