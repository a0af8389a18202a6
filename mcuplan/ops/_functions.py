# SPDX-License-Identifier: Apache-2.0
"""Functions of one real value: their meaning in double, and how ONNX writes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcuplan.ir.types import Array, DType, Quant
from mcuplan.ir.writer import Writer

__all__ = ["COMPARISONS", "FUNCTIONS", "SMOOTH", "Function", "grid_of"]


@dataclass(frozen=True, slots=True)
class Function:
    """``value(x, *parameters)`` in double; written as one ONNX operator or by ``write``."""

    value: Callable[..., Array]
    onnx: str = ""
    attributes: tuple[str, ...] = ()  # names of the parameters in that operator
    write: Callable[..., str] | None = None  # (writer, value, *parameters) -> value


def _erf(x: Array) -> Array:
    return np.array([math.erf(v) for v in x.flat], np.float64).reshape(x.shape)


def _sigmoid(x: Array) -> Array:
    made: Array = 0.5 * (1.0 + np.tanh(0.5 * x))
    return made


def _softplus(x: Array) -> Array:
    made: Array = np.logaddexp(0.0, x)
    return made


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _selu(x: Array, alpha: float, gamma: float) -> Array:
    return gamma * _elu(x, alpha)


def _celu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0) / alpha))


def _hard_sigmoid(x: Array, alpha: float, beta: float) -> Array:
    made: Array = np.clip(alpha * x + beta, 0.0, 1.0)
    return made


def _gelu_tanh(x: Array) -> Array:
    made: Array = 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
    return made


def grid_of(scale: float, zero_point: float, bits: float) -> Quant:
    """The grid of signed integers that a function rounds to."""
    dtype = {4: DType.INT4, 8: DType.INT8, 16: DType.INT16}[int(bits)]
    return Quant.per_tensor(scale, int(zero_point), dtype)


def _rounded(x: Array, scale: float, zero_point: float, bits: float) -> Array:
    """QuantizeLinear and DequantizeLinear in float32, as ONNX defines them."""
    quant = grid_of(scale, zero_point, bits)
    steps = quant.quantize(x).astype(np.int32) - quant.z
    return (steps.astype(np.float32) * np.float32(quant.s)).astype(np.float64)


# -- written as several ONNX operators ---------------------------------------------------


def _scalar(out: Writer, value: float) -> str:
    return out.constant("factor", np.array(value, np.float32))


def _write_affine(out: Writer, x: str, scale: float, offset: float) -> str:
    if scale != 1.0:
        x = out.node("Mul", [x, _scalar(out, scale)])
    return out.node("Add", [x, _scalar(out, offset)]) if offset != 0.0 else x


def _write_swish(out: Writer, x: str, beta: float) -> str:
    return out.node("Mul", [x, out.node("Sigmoid", [_write_affine(out, x, beta, 0.0)])])


def _write_gelu(out: Writer, x: str) -> str:
    bell = out.node("Erf", [_write_affine(out, x, math.sqrt(0.5), 0.0)])
    return out.node("Mul", [_write_affine(out, x, 0.5, 0.0), _write_affine(out, bell, 1.0, 1.0)])


def _write_gelu_tanh(out: Writer, x: str) -> str:
    cube = out.node("Mul", [out.node("Mul", [x, x]), x])
    inside = out.node("Add", [x, _write_affine(out, cube, 0.044715, 0.0)])
    bell = out.node("Tanh", [_write_affine(out, inside, math.sqrt(2.0 / math.pi), 0.0)])
    return out.node("Mul", [_write_affine(out, x, 0.5, 0.0), _write_affine(out, bell, 1.0, 1.0)])


def _write_mish(out: Writer, x: str) -> str:
    return out.node("Mul", [x, out.node("Tanh", [out.node("Softplus", [x])])])


def _write_pow(out: Writer, x: str, exponent: float) -> str:
    return out.node("Pow", [x, _scalar(out, exponent)])


def _write_power_of(out: Writer, x: str, base: float) -> str:
    return out.node("Pow", [_scalar(out, base), x])


def _write_rounded(out: Writer, x: str, scale: float, zero_point: float, bits: float) -> str:
    return out.rounded(x, grid_of(scale, zero_point, bits), "rounding")


def _comparison(onnx: str, compare: Callable[..., Array]) -> Function:
    """1 where a value compares with a number, else 0."""

    def write(out: Writer, x: str, limit: float) -> str:
        return out.node("Cast", [out.node(onnx, [x, _scalar(out, limit)])], to=1)

    return Function(lambda x, limit: compare(x, limit).astype(np.float64), write=write)


COMPARISONS: Mapping[str, Function] = MappingProxyType(
    {
        "equal": _comparison("Equal", np.equal),
        "greater": _comparison("Greater", np.greater),
        "greater_equal": _comparison("GreaterOrEqual", np.greater_equal),
        "less": _comparison("Less", np.less),
        "less_equal": _comparison("LessOrEqual", np.less_equal),
    }
)
"""Functions whose values are 0 and 1."""

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "abs": Function(np.abs, "Abs"),
        "acos": Function(np.arccos, "Acos"),
        "acosh": Function(np.arccosh, "Acosh"),
        "affine": Function(lambda x, a, b: x * a + b, write=_write_affine),
        "asin": Function(np.arcsin, "Asin"),
        "asinh": Function(np.arcsinh, "Asinh"),
        "atan": Function(np.arctan, "Atan"),
        "atanh": Function(np.arctanh, "Atanh"),
        "ceil": Function(np.ceil, "Ceil"),
        "celu": Function(_celu, "Celu", ("alpha",)),
        "clip": Function(
            lambda x, low, high: np.minimum(np.maximum(x, low), high),
            write=lambda out, x, low, high: out.clamped(x, (low, high)),
        ),
        **COMPARISONS,
        "cos": Function(np.cos, "Cos"),
        "cosh": Function(np.cosh, "Cosh"),
        "elu": Function(_elu, "Elu", ("alpha",)),
        "erf": Function(_erf, "Erf"),
        "exp": Function(np.exp, "Exp"),
        "floor": Function(np.floor, "Floor"),
        "gelu": Function(lambda x: 0.5 * x * (1.0 + _erf(x * math.sqrt(0.5))), write=_write_gelu),
        "gelu_tanh": Function(_gelu_tanh, write=_write_gelu_tanh),
        "hard_sigmoid": Function(_hard_sigmoid, "HardSigmoid", ("alpha", "beta")),
        "hard_swish": Function(lambda x: x * _hard_sigmoid(x, 1 / 6, 0.5), "HardSwish"),
        "leaky_relu": Function(lambda x, a: np.where(x < 0, a * x, x), "LeakyRelu", ("alpha",)),
        "log": Function(np.log, "Log"),
        "mish": Function(lambda x: x * np.tanh(_softplus(x)), write=_write_mish),
        "neg": Function(np.negative, "Neg"),
        "pow": Function(np.power, write=_write_pow),
        "power_of": Function(lambda x, base: np.power(base, x), write=_write_power_of),
        "quantize": Function(_rounded, write=_write_rounded),
        "reciprocal": Function(np.reciprocal, "Reciprocal"),
        "round": Function(np.rint, "Round"),
        "selu": Function(_selu, "Selu", ("alpha", "gamma")),
        "sigmoid": Function(_sigmoid, "Sigmoid"),
        "sign": Function(np.sign, "Sign"),
        "sin": Function(np.sin, "Sin"),
        "sinh": Function(np.sinh, "Sinh"),
        "softplus": Function(_softplus, "Softplus"),
        "softsign": Function(lambda x: x / (1.0 + np.abs(x)), "Softsign"),
        "sqrt": Function(np.sqrt, "Sqrt"),
        "swish": Function(lambda x, beta: x * _sigmoid(beta * x), write=_write_swish),
        "tan": Function(np.tan, "Tan"),
        "tanh": Function(np.tanh, "Tanh"),
        "thresholded_relu": Function(
            lambda x, alpha: np.where(x > alpha, x, 0.0), "ThresholdedRelu", ("alpha",)
        ),
    }
)
"""By the name that chains use."""

SMOOTH = frozenset(
    {
        *("abs", "affine", "atan", "celu", "clip", "cos", "elu", "erf", "gelu", "gelu_tanh"),
        *("hard_sigmoid", "hard_swish", "leaky_relu", "mish", "neg", "selu", "sigmoid", "sin"),
        *("softplus", "softsign", "swish", "tanh"),
    }
)
"""Functions that straight lines come near everywhere."""
