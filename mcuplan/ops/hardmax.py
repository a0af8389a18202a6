# SPDX-License-Identifier: Apache-2.0
"""Hardmax over the last axis: 1 for the first of the largest classes, else 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mcuplan.ir.op import Call, Cost, Kernel, QuantRule, Signature
from mcuplan.ir.types import Array, Quant, TensorType
from mcuplan.ops.softmax import REAL, OverClasses, classes_call, read_softmax, write_softmax

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Hardmax"]


@dataclass(frozen=True, slots=True)
class Hardmax(OverClasses):
    """1 where a class is the first of the largest, else 0."""

    quant_rule = QuantRule.FIXED

    @property
    def fixed_quant(self) -> Quant:
        """0 and 1 lie on it, where the model brings no other."""
        return Quant.per_tensor(1 / 128, 0)

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Ones and zeros."""
        return (0.0, 1.0)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Ones and zeros."""
        return (_first(arrays[0]).astype(np.float32),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """The order of the integers is that of the real values."""
        one, zero = _ends(sig)
        return (np.where(_first(arrays[0]), one, zero).astype(np.int8),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """A comparison and a number for each class."""
        return Cost(ops=2 * outputs[0].elements)


def _first(x: Array) -> Array:
    """Where the first of the largest classes is."""
    made: Array = np.arange(x.shape[-1]) == x.argmax(axis=-1, keepdims=True)
    return made


def _ends(sig: Signature) -> tuple[int, int]:
    """What stands for 1 and 0."""
    one, zero = sig.output.q.quantize(np.array([1.0, 0.0], np.float32)).tolist()
    return one, zero


def _hardmax(sig: Signature) -> tuple[Call, ...]:
    (call,) = classes_call(sig)
    one, zero = _ends(sig)
    return (Call({**call.fields, "one": one, "zero": zero}),)


OPS = (Hardmax,)
KERNELS = (
    Kernel(Hardmax, "mplan_hardmax_s8", _hardmax),
    Kernel(Hardmax, "mplan_hardmax_f32", classes_call, types=REAL),
)
READERS = {"Hardmax": partial(read_softmax, op=Hardmax())}
WRITERS = {Hardmax: partial(write_softmax, onnx="Hardmax")}
