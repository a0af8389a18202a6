# SPDX-License-Identifier: Apache-2.0
"""ONNX's own evaluator, for models that a runtime refuses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mcuplan.errors import ToolFailed
from mcuplan.importer._numeric import numpy_type
from mcuplan.ir.types import Array

__all__ = ["Reference"]

_REAL = (1, 6, 7, 10, 11)  # types of inputs that samples are converted to; others are as given


class Reference:
    """ONNX's reference evaluator: slow, and at home in all of the standard."""

    def __init__(self, model: bytes) -> None:
        """Load a serialized model.

        Raises:
            ToolFailed: it has operators that the evaluator does not know.
        """
        from onnx.reference import ReferenceEvaluator

        try:
            self._evaluator = ReferenceEvaluator(model)
        except Exception as error:  # whatever its Python raises
            raise _refused(error) from error
        self.outputs = tuple(map(str, self._evaluator.output_names))
        kinds = zip(self._evaluator.input_names, self._evaluator.input_types, strict=True)
        self._types = {str(name): int(kind.tensor_type.elem_type) for name, kind in kinds}

    def run(self, feeds: Mapping[str, Array]) -> tuple[Array, ...]:
        """All outputs in order for one sample."""
        typed = {
            name: a.astype(numpy_type(self._types[name])) if self._types[name] in _REAL else a
            for name, a in feeds.items()
        }
        try:
            with np.errstate(all="ignore"):
                return tuple(np.asarray(v) for v in self._evaluator.run(None, typed))
        except Exception as error:  # whatever its Python raises
            raise _refused(error) from error


def _refused(error: Exception) -> ToolFailed:
    said = " ".join(str(error).split())[:400]
    return ToolFailed(
        f"ONNX's reference evaluator refuses the model: {said}",
        hint="see if onnxruntime runs the file itself",
    )
