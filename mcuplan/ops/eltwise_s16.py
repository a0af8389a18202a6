# SPDX-License-Identifier: Apache-2.0
"""The kernel of sums, products and extremes of two tensors in int16."""

from __future__ import annotations

from mcuplan.ir.op import Call, Field, Kernel, Op, Signature
from mcuplan.ops._broadcast import act_fields, broadcast_work, loop_fields
from mcuplan.ops.eltwise import Add, Maximum, Minimum, Mul, Sub, common_factors, product_factors
from mcuplan.ops.fields import INT16_TYPES

__all__ = ["KERNELS"]

_WHAT: dict[type[Op], int] = {Add: 0, Sub: 0, Mul: 1, Maximum: 2, Minimum: 3}


def _binary(sig: Signature) -> tuple[Call, ...]:
    """In int64; a difference is a sum with a negative factor."""
    fields: dict[str, Field] = {"what": _WHAT[type(sig.op)]}
    if isinstance(sig.op, Mul):
        fields["multiplier"], fields["shift"] = product_factors(sig)
    else:
        (a, b), fields["shift"] = common_factors(sig)
        fields |= {"multiplier": a, "multiplier2": -b if isinstance(sig.op, Sub) else b}
    fields |= {"in_zero_point": sig.inputs[0].q.z, "in2_zero_point": sig.inputs[1].q.z}
    return (Call(loop_fields(sig) | act_fields(sig) | fields, inputs=(0, 1)),)


KERNELS = tuple(
    Kernel(op, "mplan_binary_s16", _binary, types=INT16_TYPES, work=broadcast_work) for op in _WHAT
)
