# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on a model in memory, and ONNX's own evaluator where that refuses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mcuplan.errors import ToolFailed
from mcuplan.importer.evaluator import Reference
from mcuplan.ir.types import Array

__all__ = ["AnyRuntime", "Runtime"]

_NUMPY_TYPES: Mapping[str, Any] = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
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
        options.log_severity_level = 4  # what goes wrong is raised, too
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = (
            level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
        )
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its classes have no other base
            raise _refused(error) from error
        self.outputs = tuple(str(output.name) for output in self._session.get_outputs())
        self._types = {str(i.name): str(i.type) for i in self._session.get_inputs()}

    def run(self, feeds: Mapping[str, Array]) -> tuple[Array, ...]:
        """All outputs in order for one sample; values are given the model's element types."""
        typed = {name: _typed(a, self._types[name]) for name, a in feeds.items()}
        try:
            return tuple(self._session.run(None, typed))
        except Exception as error:  # its classes have no other base
            raise _refused(error) from error


_OUT_OF_RANGE = (
    "Out of range",
    "must be within",
    "out of data bounds",
    "invalid index",
)  # of an input's indices


class AnyRuntime:
    """ONNX Runtime without graph optimizations, else ONNX's reference evaluator.

    ``refused`` says why the runtime would not, "" where it did.
    """

    def __init__(self, model: bytes, refused: str = "") -> None:
        """Load a serialized model.

        Args:
            model: a serialized ONNX model.
            refused: why the runtime is not to be asked.

        Raises:
            ToolFailed: both refuse it.
        """
        self.refused = refused
        self._model = model
        self._runtime: Runtime | Reference
        try:
            if refused:
                raise ToolFailed(refused)
            self._runtime = Runtime(model, optimize=False)
        except ToolFailed as error:
            self._runtime = self._other(error)
        self.outputs = self._runtime.outputs

    def run(self, feeds: Mapping[str, Array]) -> tuple[Array, ...]:
        """All outputs in order for one sample."""
        try:
            return self._runtime.run(feeds)
        except ToolFailed as error:
            if self.refused or any(said in str(error.__cause__) for said in _OUT_OF_RANGE):
                raise  # numpy goes round and round for an index of 2**62
            self._runtime = self._other(error)
            return self._runtime.run(feeds)

    def _other(self, error: ToolFailed) -> Reference:
        self.refused = error.message
        return Reference(self._model)


def _typed(array: Array, kind: str) -> Array:
    return array.astype(_NUMPY_TYPES.get(kind, array.dtype))


def _refused(error: Exception) -> ToolFailed:
    said = " ".join(str(error).split())[:400]
    hint = "see if onnxruntime runs the file itself"
    return ToolFailed(f"ONNX Runtime refuses the model: {said}", hint=hint)
