# SPDX-License-Identifier: Apache-2.0
"""Recurrent cells: one step of an LSTM, a GRU or a plain RNN in float, in double and float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mcuplan.ir.types import Array
from mcuplan.ops._math_f32 import expm1_f32, sigmoid_f32, softplus_f32, tanh_f32

__all__ = [
    "FUNCTIONS",
    "TAKES",
    "Cell",
    "FloatStep",
    "Function",
    "Kind",
    "Product",
    "Step",
    "in_turn",
]


class Kind(StrEnum):
    """The sort of a cell, in the order of the C enumeration."""

    LSTM = "LSTM"
    GRU = "GRU"
    RNN = "RNN"

    @property
    def gates(self) -> int:
        """Products of the input for each unit."""
        return {Kind.LSTM: 4, Kind.GRU: 3, Kind.RNN: 1}[self]

    @property
    def functions(self) -> int:
        """Functions that a model names for each direction."""
        return {Kind.LSTM: 3, Kind.GRU: 2, Kind.RNN: 1}[self]


FUNCTIONS: dict[str, tuple[float, float]] = {
    "sigmoid": (0.0, 0.0),
    "tanh": (0.0, 0.0),
    "relu": (0.0, 0.0),
    "affine": (1.0, 0.0),
    "leakyrelu": (0.01, 0.0),
    "thresholdedrelu": (1.0, 0.0),
    "scaledtanh": (1.0, 1.0),
    "hardsigmoid": (0.2, 0.5),
    "elu": (1.0, 0.0),
    "softsign": (0.0, 0.0),
    "softplus": (0.0, 0.0),
}
"""Functions of gates with the alpha and beta they have by default; in the order of the C code."""


TAKES: dict[str, tuple[bool, bool]] = {
    "affine": (True, True),
    "leakyrelu": (True, False),
    "thresholdedrelu": (True, False),
    "scaledtanh": (True, True),
    "hardsigmoid": (True, True),
    "elu": (True, False),
}
"""Functions that take an alpha, and a beta."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a gate."""

    name: str
    alpha: float = 0.0
    beta: float = 0.0

    @property
    def takes(self) -> tuple[bool, bool]:
        """Whether it takes an alpha, and a beta."""
        return TAKES.get(self.name, (False, False))

    @property
    def code(self) -> int:
        """Its number in the C code."""
        return list(FUNCTIONS).index(self.name)

    def __call__(self, x: Array) -> Array:
        """Element by element, in the type of the argument; in float32 as the C code has it."""
        a, b = x.dtype.type(self.alpha), x.dtype.type(self.beta)
        single = x.dtype == np.float32
        with np.errstate(all="ignore"):
            match self.name:
                case "sigmoid":
                    made = sigmoid_f32(x) if single else 0.5 * (1.0 + np.tanh(0.5 * x))
                case "tanh":
                    made = tanh_f32(x) if single else np.tanh(x)
                case "relu":
                    made = np.where(x > 0, x, x.dtype.type(0))
                case "affine":
                    made = a * x + b
                case "leakyrelu":
                    made = np.where(x < 0, a * x, x)
                case "thresholdedrelu":
                    made = np.where(x >= a, x, x.dtype.type(0))
                case "scaledtanh":
                    made = a * (tanh_f32(b * x) if single else np.tanh(b * x))
                case "hardsigmoid":
                    made = _within(a * x + b, 0.0, 1.0)
                case "elu":
                    below = expm1_f32(x) if single else np.expm1(x)
                    made = np.where(x < 0, a * below, x)
                case "softsign":
                    made = x / (x.dtype.type(1) + np.abs(x))
                case _:
                    made = softplus_f32(x) if single else np.logaddexp(0.0, x)
        result: Array = made
        return result


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell computes, beside its weights.

    ``functions`` are those of the gates, of the candidate, and (LSTM) of the cell, as ONNX orders
    them. ``clip`` limits what they are given. ``reach``: cells of an LSTM in integers lie
    within +-2**reach.
    """

    kind: Kind
    hidden: int
    functions: tuple[Function, ...]
    clip: float = float("inf")
    input_forget: bool = False
    linear_before_reset: bool = False
    reach: int = 4

    @property
    def parts(self) -> int:
        """Values of the state of each unit: output and, of an LSTM, the cell."""
        return 2 if self.kind is Kind.LSTM else 1

    @property
    def rows(self) -> int:
        """Rows of the matrices."""
        return self.kind.gates * self.hidden


Product = Callable[[Array, Array, Array], Array]
"""Start [rows], values [..., k] and matrix [rows, k] -> start + matrix times values."""

Step = Callable[[Array, Array, Array], tuple[Array, Array]]
"""Input [n, batch, k], output and cell [n, batch, hidden] of the step before -> the next two."""


def _within(x: Array, low: float, high: float) -> Array:
    """Limited as `mplan_clamp_f32` does it."""
    low, high = x.dtype.type(low), x.dtype.type(high)
    above = np.where(x < low, low, x)
    limited: Array = np.where(above > high, high, above)
    return limited


@dataclass(frozen=True, slots=True)
class FloatStep:
    """One step in the type of the weights: W, R, B [2, rows], peepholes [3, hidden] or none."""

    cell: Cell
    weights: Sequence[Array]
    product: Product

    def __call__(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        """The next outputs and cells."""
        if self.cell.kind is Kind.LSTM:
            return self._lstm(x, h, c)
        return (self._gru(x, h) if self.cell.kind is Kind.GRU else self._first(0, x, h)), c

    def _limited(self, x: Array) -> Array:
        clip = self.cell.clip
        return _within(x, -clip, clip) if np.isfinite(clip) else x

    def _rows(self, block: int) -> slice:
        return slice(block * self.cell.hidden, (block + 1) * self.cell.hidden)

    def _of_x(self, block: int, start: Array, x: Array) -> Array:
        return self.product(start, x, self.weights[0][self._rows(block)])

    def _of_h(self, block: int, start: Array, h: Array) -> Array:
        return self.product(start, h, self.weights[1][self._rows(block)])

    def _gate(self, block: int, x: Array, h: Array) -> Array:
        b, rows = self.weights[2], self._rows(block)
        return self._of_h(block, self._of_x(block, b[0, rows] + b[1, rows], x), h)

    def _first(self, block: int, x: Array, h: Array) -> Array:
        return self.cell.functions[0](self._limited(self._gate(block, x, h)))

    def _gru(self, x: Array, h: Array) -> Array:
        z, reset = self._first(0, x, h), self._first(1, x, h)
        if self.cell.linear_before_reset:
            fresh, old = self.weights[2][:, self._rows(2)]
            total = self._of_x(2, fresh, x) + reset * self._of_h(2, old, h)
        else:
            total = self._gate(2, x, reset * h)
        candidate = self.cell.functions[1](self._limited(total))
        made: Array = (x.dtype.type(1) - z) * candidate + z * h
        return made

    def _lstm(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        f, g, last = self.cell.functions
        i, o, forget, fresh = (self._gate(block, x, h) for block in range(4))
        peepholes = self.weights[3] if len(self.weights) > 3 else None
        if peepholes is not None:
            i, forget = i + peepholes[0] * c, forget + peepholes[2] * c
        i = f(self._limited(i))
        kept = x.dtype.type(1) - i if self.cell.input_forget else f(self._limited(forget))
        c = kept * c + i * g(self._limited(fresh))
        if peepholes is not None:
            o = o + peepholes[1] * c
        return f(self._limited(o)) * last(c), c


def in_turn(
    x: Array, state: Array, step: Step, zero: Array, *, reverse: bool, lengths: Sequence[int]
) -> tuple[Array, Array]:
    """All steps of sequences, one after the other.

    Args:
        x: [n, steps, batch, k].
        state: [n, 1, batch, parts, hidden] before the first.
        step: one of them.
        zero: what rows behind the end of a sequence hold in ``outputs``.
        reverse: from the last to the first.
        lengths: steps of each sequence of the batch; none: all.

    Returns:
        Outputs [n, steps, batch, hidden] in the state's type, and the state after the last step.
    """
    steps, batch = x.shape[1:3]
    h, c = state[:, 0, :, 0].copy(), state[:, 0, :, -1].copy()
    outputs = np.full((len(x), steps, batch, h.shape[-1]), zero, h.dtype)
    ends = np.array(lengths or (steps,) * batch)
    columns = np.arange(batch)
    for y in range(steps):
        live = columns[y < ends]
        at = ends[live] - 1 - y if reverse else np.full(len(live), y)
        h[:, live], c[:, live] = step(x[:, at, live], h[:, live], c[:, live])
        outputs[:, at, live] = h[:, live]
    parts = [h, c][: state.shape[3]]
    return outputs, np.stack(parts, axis=2)[:, None]
