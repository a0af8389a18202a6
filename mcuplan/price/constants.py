# SPDX-License-Identifier: Apache-2.0
"""Bytes that a kernel keeps in flash for a node: weights, tables, params structs."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.ir.op import ConstArray, Kernel, Signature
from mcuplan.price.structs import kernel_struct

__all__ = ["Constants", "constants_of"]


@dataclass(frozen=True, slots=True)
class Constants:
    """Bytes of weights, and of tables with the structs that point to them."""

    weights_bytes: int
    tables_bytes: int

    @property
    def nbytes(self) -> int:
        """Both together."""
        return self.weights_bytes + self.tables_bytes


def constants_of(kernel: Kernel, sig: Signature) -> Constants:
    """What all calls of a kernel for one node keep in flash; nothing is packed for that."""
    calls = kernel.calls(sig)
    arrays = [v for call in calls for v in call.fields.values() if isinstance(v, ConstArray)]
    weights = sum(array.nbytes for array in arrays if array.kind == "weights")
    passed = {i for call in calls for i in call.inputs if sig.constants[i] is not None}
    structs = len(calls) * kernel_struct(kernel.function).nbytes
    return Constants(
        weights + sum(sig.inputs[i].nbytes for i in passed),
        structs + sum(array.nbytes for array in arrays if array.kind != "weights"),
    )
