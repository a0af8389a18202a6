# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcuplan.errors import AccumulatorOverflow, ScaleError
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.quant.requantize import (
    act_limits,
    requantize,
    requantize_factors,
    weighted_requant,
)
from mcuplan.resources import codegen_dir

_EDGES = [0, 1, -1, 2, -2, 127, -128, 2**15, -(2**15), 2**24 - 1, -(2**24), 2**31 - 1, -(2**31)]


@given(
    st.floats(1e-9, 60.0),
    st.integers(-(2**24), 2**24),
)
def test_result_is_the_nearest_integer_to_the_real_product(real: float, acc: int) -> None:
    """The requantized value is off the exact product by rounding and 2**-32 of the accumulator."""
    multiplier, pre_shift = requantize_factors(real, 2**24)
    exact = Fraction(acc) * Fraction(real)
    got = ((acc << pre_shift) * multiplier + 2**31) >> 32
    slack = Fraction(1, 2) + Fraction(abs(acc) << pre_shift, 2**33)
    assert slack >= abs(got - exact)


@given(st.floats(1e-9, 60.0))
def test_pre_shift_is_the_smallest_that_holds_the_factor(real: float) -> None:
    """One shift less would take the multiplier beyond 31 bits."""
    multiplier, pre_shift = requantize_factors(real, 2**20)
    assert 0 <= multiplier < 2**31
    assert pre_shift == 0 or math.floor(real * 2.0 ** (33 - pre_shift) + 0.5) >= 2**31


@pytest.mark.parametrize("real", [0.0, -1.0, math.nan, math.inf])
def test_impossible_factors_are_refused(real: float) -> None:
    """A factor that is not positive and finite is a scale error."""
    with pytest.raises(ScaleError):
        requantize_factors(real, 1000)


def test_factor_too_large_for_its_accumulator_is_refused() -> None:
    """A result that could pass 2**30 is a scale error."""
    with pytest.raises(ScaleError):
        requantize_factors(64.0, 2**24)


def test_multiplier_may_be_zero_only_where_all_results_are_zero() -> None:
    """2**-34 times any int32 stays under one half."""
    assert (0, 0) == requantize_factors(2.0**-34, 2**31 - 1)


def test_halves_round_up() -> None:
    """-0.5 becomes 0 and 0.5 becomes 1."""
    multiplier, pre_shift = requantize_factors(0.5, 4)
    q = requantize(np.array([-3, -1, 1, 3]), multiplier, pre_shift, 0)
    assert [-1, 0, 1, 2] == q.tolist()


def test_bias_takes_the_zero_point_of_the_input() -> None:
    """Folding the zero point leaves the sum what it was with (q - zero_point)."""
    weights = np.array([[3, -4], [100, 27]], np.int8)
    source = TensorType((1, 2), DType.INT8, Quant.per_tensor(0.1, 5))
    output = TensorType((1, 2), DType.INT8, Quant.per_tensor(1.0, 0))
    kind = TensorType((2, 2), DType.INT8, Quant((0.1, 0.2), (0, 0), 0))
    made = weighted_requant(weights, np.array([7, 8], np.int32), source, kind, output)
    x = np.array([11, -9])
    direct = weights.astype(int) @ (x - 5) + np.array([7, 8])
    assert (weights.astype(int) @ x + made.bias).tolist() == direct.tolist()


def test_overflowing_accumulator_is_refused() -> None:
    """A sum that could pass int32 for some input is an error, whatever the data."""
    weights = np.full((1, 140_000), 127, np.int8)
    source = TensorType((1, 140_000), DType.INT8, Quant.per_tensor(0.1, 0))
    kind = TensorType(weights.shape, DType.INT8, Quant((1e-9,), (0,), 0))
    with pytest.raises(AccumulatorOverflow):
        weighted_requant(weights, np.zeros(1, np.int32), source, kind, source)


def test_relu6_becomes_clamp_limits_on_the_grid() -> None:
    """Real limits are rounded to the output grid; open ends saturate."""
    quant = Quant.per_tensor(0.05, -100)
    assert (-100, 20) == act_limits(quant, (0.0, 6.0))
    assert (-128, 127) == act_limits(quant, (float("-inf"), float("inf")))


_PROGRAM = """
#include <stdio.h>
#include "mplan.h"
int main(void)
{{
    static const int32_t acc[] = {{ {acc} }};
    static const int32_t multiplier[] = {{ {multiplier} }};
    static const uint32_t shift[] = {{ {shift} }};
    for (size_t i = 0U; i < sizeof acc / sizeof acc[0]; i++) {{
        printf("%d\\n", (int)mplan_scale(acc[i], multiplier[i], shift[i]));
    }}
    return 0;
}}
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_c_and_python_agree_at_the_edges_and_samples_of_int32(tmp_path: Path) -> None:
    """mplan_scale gives the integers of the Python definition."""
    rng = np.random.default_rng(7)
    accs = [*_EDGES, *rng.integers(-(2**31), 2**31, 300).tolist()]
    cases = []
    for acc in accs:
        for real in (1e-8, 0.013, 0.4999999, 0.5, 0.75):
            if abs(acc) * real < 2**30:
                cases.append((acc, *requantize_factors(real, abs(acc))))

    def text(column: int) -> str:
        return ", ".join(
            "(-2147483647 - 1)" if c[column] == -(2**31) else str(c[column]) for c in cases
        )

    source = tmp_path / "scale.c"
    source.write_text(_PROGRAM.format(acc=text(0), multiplier=text(1), shift=text(2)))
    include = codegen_dir() / "include"
    subprocess.run(
        ["gcc", "-std=c99", "-fsanitize=undefined", f"-I{include}", source, "-o", tmp_path / "x"],
        check=True,
    )
    said = subprocess.run([tmp_path / "x"], check=True, capture_output=True, text=True).stdout
    want = [((acc << shift) * multiplier + 2**31) >> 32 for acc, multiplier, shift in cases]
    assert want == [int(line) for line in said.split()]
