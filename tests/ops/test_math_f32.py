# SPDX-License-Identifier: Apache-2.0
"""Functions of float32 in C and numpy: equal in every bit, and near the real value."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from mcuplan.ir.types import Array
from mcuplan.ops import _hyperbolic_f32 as hyperbolic
from mcuplan.ops import _math_f32 as f32
from mcuplan.ops._pow_f32 import pow_f32
from mcuplan.ops._trig_f32 import atan_f32, cos_f32, sin_f32
from mcuplan.resources import codegen_dir

from .c_program import SANITIZE, WARNINGS

Twin = Callable[..., Array]
Double = Callable[..., float]


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _sigmoid(x: float) -> float:
    power = math.exp(-abs(x))
    return (power if x < 0 else 1.0) / (1.0 + power)


HYPERBOLIC = ("acos", "acosh", "asin", "asinh", "atanh", "cosh", "sinh", "tan")
UNARY: Mapping[str, tuple[Twin, Double, float]] = {
    "atan": (atan_f32, math.atan, 0.9),
    "ceil": (f32.ceil_f32, lambda x: float(np.ceil(x)), 0.0),
    "cos": (cos_f32, math.cos, 1.6),
    "erf": (f32.erf_f32, math.erf, 1.35),
    "exp": (f32.exp_f32, math.exp, 0.94),
    "expm1": (f32.expm1_f32, math.expm1, 1.79),
    "floor": (f32.floor_f32, lambda x: float(np.floor(x)), 0.0),
    "log": (f32.log_f32, math.log, 0.84),
    "log1p": (f32.log1p_f32, math.log1p, 0.84),
    "rint": (f32.rint_f32, lambda x: float(np.rint(x)), 0.0),
    "sigmoid": (f32.sigmoid_f32, _sigmoid, 1.82),
    "sin": (sin_f32, math.sin, 1.6),
    "softplus": (f32.softplus_f32, _softplus, 1.62),
    "sqrt": (f32.sqrt_f32, math.sqrt, 0.5),
    "tanh": (f32.tanh_f32, math.tanh, 1.33),
    **{name: (getattr(hyperbolic, f"{name}_f32"), getattr(math, name), 4.0) for name in HYPERBOLIC},
}
"""The twin, the function in double, and the largest error in units of the last place."""

_PROGRAM = """
#include <stdio.h>
#include "mplan_gates_f32.h"
#include "mplan_hyperbolic_f32.h"
#include "mplan_pow_f32.h"
#include "mplan_trig_f32.h"

int main(void)
{
    static float in[2][1 << 17];
    const size_t count = fread(in[0], sizeof in[0][0], 1 << 17, stdin) / 2U;
    const float *const x = in[0];
    const float *const y = &in[0][count];

    (void)y;
    for (size_t i = 0U; i < count; i++) {
        const float made[] = {@};
        (void)fwrite(made, sizeof made, 1U, stdout);
    }
    return 0;
}
"""


def _values() -> Array:
    """Any bits, numbers of a usual size, and every edge with its neighbours."""
    rng = np.random.default_rng(5)
    edges = [0, 0x00800000, 0x33000000, 0x3F000000, 0x3F200000, 0x3F3504F3, 0x3F49_0FDB]
    edges += [0x3F680000, 0x3F800000, 0x40000000, 0x407C0000, 0x41140000, 0x41900000]
    edges += [0x42B20000, 0x42D00000, 0x4B000000, 0x4B800000, 0x7F800000, 0x7FC00000]
    near = np.array([e + d for e in edges for d in range(-3, 4)], np.int64)
    anything = rng.integers(0, 1 << 32, 20000)
    usual = rng.normal(0, 1, 20000) * np.exp2(rng.uniform(-14, 7, 20000))
    bits = np.concatenate([near, near + 0x80000000, anything]) & 0xFFFFFFFF
    whole = np.arange(-150, 151) / 2
    parts = (
        bits.astype(np.uint32).view(np.float32),
        usual.astype(np.float32),
        whole.astype(np.float32),
    )
    return np.concatenate(parts)


def _pairs() -> tuple[Array, Array]:
    """All pairs of special numbers, then powers that are neither 0 nor infinite, and any."""
    rng = np.random.default_rng(6)
    special = [0.0, 1.0, 1.0000001, 0.99999994, 2.0, 3.0, 0.5, 2.5, 1e-45, 1e-38, 16777215.0]
    special += [8388609.0, 33554432.0, 3.4e38, np.inf, np.nan, 149.5, 1 / 3]
    signs = np.array([*special, *(-v for v in special)], np.float32)
    x, y = (each.reshape(-1) for each in np.meshgrid(signs, signs))
    base = np.exp2(rng.uniform(-126, 127, 20000) * rng.uniform(0, 1, 20000) ** 3)
    exponent = rng.uniform(-155, 155, 20000) / np.log2(np.where(base == 1, 2, base))
    wild = rng.integers(0, 1 << 32, (2, 5000)).astype(np.uint32).view(np.float32)
    base, exponent = base.astype(np.float32), exponent.astype(np.float32)
    return np.concatenate([x, base, wild[0]]), np.concatenate([y, exponent, wild[1]])


def _in_c(folder: Path, compiler: str, calls: list[str], x: Array, y: Array) -> Array:
    """Bits that calls give in C: [values, calls]."""
    source, program = folder / "math.c", folder / "math"
    source.write_text(_PROGRAM.replace("@", ", ".join(calls)))
    flags = [*WARNINGS, *SANITIZE, "-fsanitize=float-cast-overflow", "-O1", "-ffp-contract=off"]
    include = f"-I{codegen_dir() / 'include'}"
    subprocess.run([compiler, *flags, include, str(source), "-o", str(program)], check=True)
    given = np.concatenate([x, y]).astype(np.float32).tobytes()
    done = subprocess.run([str(program)], input=given, capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint32).reshape(len(x), len(calls))


def _errors(made: Array, wanted: Array) -> Array:
    """In units of the last place of the real value; infinite beyond the largest float32."""
    _, exponent = np.frexp(wanted)
    unit = np.ldexp(1.0, np.maximum(exponent, -125) - 24)
    most = float(np.finfo(np.float32).max)
    made, wanted = (np.clip(v.astype(np.float64), -most, most) for v in (made, wanted))
    return np.abs(made - wanted) / unit


def _real(function: Double, *arrays: Array) -> Array:
    """A function of float in double: NaN outside the domain, infinite where it overflows."""

    def value(*x: float) -> float:
        try:
            return function(*x)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.copysign(math.inf, x[0]) if function is math.sinh else math.inf

    return np.array([value(*map(float, x)) for x in zip(*arrays, strict=True)])


def test_functions_equal_their_twins_in_every_bit(tmp_path: Path, host_gcc: str) -> None:
    """Of any number, subnormal, infinite or none at all, without undefined behaviour."""
    x = _values()
    calls = [f"mplan_{name}_f32(x[i])" for name in UNARY]
    found = _in_c(tmp_path, host_gcc, calls, x, x)
    for k, (name, (twin, _, _)) in enumerate(UNARY.items()):
        different = found[:, k] != twin(x).view(np.uint32)
        assert [] == x[different].tolist(), name


@pytest.mark.parametrize("name", UNARY)
def test_functions_are_near_the_real_value(name: str) -> None:
    """Within the stated error, and no number exactly where the real value is none."""
    twin, function, limit = UNARY[name]
    x = _values()
    made = twin(x)
    poles = {"log": 0.0, "log1p": -1.0, "atanh": 1.0}
    if name in poles:
        pole = np.abs(x) == 1.0 if name == "atanh" else x == poles[name]
        assert np.isinf(made[pole]).all()
        x, made = x[~pole], made[~pole]
    wanted = _real(function, x)
    assert (np.isnan(wanted) == np.isnan(made)).all()
    known = ~np.isnan(wanted)
    assert limit >= _errors(made[known], wanted[known]).max()
    zero = wanted == 0
    assert (np.signbit(wanted[zero]) == np.signbit(made[zero])).all()


def test_powers_equal_their_twin_in_every_bit(tmp_path: Path, host_gcc: str) -> None:
    """Of any two numbers."""
    x, y = _pairs()
    found = _in_c(tmp_path, host_gcc, ["mplan_pow_f32(x[i], y[i])"], x, y)[:, 0]
    different = found != pow_f32(x, y).view(np.uint32)
    assert [] == list(zip(x[different].tolist(), y[different].tolist(), strict=True))


def test_powers_are_near_the_real_value() -> None:
    """As numpy has them in double; zeros and infinities have their sign."""
    x, y = _pairs()
    made = pow_f32(x, y)
    with np.errstate(all="ignore"):
        wanted = np.power(x.astype(np.float64), y.astype(np.float64))
        rounded = wanted.astype(np.float32)
    known = ~np.isnan(wanted)
    assert (known == ~np.isnan(made)).all()
    assert 1.05 >= _errors(made[known], wanted[known]).max()
    assert (np.signbit(rounded[known]) == np.signbit(made[known])).all()
