# SPDX-License-Identifier: Apache-2.0
"""LogSoftmax over the last axis: a table of exponentials, and a logarithm by squaring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mcuplan.errors import ScaleError
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ops._math_f32 import log_f32
from mcuplan.ops.softmax import (
    REAL,
    OverClasses,
    classes_call,
    exponentials,
    powers_f32,
    read_softmax,
    write_softmax,
)

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "LogSoftmax"]

_BITS = 20  # of fractions


@dataclass(frozen=True, slots=True)
class LogSoftmax(OverClasses):
    """``x - max - log(sum(exp(x - max)))`` over the last axis."""

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float logarithm of the softmax."""
        below = arrays[0] - arrays[0].max(axis=-1, keepdims=True)
        return ((below - np.log(np.exp(below).sum(axis=-1, keepdims=True))).astype(np.float32),)

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """A logarithm of at most 1."""
        return (-math.inf, 0.0)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """The logarithm of the sum, taken off."""
        below, _, total = powers_f32(arrays[0])
        return (below - log_f32(total),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Sum of table entries, its logarithm to base 2, one rounding; as the C kernel."""
        table, unit_bits = exponentials(sig)
        step, octave = _factors(sig, unit_bits)
        padded = np.zeros(256, np.int64)
        padded[: len(table)] = table
        q = arrays[0].astype(np.int64)
        below = q.max(axis=-1, keepdims=True) - q
        octaves = _log2_fixed(padded[below].sum(axis=-1, keepdims=True), unit_bits)
        steps = ((octaves * octave) >> _BITS) + below * step + (1 << (_BITS - 1))
        result = sig.output.q.z - np.minimum(steps >> _BITS, 256)
        return (sig.output.dtype.clip(result),)


def _log2_fixed(total: Array, unit_bits: int) -> Array:
    """Logarithm to base 2 of ``total / 2**unit_bits``: the number doubles as it is squared."""
    whole = np.frompyfunc(int.bit_length, 1, 1)(total.astype(object)).astype(np.int64) - 1
    number = (total << (31 - whole)).astype(np.uint64)
    fraction = np.zeros_like(whole)
    for _ in range(_BITS):
        square = number * number
        carry = square >> np.uint64(63)
        number = square >> (np.uint64(31) + carry)
        fraction = (fraction << 1) | carry.astype(np.int64)
    made: Array = ((whole - unit_bits) << _BITS) | fraction
    return made


def _factors(sig: Signature, unit_bits: int) -> tuple[int, int]:
    """Output steps of one input step and of a factor of two, times ``2**_BITS``.

    Raises:
        ScaleError: the output scale is finer than the sum of exponentials, or out of reach.
    """
    scale, classes = sig.output.q.s, sig.output.shape[-1]
    if classes == 1:
        return 0, 0
    step, octave = (round(x / scale * 2.0**_BITS) for x in (sig.inputs[0].q.s, math.log(2.0)))
    error = (classes - 1) * 0.5**unit_bits / 2  # of the sum, which is at least 1
    if max(step, octave) >= 1 << 32 or error > scale / 4:
        raise ScaleError(
            f"output scale {scale:.3g} of a log softmax", hint="calibrate with representative data"
        )
    return step, octave


def _log_softmax(sig: Signature) -> tuple[Call, ...]:
    table, unit_bits = exponentials(sig)
    step, octave = _factors(sig, unit_bits)
    classes = sig.output.shape[-1]
    fields: dict[str, Field] = {
        "exponentials": ConstArray(DType.UINT32, table, "tables"),
        "exponentials_count": len(table),
        "classes": classes,
        "pixels": sig.output.row_bytes // classes,
        "step": step,
        "octave": octave,
        "unit_bits": unit_bits,
        "out_zero_point": sig.output.q.z,
    }
    return (Call(fields),)


OPS = (LogSoftmax,)
KERNELS = (
    Kernel(LogSoftmax, "mplan_log_softmax_s8", _log_softmax),
    Kernel(LogSoftmax, "mplan_log_softmax_f32", classes_call, types=REAL),
)
READERS = {"LogSoftmax": partial(read_softmax, op=LogSoftmax())}
WRITERS = {LogSoftmax: partial(write_softmax, onnx="LogSoftmax")}
