# SPDX-License-Identifier: Apache-2.0
"""Bytes that a kernel keeps in flash for a node: weights, tables, params structs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from mcuplan.ir.op import ConstArray, Kernel, Signature
from mcuplan.ir.types import DType
from mcuplan.price.structs import struct_bytes

__all__ = ["Constants", "constants_of"]


@dataclass(frozen=True, slots=True)
class Constants:
    """Bytes of weights by their type, and of tables with the structs that point to them."""

    weights: Mapping[DType, int]
    tables_bytes: int

    @property
    def weights_bytes(self) -> int:
        """Of all types."""
        return sum(self.weights.values())

    @property
    def nbytes(self) -> int:
        """Both together."""
        return self.weights_bytes + self.tables_bytes


def constants_of(kernel: Kernel, sig: Signature) -> Constants:
    """What all calls of a kernel for one node keep in flash; nothing is packed for that."""
    return sig.known((constants_of, kernel), lambda: _counted(kernel, sig))


def _counted(kernel: Kernel, sig: Signature) -> Constants:
    calls, of_layer = kernel.calls(sig), sig.op.weight_inputs[:1]
    arrays = [v for call in calls for v in call.fields.values() if isinstance(v, ConstArray)]
    weights: Counter[DType] = Counter()
    for array in (array for array in arrays if array.kind == "weights"):
        own = sig.inputs[of_layer[0]].dtype if of_layer else array.dtype
        weights[own] += array.nbytes  # with biases, and what is packed besides
    passed = {i for call in calls for i in call.inputs if sig.constants[i] is not None}
    for i in passed:
        weights[sig.inputs[i].dtype] += sig.inputs[i].nbytes
    structs = len(calls) * struct_bytes(kernel.function)
    return Constants(
        {dtype: nbytes for dtype, nbytes in weights.items() if nbytes},
        structs + sum(array.nbytes for array in arrays if array.kind != "weights"),
    )
