# SPDX-License-Identifier: Apache-2.0
"""Functions of one value in float32: steps of ``mplan_lanes_f32.h``, and what they give.

A program works on a stack of values of the same element, at first the element itself. Python
and C do the same steps in the same order, each rounded to float32: every bit is alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcuplan.ir.types import Array
from mcuplan.ops import _hyperbolic_f32 as hyperbolic
from mcuplan.ops import _math_f32 as f32
from mcuplan.ops import _trig_f32 as trig
from mcuplan.ops._chain import Chain, Conditional, Joined, UnaryFn
from mcuplan.ops._functions import grid_of
from mcuplan.ops._pow_f32 import pow_f32

__all__ = ["DEPTH", "LEVELS", "Program", "Step", "codes", "compiled", "depth", "level", "run"]

LEVELS = ("mplan_chain_f32", "mplan_chain_gates_f32", "mplan_chain_functions_f32")
"""Kernels, each of which has the steps of those before it."""

DEPTH = 8
"""Values on the stack of a kernel."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step by its name, with its constants."""

    name: str
    constants: tuple[float, ...] = ()


Program = tuple[Step, ...]


def _clip(x: Array, low: float, high: float) -> Array:
    above = np.where(x < low, low, x)
    return np.where(above > high, high, above)


def _grid(x: Array, scale: float, zero: float, low: float, high: float) -> Array:
    q = _clip(f32.rint_f32(x / scale) + zero, low, high)
    return (np.where(q >= low, q, zero) - zero) * scale


def _sign(x: Array) -> Array:
    return np.where(x > 0, 1, np.where(x < 0, -1, x))


def _larger(y: Array, x: Array) -> Array:
    return np.where(y < x, x, y)


def _smaller(y: Array, x: Array) -> Array:
    return np.where(y > x, x, y)


_JOINED: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "div": np.divide,
        "max": _larger,
        "min": _smaller,
    }
)
_ONE: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        "scale": np.multiply,
        "offset": np.add,
        "clip": _clip,
        "leaky": lambda x, a: np.where(x < 0, x * a, x),
        "above": lambda x, a: np.where(x > a, x, 0),
        "grid": _grid,
        "abs": np.abs,
        "neg": np.negative,
        "sign": _sign,
        "reciprocal": lambda x: np.float32(1) / x,
        "sqrt": f32.sqrt_f32,
        "floor": f32.floor_f32,
        "ceil": f32.ceil_f32,
        "round": f32.rint_f32,
        "equal": np.equal,
        "greater": np.greater,
        "greater_equal": np.greater_equal,
        "less": np.less,
        "less_equal": np.less_equal,
    }
)
_GATES: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        "exp": f32.exp_f32,
        "expm1": f32.expm1_f32,
        "log": f32.log_f32,
        "log1p": f32.log1p_f32,
        "tanh": f32.tanh_f32,
        "sigmoid": f32.sigmoid_f32,
        "softplus": f32.softplus_f32,
        "erf": f32.erf_f32,
    }
)
_FUNCTIONS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        "sin": trig.sin_f32,
        "cos": trig.cos_f32,
        "tan": hyperbolic.tan_f32,
        "asin": hyperbolic.asin_f32,
        "acos": hyperbolic.acos_f32,
        "atan": trig.atan_f32,
        "sinh": hyperbolic.sinh_f32,
        "cosh": hyperbolic.cosh_f32,
        "asinh": hyperbolic.asinh_f32,
        "acosh": hyperbolic.acosh_f32,
        "atanh": hyperbolic.atanh_f32,
        "pow": pow_f32,
        "power_of": lambda x, base: pow_f32(base, x),
    }
)
_OF_ONE = {**_ONE, **_GATES, **_FUNCTIONS}
_CODES = {
    name: number for number, name in enumerate(["copy", "swap", *_JOINED, "select", *_OF_ONE])
}


def level(program: Program) -> int:
    """Which of ``LEVELS`` is the first that has all steps."""
    names = {step.name for step in program}
    return 2 if names & _FUNCTIONS.keys() else 1 if names & _GATES.keys() else 0


def depth(program: Program) -> int:
    """Values on the stack, at most."""
    held = most = 1
    for step in program:
        held += {"copy": 1, "select": -2}.get(step.name, -1 if step.name in _JOINED else 0)
        most = max(most, held)
    return most


def codes(program: Program) -> tuple[Array, Array]:
    """As kernels take it: step and place of its constants [steps, 2], and the constants."""
    values: list[float] = []
    places: dict[tuple[float, ...], int] = {}
    rows = []
    for step in program:
        at = places.setdefault(step.constants, len(values) if step.constants else 0)
        values += step.constants if at == len(values) else ()
        rows.append((_CODES[step.name], at))
    return np.array(rows, np.int64).reshape(-1, 2), np.array(values or [0.0], np.float32)


def run(program: Program, x: Array) -> Array:
    """What the kernels give for each element of an array of float32."""
    stack = [np.asarray(x, np.float32)]
    with np.errstate(all="ignore"):
        for step in program:
            if step.name == "copy":
                stack.append(stack[-1])
            elif step.name == "swap":
                stack[-2:] = stack[:-3:-1]
            elif step.name == "select":
                other, then = stack.pop(), stack.pop()
                stack.append(np.where(stack.pop() > 0, then, other))
            elif step.name in _JOINED:
                top = stack.pop()
                stack.append(_JOINED[step.name](stack.pop(), top).astype(np.float32))
            else:
                constants = (np.float32(c) for c in step.constants)
                stack.append(_OF_ONE[step.name](stack.pop(), *constants).astype(np.float32))
    return stack.pop()


# -- from chains ---------------------------------------------------------------------------

_COPY, _SWAP, _MUL, _ADD = Step("copy"), Step("swap"), Step("mul"), Step("add")


def _scale(by: float) -> Program:
    return (Step("scale", (by,)),) if by != 1.0 else ()


def _offset(by: float) -> Program:
    return (Step("offset", (by,)),) if by != 0.0 else ()


def _limited(low: float, high: float) -> Program:
    return (Step("clip", (low, high)),)


def _times(*program: Step) -> Program:
    """X times a function of it."""
    return (_COPY, *program, _MUL)


def _elu(alpha: float, gamma: float = 1.0, inner: float = 1.0) -> Program:
    """What is above 0, and ``alpha * (exp(x / inner) - 1)`` of what is below."""
    below = (*_limited(-math.inf, 0.0), *_scale(1.0 / inner), Step("expm1"), *_scale(alpha))
    return (_COPY, *_limited(0.0, math.inf), _SWAP, *below, _ADD, *_scale(gamma))


def _hard_sigmoid(alpha: float, beta: float) -> Program:
    return (*_scale(alpha), *_offset(beta), *_limited(0.0, 1.0))


def _gelu_tanh() -> Program:
    cube = _times(_COPY, _MUL)
    inside = (_COPY, *cube, *_scale(0.044715), _ADD, *_scale(math.sqrt(2.0 / math.pi)))
    return (*_times(*inside, Step("tanh"), *_offset(1.0)), *_scale(0.5))


def _pow(exponent: float) -> Program:
    """Products and roots where they are exact or nearly so."""
    simple: dict[float, Program] = {
        -1.0: (Step("reciprocal"),),
        -0.5: (Step("sqrt"), Step("reciprocal")),
        0.5: (Step("sqrt"),),
        1.0: _scale(1.0),
        2.0: _times(),
        3.0: _times(*_times()),
    }
    return simple.get(exponent, (Step("pow", (exponent,)),))


def _quantize(scale: float, zero_point: float, bits: float) -> Program:
    dtype = grid_of(scale, zero_point, bits).dtype
    return (Step("grid", (scale, zero_point, float(dtype.low), float(dtype.high))),)


_WRITTEN: Mapping[str, Callable[..., Program]] = MappingProxyType(
    {
        "affine": lambda a, b: (*_scale(a), *_offset(b)),
        "celu": lambda alpha: _elu(alpha, inner=alpha),
        "elu": _elu,
        "gelu": lambda: (
            *_times(*_scale(math.sqrt(0.5)), Step("erf"), *_offset(1.0)),
            *_scale(0.5),
        ),
        "gelu_tanh": _gelu_tanh,
        "hard_sigmoid": _hard_sigmoid,
        "hard_swish": lambda: _times(*_hard_sigmoid(1 / 6, 0.5)),
        "leaky_relu": lambda a: (Step("leaky", (a,)),),
        "mish": lambda: _times(Step("softplus"), Step("tanh")),
        "pow": _pow,
        "quantize": _quantize,
        "selu": _elu,
        "softsign": lambda: (_COPY, Step("abs"), *_offset(1.0), Step("div")),
        "swish": lambda beta: _times(*_scale(beta), Step("sigmoid")),
        "thresholded_relu": lambda alpha: (Step("above", (alpha,)),),
    }
)
"""Functions of several steps, or of steps that are called otherwise."""


def compiled(chain: Chain) -> Program:
    """The steps of a chain."""
    program: list[Step] = []
    for fn in chain:
        if isinstance(fn, Joined):
            program += _joined(fn)
        elif isinstance(fn, Conditional):
            condition, then, other = map(compiled, (fn.condition, fn.then, fn.other))
            program += [_COPY, *condition, _SWAP, _COPY, *then, _SWAP, *other, Step("select")]
        else:
            program += _function(fn)
    return tuple(program)


def _function(fn: UnaryFn) -> Program:
    constants = tuple(float(np.float32(c)) for c in fn.parameters)
    written = _WRITTEN.get(fn.name)
    program = written(*fn.parameters) if written else (Step(fn.name, constants),)
    return tuple(Step(s.name, tuple(float(np.float32(c)) for c in s.constants)) for s in program)


def _joined(fn: Joined) -> Sequence[Step]:
    left, right, join = compiled(fn.left), compiled(fn.right), Step(fn.join.lower())
    first = (_SWAP, *left, _SWAP) if left else ()
    return (_COPY, *right, *first, join)
