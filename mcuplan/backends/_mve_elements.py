# SPDX-License-Identifier: Apache-2.0
"""Kernels of int16 activations element by element, by integer vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from mcuplan.ir.op import Call, Field, Kernel, Signature
from mcuplan.ir.work import Work
from mcuplan.ops import kernels_of, portable_calls
from mcuplan.ops.eltwise import Add, Mul, Sub, common_factors, product_factors
from mcuplan.ops.fields import INT16_TYPES, clamp_fields, same_shapes
from mcuplan.ops.min_pool import MinPool2D
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.unary import Lookup

__all__ = ["wide_elements"]

_LOW_BITS = 15  # of the factor of an operand, in products by themselves


def _centred(sig: Signature) -> bool:
    """Whether operands of one shape, and the output, have no zero points."""
    return same_shapes(sig) and not any(kind.q.z for kind in (*sig.inputs, sig.output))


def _factors(sig: Signature) -> tuple[int, int, int]:
    """Of both operands of a sum, the second below 0 of a difference, and their shift."""
    (a, b), shift = common_factors(sig)
    return a, -b if isinstance(sig.op, Sub) else b, shift


def _sum_supports(sig: Signature) -> bool:
    """Whether a sum divided by 2^15 is an int32, as its low bits are in any case."""
    if not _centred(sig):
        return False
    a, b, shift = _factors(sig)
    return shift > _LOW_BITS and a + abs(b) <= 1 << 31


def _call(sig: Signature, own: dict[str, Field]) -> tuple[Call, ...]:
    fields: dict[str, Field] = dict.fromkeys(("low", "high", "low2", "high2", "multiplier"), 0)
    fields |= {"elements": sig.output.elements // sig.output.rows, "shift": 1}
    limits = clamp_fields(sig)
    del limits["out_zero_point"]
    return (Call(fields | limits | own, inputs=(0, 1)),)


def _sum(sig: Signature) -> tuple[Call, ...]:
    a, b, shift = _factors(sig)
    low = (1 << _LOW_BITS) - 1
    own: dict[str, Field] = {"low": a & low, "high": a >> _LOW_BITS, "shift": shift - _LOW_BITS}
    return _call(sig, own | {"low2": b & low, "high2": b >> _LOW_BITS, "is_product": 0})


def _product(sig: Signature) -> tuple[Call, ...]:
    multiplier, shift = product_factors(sig)
    assert not shift, "results of any two int16 stay in int32"
    return _call(sig, {"multiplier": multiplier, "is_product": 1})


def _elements_work(sig: Signature, runs: Sequence[int], together: int) -> Work:
    """So many elements of a row at a time, then four."""
    elements = sig.output.elements // max(1, sig.output.rows)
    rounds, rest = divmod(elements, together)
    return {
        "call": len(runs),
        "row": sum(runs),
        "round": sum(runs) * rounds,
        "four": sum(runs) * -(-rest // 4),
    }


def _sum_work(sig: Signature, runs: Sequence[int]) -> Work:
    work = dict(_elements_work(sig, runs, 8))
    return work | {"product": 0.0}


def _product_work(sig: Signature, runs: Sequence[int]) -> Work:
    work = dict(_elements_work(sig, runs, 4))
    return work | {"round": 0.0, "four": 0.0, "product": work["round"] + work["four"]}


def _fours_work(sig: Signature, runs: Sequence[int]) -> Work:
    work = _elements_work(sig, runs, 4)
    return {"call": work["call"], "row": work["row"], "four": work["round"] + work["four"]}


def _portable_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Loops are those of the portable kernel, some channels side by side."""
    portable = next(k for k in kernels_of()[type(sig.op)] if k.runs(sig))
    assert portable.work is not None
    return portable.work(sig, runs)


def _bends(sig: Signature) -> bool:
    """Whether a function is more than limits, which need no table."""
    return sig.op.clamp is None


def wide_elements(backend: str, requires: frozenset[str]) -> Iterator[Kernel]:
    """The kernels of a set, for what it asks of a core."""
    own = partial(Kernel, backend=backend, requires=requires, types=INT16_TYPES)
    for op in (Add, Sub):
        yield own(op, "mplan_binary_s16_mve", _sum, supports=_sum_supports, work=_sum_work)
    yield own(Mul, "mplan_binary_s16_mve", _product, supports=_centred, work=_product_work)
    yield own(Lookup, "mplan_lookup_s16_mve", portable_calls, supports=_bends, work=_fours_work)
    for pool in (AvgPool2D, MaxPool2D, MinPool2D):
        yield own(pool, "mplan_pool3d_s16_mve", portable_calls, work=_portable_work)
