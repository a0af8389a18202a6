# SPDX-License-Identifier: Apache-2.0
"""Functions of one value applied one after the other, two such chains joined among them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mcuplan.ir.types import Array, Quant
from mcuplan.ir.writer import Writer
from mcuplan.ops._functions import FUNCTIONS

__all__ = [
    "JOINS",
    "Chain",
    "Conditional",
    "Joined",
    "Link",
    "UnaryFn",
    "affine",
    "applied",
    "clip",
    "rounding",
    "write_chain",
]


@dataclass(frozen=True, slots=True)
class UnaryFn:
    """A function by its name in ``FUNCTIONS``, with its parameters."""

    name: str
    parameters: tuple[float, ...] = ()

    def __call__(self, x: Array) -> Array:
        """Values in double; outside the domain NaN or infinite."""
        with np.errstate(all="ignore"):
            made: Array = FUNCTIONS[self.name].value(x, *self.parameters)
        return made

    @property
    def functions(self) -> int:
        """Functions applied to each element."""
        return 1

    @property
    def label(self) -> str:
        """Name in reports: that of the ONNX operator where there is one."""
        if self.name == "clip":
            named: dict[tuple[float, ...], str] = {(0.0, math.inf): "Relu", (0.0, 6.0): "Relu6"}
            return named.get(self.parameters, "Clip")
        return FUNCTIONS[self.name].onnx or self.name.capitalize()


def affine(scale: float, offset: float) -> UnaryFn:
    """``x * scale + offset``."""
    return UnaryFn("affine", (float(scale), float(offset)))


def clip(low: float, high: float) -> UnaryFn:
    """Real limits; those of float32 are none."""
    reach = 3.4e38
    low = -math.inf if low <= -reach else float(low)
    return UnaryFn("clip", (low, math.inf if high >= reach else float(high)))


def rounding(quant: Quant) -> UnaryFn:
    """Rounding to a grid, as a QuantizeLinear/DequantizeLinear pair in a chain."""
    return UnaryFn("quantize", (quant.s, float(quant.z), float(quant.dtype.bits)))


JOINS: Mapping[str, Callable[[Array, Array], Array]] = MappingProxyType(
    {
        "Add": np.add,
        "Div": np.divide,
        "Max": np.maximum,
        "Min": np.minimum,
        "Mul": np.multiply,
        "Sub": np.subtract,
    }
)
"""ONNX operators of two operands that may both be functions of one value."""


@dataclass(frozen=True, slots=True)
class Joined:
    """An operator of ``JOINS`` on two chains of the same value; an empty one is the value."""

    join: str
    left: Chain
    right: Chain

    @property
    def name(self) -> str:
        """What no function is called."""
        return "joined"

    @property
    def parameters(self) -> tuple[float, ...]:
        """None of its own."""
        return ()

    @property
    def functions(self) -> int:
        """Functions applied to each element."""
        return 1 + sum(fn.functions for fn in (*self.left, *self.right))

    def __call__(self, x: Array) -> Array:
        """Values of float32 operands in float32, as a runtime joins them."""
        sides = (applied(side, x) for side in (self.left, self.right))
        with np.errstate(all="ignore"):
            made: Array = JOINS[self.join](*(side.astype(np.float32) for side in sides))
        return made.astype(np.float64)

    @property
    def label(self) -> str:
        """Name in reports: what is joined, then how."""
        return "+".join([*(fn.label for fn in (*self.left, *self.right)), self.join])


@dataclass(frozen=True, slots=True)
class Conditional:
    """One chain of a value where another gives a number above 0, else a third."""

    condition: Chain
    then: Chain
    other: Chain

    @property
    def name(self) -> str:
        """What no function is called."""
        return "chosen"

    @property
    def parameters(self) -> tuple[float, ...]:
        """None of its own."""
        return ()

    @property
    def functions(self) -> int:
        """Functions applied to each element."""
        return 1 + sum(fn.functions for fn in (*self.condition, *self.then, *self.other))

    def __call__(self, x: Array) -> Array:
        """Values in double."""
        condition, then, other = (applied(c, x) for c in (self.condition, self.then, self.other))
        return np.where(condition > 0, then, other)

    @property
    def label(self) -> str:
        """The ONNX name."""
        return "Where"


Link = UnaryFn | Joined | Conditional
Chain = tuple[Link, ...]


def applied(chain: Chain, x: Array) -> Array:
    """The functions of a chain, first to last."""
    for fn in chain:
        x = fn(x)
    return x


def write_chain(out: Writer, value: str, chain: Chain) -> str:
    """The ONNX operators of a chain; returns the name of the result."""
    for fn in chain:
        if isinstance(fn, Joined):
            sides = [write_chain(out, value, side) for side in (fn.left, fn.right)]
            value = out.node(fn.join, sides)
            continue
        if isinstance(fn, Conditional):
            chains = (fn.condition, fn.then, fn.other)
            condition, *values = (write_chain(out, value, chain) for chain in chains)
            value = out.node("Where", [out.node("Cast", [condition], to=9), *values])
            continue
        function = FUNCTIONS[fn.name]
        if function.write is not None:
            value = function.write(out, value, *fn.parameters)
        else:
            given: dict[str, Any] = dict(zip(function.attributes, fn.parameters, strict=True))
            value = out.node(function.onnx, [value], **given)
    return value
