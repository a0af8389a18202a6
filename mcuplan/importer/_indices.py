# SPDX-License-Identifier: Apache-2.0
"""Operators of indices whose inputs are all constant, evaluated as ONNX itself does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedType
from mcuplan.importer._numeric import Folding
from mcuplan.ir.types import Array

__all__ = ["INDICES"]

_KINDS = "fiub"  # of numbers


def _as_onnx(most: Callable[[Folding], int]) -> Callable[[Folding], Array]:
    """The result of ONNX's own evaluator; ``most``: elements that it has at most."""

    def compute(folding: Folding) -> Array:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        node = folding.node
        values = {f"i{k}": value for k, value in enumerate(folding.inputs) if value is not None}
        if any(value.dtype.kind not in _KINDS for value in values.values()):
            raise UnsupportedType(f"{node.op_type} of what are no numbers")
        folding.reserve((max(0, most(folding)),), np.dtype(np.int64))
        names = [f"i{k}" if v is not None else "" for k, v in enumerate(folding.inputs)]
        given = node.attributes.items()
        attributes: dict[str, Any] = {k: [*v] if isinstance(v, tuple) else v for k, v in given}
        alone = helper.make_node(node.op_type, names, ["y"], **attributes)
        imports = [helper.make_opsetid("", node.opset)]
        inputs = [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in values.items()
        ]
        output = helper.make_tensor_value_info("y", 1, None)
        graph = helper.make_graph([alone], "alone", inputs, [output])
        model = helper.make_model(graph, opset_imports=imports)
        try:
            (found,) = ReferenceEvaluator(model).run(None, values)
        except Exception as error:  # whatever its Python raises
            message = f"{node.op_type} does not fit its constants"
            raise DamagedModel(message, hint="export again") from error
        return np.asarray(found)

    return compute


def _first(folding: Folding) -> int:
    return folding.value(0).size


def _second(folding: Folding) -> int:
    return folding.value(1).size


def _blocks(folding: Folding) -> int:
    """Of a GatherND: what the tuples leave of the data, for each of them."""
    data, indices = folding.value(0), folding.value(1)
    start = folding.node.get_int("batch_dims", 0) + indices.shape[-1]
    return math.prod(indices.shape[:-1]) * math.prod(data.shape[start:])


def _one_hot(folding: Folding) -> int:
    return folding.value(0).size * int(folding.value(1).reshape(-1)[0])


def _places(folding: Folding) -> int:
    x = folding.value(0)
    return x.size * max(1, x.ndim)


INDICES: Mapping[str, Callable[[Folding], Array]] = {
    "Compress": _as_onnx(_first),
    "EyeLike": _as_onnx(_first),
    "GatherElements": _as_onnx(_second),
    "GatherND": _as_onnx(_blocks),
    "NonZero": _as_onnx(_places),
    "OneHot": _as_onnx(_one_hot),
    "ReverseSequence": _as_onnx(_first),
    "ScatterElements": _as_onnx(_first),
    "ScatterND": _as_onnx(_first),
    "Trilu": _as_onnx(_first),
}
