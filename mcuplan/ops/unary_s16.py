# SPDX-License-Identifier: Apache-2.0
"""Kernels of functions of one value in int16: lines between entries of a table, and clamps."""

from __future__ import annotations

from mcuplan.ir.op import Call, ConstArray, Kernel, Signature
from mcuplan.ir.types import DType
from mcuplan.ops.conversion import REQUANTIZE, requantize_call, requantize_work
from mcuplan.ops.fields import INT16_TYPES
from mcuplan.ops.unary import Lookup

__all__ = ["KERNELS"]


def _lookup(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Lookup)
    lines = op.lines(sig)
    entries = ConstArray(DType.INT32, lines.table, "tables")
    elements = sig.output.elements // max(1, sig.output.rows)
    return (Call({"table": entries, "shift": lines.shift, "elements": elements}),)


def _clamp(sig: Signature) -> tuple[Call, ...]:
    assert sig.op.clamp is not None
    return requantize_call(sig, sig.op.clamp)


def _clamps(sig: Signature) -> bool:
    return sig.op.clamp is not None


def _bends(sig: Signature) -> bool:
    return sig.op.clamp is None


KERNELS = (
    Kernel(
        Lookup,
        "mplan_lookup_s16",
        _lookup,
        supports=_bends,
        types=INT16_TYPES,
        work=requantize_work,
    ),
    Kernel(
        Lookup,
        REQUANTIZE,
        _clamp,
        supports=_clamps,
        types=INT16_TYPES,
        work=requantize_work,
    ),
)
