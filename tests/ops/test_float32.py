# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcuplan.ir.op import Kernel, Op
from mcuplan.ir.types import DType
from mcuplan.ops import kernels_of
from mcuplan.ops.attention import Attention
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.cum_sum import CumSum
from mcuplan.ops.dense import Dense
from mcuplan.ops.lp_pool import LpPool
from mcuplan.ops.masked_attention import MaskedAttention
from mcuplan.ops.normalize import Normalize
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.ops.reductions import Norm
from mcuplan.ops.resize import Resize
from mcuplan.ops.softmax import OverClasses
from mcuplan.ops.support_vectors import SupportVectors
from mcuplan.ops.unary import Lookup

from .c_program import Program
from .cases import FloatCase, all_examples, make_float_case

_EXPONENTIAL = Attention | MaskedAttention | SupportVectors


def _cases(seed: int) -> list[tuple[FloatCase, Kernel]]:
    """Every example of every operator that has a kernel for float32."""
    return [
        (case, kernel)
        for name, example in all_examples()
        if not example.types
        for case in [make_float_case(name, example, seed)]
        for kernel in kernels_of().get(type(example.op), ())
        if kernel.runs(case.sig) and case.sig.output.dtype is DType.FLOAT32
    ]


def test_convolution_and_dense_are_among_them() -> None:
    """Each operator that is defined for float32 has a kernel for each of its examples."""
    found = {case.name: type(case.sig.op) for case, _ in _cases(0)}
    for op in (Conv2D, Dense):
        assert len(list(op.examples())) == list(found.values()).count(op)


@pytest.mark.parametrize("seed", [1, 2])
def test_c_equals_the_float32_meaning_in_every_bit(
    seed: int, tmp_path: Path, host_gcc: str
) -> None:
    """However the rows lie in memory."""
    program = Program(seed)
    for case, kernel in _cases(seed):
        program.add(case, kernel)
    assert [] == program.run(tmp_path)


@pytest.mark.parametrize("seed", [3, 4])
def test_the_order_of_the_sums_is_near_any_other(seed: int) -> None:
    """The float32 meaning is that of the operator, up to rounding of as many products."""
    for case, _ in _cases(seed):
        if isinstance(case.sig.op, _EXPONENTIAL):
            case = _moderate(case)
        exact = case.sig.op.reference(*(array.astype(np.float64) for array in case.arrays))[0]
        absolute = [np.abs(array.astype(np.float64)) for array in case.arrays]
        cost, elements = case.sig.cost, case.sig.output.elements
        if isinstance(
            case.sig.op, Attention | MaskedAttention | SupportVectors
        ):  # an error of an exponent grows
            sizes, terms = np.abs(case.arrays[2]).max(), 8 * max(a.size for a in case.arrays)
        elif cost.macs:
            plain = type(case.sig.op)(**_plain(case.sig.op))
            sizes = plain.reference(*absolute)[0]
            terms = max(case.arrays[1][0].size, cost.macs // max(1, elements)) + 1
        elif isinstance(case.sig.op, AvgPool2D):
            sizes, terms = case.sig.op.reference(*absolute)[0], math.prod(case.sig.op.kernel)
        elif isinstance(case.sig.op, Normalize):  # sums of both signs, whose size the norm is of
            sizes, terms = np.abs(exact).max(), case.arrays[0].size
        elif isinstance(case.sig.op, LpPool):
            sizes, terms = exact, case.sig.op.order + math.prod(case.sig.op.kernel) + 4
        elif isinstance(case.sig.op, Resize):  # weights are rounded, too
            sizes = _positive(case.sig.op).reference(*absolute)[0]
            terms = 4 + sum(own.taps for own in case.sig.op.axes)
        elif isinstance(case.sig.op, Lookup | OverClasses):  # steps, whose values may be larger
            sizes, terms = 1 + np.abs(exact), max(4, case.sig.output.channels)
        elif isinstance(case.sig.op, CumSum | Norm):
            sizes, terms = case.sig.op.reference(*absolute)[0], case.arrays[0].size
        else:
            sizes, terms = np.abs(exact), 0
        made = case.integer()
        assert (np.isnan(made) == np.isnan(exact)).all(), case.name
        known = np.isfinite(exact)
        assert (made[~known] == exact[~known])[~np.isnan(exact[~known])].all(), case.name
        allowed = np.broadcast_to((terms + 1) * 2.0**-23 * sizes, exact.shape)[known]
        assert (np.abs(made[known] - exact[known]) <= allowed).all(), case.name


def _moderate(case: FloatCase) -> FloatCase:
    """Values whose exponentials tell them apart, the largest of them 2."""
    arrays = tuple(np.float32(2) * np.tanh(array) for array in case.arrays)
    sig = replace(
        case.sig,
        constants=tuple(
            None if given is None else array
            for given, array in zip(case.sig.constants, arrays, strict=True)
        ),
    )
    return replace(case, sig=sig, arrays=arrays)


def _plain(op: Op) -> dict[str, object]:
    """The attributes without a fused activation."""
    names = type(op).__dataclass_fields__
    return {name: getattr(op, name) for name in names if name != "act"}


def _positive(op: Resize) -> Resize:
    """The same without the signs of its weights."""
    axes = (
        replace(own, weights=tuple(tuple(map(abs, taps)) for taps in own.weights))
        for own in op.axes
    )
    return replace(op, axes=tuple(axes), outside=abs(op.outside))
