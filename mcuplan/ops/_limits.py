# SPDX-License-Identifier: Apache-2.0
"""Real values that functions of one value never leave, and those that they do not tell apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from mcuplan.ops._functions import COMPARISONS, grid_of

__all__ = ["Limits", "flat_beyond", "image"]

Limits = tuple[float, float]

_GATE = (0.0, 1.0)
_EVEN = (-1.0, 1.0)
_LOWEST: Mapping[str, float] = MappingProxyType(
    {
        "gelu": -0.1699713,  # at -0.7518
        "gelu_tanh": -0.1700408,
        "hard_swish": -0.375,  # at -1.5
        "mish": -0.3088435,  # at -1.1925
    }
)
_SWISH = -0.2784646  # least value of x * sigmoid(x), at -1.2785


def _affine(reach: Limits, scale: float, offset: float) -> Limits:
    ends = [end * scale + offset if scale != 0.0 else offset for end in reach]
    return min(ends), max(ends)


def _clip(reach: Limits, low: float, high: float) -> Limits:
    least, most = (min(max(end, low), high) for end in reach)
    return least, most


def _quantize(reach: Limits, scale: float, zero_point: float, bits: float) -> Limits:
    rounded = reach[0] - scale / 2, reach[1] + scale / 2
    return _clip(rounded, *grid_of(scale, zero_point, bits).ends)


def _swish(reach: Limits, beta: float) -> Limits:
    return (_SWISH / beta, math.inf) if beta > 0.0 else (-math.inf, math.inf)


def _elu(reach: Limits, alpha: float, gamma: float = 1.0) -> Limits:
    return (min(-alpha * gamma, 0.0), math.inf)


_IMAGES: Mapping[str, Callable[..., Limits]] = MappingProxyType(
    {
        "affine": _affine,
        **dict.fromkeys(COMPARISONS, lambda reach, limit: _GATE),
        "celu": _elu,
        "clip": _clip,
        "elu": _elu,
        "hard_sigmoid": lambda reach, alpha, beta: _clip(_affine(reach, alpha, beta), *_GATE),
        "neg": lambda reach: (-reach[1], -reach[0]),
        "quantize": _quantize,
        "selu": _elu,
        "swish": _swish,
        **dict.fromkeys(("cos", "erf", "sign", "sin", "softsign", "tanh"), lambda reach: _EVEN),
        "sigmoid": lambda reach: _GATE,
    }
)


def image(name: str, parameters: tuple[float, ...], reach: Limits) -> Limits:
    """What a function makes of values within limits; without end where nothing is known."""
    if name in _LOWEST:
        return _LOWEST[name], math.inf
    found = _IMAGES.get(name)
    return found(reach, *parameters) if found is not None else (-math.inf, math.inf)


_HALF_STEP = 2.0**-16  # of int16 for values up to 1, the finest grid
_GATE_END = -math.log(_HALF_STEP)  # exp(-x), which a sigmoid is below 1, is half a step there
_EVEN_END = (_GATE_END + math.log(2.0)) / 2  # likewise 2 * exp(-2 * x), which tanh is below 1
_FLAT: Mapping[str, Callable[..., Limits]] = MappingProxyType(
    {
        "clip": lambda low, high: (low, high),
        "hard_sigmoid": lambda alpha, beta: _between(-beta / alpha, (1.0 - beta) / alpha),
        "hard_swish": lambda: (-3.0, math.inf),
        "sigmoid": lambda: (-_GATE_END, _GATE_END),
        "tanh": lambda: (-_EVEN_END, _EVEN_END),
    }
)


def _between(a: float, b: float) -> Limits:
    return min(a, b), max(a, b)


def flat_beyond(name: str, parameters: tuple[float, ...]) -> Limits:
    """Values beyond which a function is flat, to half a step of any grid; else without end."""
    if name == "hard_sigmoid" and parameters[0] == 0.0:
        return -math.inf, math.inf
    found = _FLAT.get(name)
    return found(*parameters) if found is not None else (-math.inf, math.inf)
