# SPDX-License-Identifier: Apache-2.0
"""One step of a recurrent cell in integers: the constants, and what is made with them.

Outputs h are int16 of 15 bits of fraction, and so are gates in 32 bits; cells c take ``reach`` of
those bits for what lies above 1. What a function is given is int16: of 12 bits of fraction for
tanh, of 11 for sigmoid, which is ``(1 + tanh(x / 2)) / 2``, so that one table serves both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import AccumulatorOverflow, ScaleError
from mcuplan.ir.op import Signature
from mcuplan.ir.types import Array
from mcuplan.ops._cells import Cell, Function, Kind
from mcuplan.quant.requantize import requantize, requantize_factors

__all__ = ["TANH", "Factors", "IntegerStep", "factors_of", "is_integer_cell"]

_ONE = 1 << 15
_MOST = _ONE - 1
_BITS = {"tanh": 12, "sigmoid": 11}  # of fraction of what they are given
_TABLE_BITS = 7  # of an argument, between two entries
_PEEPHOLE_BITS = 16
_REACH = 2.0**31 - 16  # of all that a function is given, less what roundings add

TANH: Array = np.clip(
    np.floor(np.tanh(np.arange(-256, 257) * 2.0 ** (_TABLE_BITS - 12)) * _ONE + 0.5), -_MOST, _MOST
).astype(np.int64)
"""tanh of -8, -8 + 1/32 .. 8 in 15 bits of fraction; between them a line."""


def is_integer_cell(cell: Cell) -> bool:
    """Whether the cell's functions are those of the tables."""
    first = cell.functions[:1] if cell.kind is not Kind.RNN else ()
    return all(f.name == "sigmoid" for f in first) and all(f.name in _BITS for f in cell.functions)


@dataclass(frozen=True, slots=True)
class Factors:
    """Constants of a node, as the params struct of the kernel names them.

    Sums of x and of h have multipliers, and a left shift each. ``bias`` [rows], and behind it of a
    GRU with ``linear_before_reset`` that of the candidate's h [hidden], are what they are added
    to. ``h_right``: h is shifted so far for its products.
    """

    x_multiplier: Array
    x_shift: int
    h_multiplier: Array
    h_shift: int
    bias: Array
    peepholes: Array  # [3, hidden], of 16 bits of fraction
    h_right: int
    limits: tuple[int, ...]  # of what functions of gates and candidates are given
    out_multiplier: int
    out_shift: int


def factors_of(sig: Signature) -> Factors:
    """Constants of a node, worked out once.

    Raises:
        AccumulatorOverflow: sums of x could leave int32.
        ScaleError: a factor cannot be held, or what a function is given.
    """
    return sig.once(_factors)


def _factors(sig: Signature) -> Factors:
    cell: Cell = sig.op.cell  # type: ignore[attr-defined]
    w, r = (sig.constant(i).astype(np.int64) for i in (2, 3))
    scales = [np.broadcast_to(np.array(sig.inputs[i].q.scale), len(w)) for i in (2, 3)]
    units = np.repeat([2.0 ** _BITS[f.name] for f in _of_gates(cell)], cell.hidden)
    x_max = sig.inputs[0].dtype.reach * np.abs(w).sum(axis=1)
    if x_max.max(initial=0) >= 2**31:
        raise AccumulatorOverflow("the int32 sum of an input", hint="split the layer")
    r_sum = np.abs(r).sum(axis=1)
    h_right = max(0, int(r_sum.max(initial=0)).bit_length() - 16)
    x_real, h_real = sig.inputs[0].q.s * scales[0] * units, scales[1] * units * 2.0**-15
    x_factors = _pairs(x_real, x_max)
    h_factors = _pairs(h_real * 2.0**h_right, r_sum * (_ONE >> h_right))
    real = _bias(cell, sig.constant(4).astype(np.float64)) * _with_candidate(cell, units)
    moved = x_real * w.sum(axis=1) * sig.inputs[0].q.z
    real[: len(moved)] -= moved
    peepholes = _peepholes(cell, sig)
    _prove(x_real * x_max + h_real * r_sum * _ONE, real, peepholes)
    out = (0, 0)
    if not sig.op.gives_state_only:  # type: ignore[attr-defined]
        out = requantize_factors(2.0**-15 / sig.outputs[-1].q.s, _ONE)
    return Factors(
        x_multiplier=x_factors[0],
        x_shift=x_factors[1],
        h_multiplier=h_factors[0],
        h_shift=h_factors[1],
        bias=np.floor(real + 0.5).astype(np.int64),
        peepholes=peepholes,
        h_right=h_right,
        limits=tuple(
            min(_MOST, math.floor(min(cell.clip, 16.0) * 2.0 ** _BITS[f.name] + 0.5))
            for f in cell.functions[:2]
        ),
        out_multiplier=out[0],
        out_shift=out[1],
    )


def _peepholes(cell: Cell, sig: Signature) -> Array:
    """[3, hidden], of 16 bits of fraction."""
    if len(sig.inputs) < 6:
        return np.zeros((3, cell.hidden), np.int64)
    found = sig.constant(5) * 2.0 ** (cell.reach - 15 + _PEEPHOLE_BITS + _BITS["sigmoid"])
    if np.abs(found).max(initial=0) >= 2.0**31:
        raise ScaleError("a peephole is too large for the functions of its cell")
    return np.floor(found + 0.5).astype(np.int64)


def _prove(sums: Array, bias: Array, peepholes: Array) -> None:
    """What a function is given stays in int32, in whatever order it is added up.

    Args:
        sums: [rows] those of x and of h, at most.
        bias: of rows; those of the last rows once more where they are added apart.
        peepholes: of the first rows.

    Raises:
        ScaleError: it could leave it.
    """
    reach = sums + np.abs(bias[: len(sums)])
    apart = np.abs(bias[len(sums) :])
    reach[len(sums) - len(apart) :] += apart
    seen = np.abs(peepholes).reshape(-1)[: len(sums)] * (_ONE / (1 << _PEEPHOLE_BITS))
    reach[: len(seen)] += seen
    if reach.max(initial=0) >= _REACH:
        raise ScaleError(
            "what the functions of a cell are given could leave 32 bits",
            hint="calibrate with representative data",
        )


def _of_gates(cell: Cell) -> tuple[Function, ...]:
    """The function of each block of rows."""
    f, *others = cell.functions
    return {Kind.LSTM: (f, f, f, *others[:1]), Kind.GRU: (f, f, *others), Kind.RNN: (f,)}[cell.kind]


def _with_candidate(cell: Cell, rows: Array) -> Array:
    """Values of rows, and those of the candidate once more where its h is added apart."""
    apart: Array = rows[2 * cell.hidden :] if cell.linear_before_reset else rows[:0]
    return np.concatenate([rows, apart])


def _bias(cell: Cell, both: Array) -> Array:
    """What the sums are added to."""
    if not cell.linear_before_reset:
        total: Array = both[0] + both[1]
        return total
    n = 2 * cell.hidden
    return np.concatenate([both[0, :n] + both[1, :n], both[0, n:], both[1, n:]])


def _pairs(real: Array, most: Array) -> tuple[Array, int]:
    """Multipliers of rows and the one left shift that is enough for all of them."""
    found = [requantize_factors(float(a), int(b)) for a, b in zip(real, most, strict=True)]
    shift = max((f[1] for f in found), default=0)
    reach = int(most.max(initial=0)) << shift
    if reach >= 1 << 32:
        raise ScaleError("rows of a cell's matrix lie too far apart")
    return np.floor(real * 2.0 ** (32 - shift) + 0.5).astype(np.int64), shift


class IntegerStep:
    """One step of a node, in int64 arrays."""

    def __init__(self, sig: Signature) -> None:
        """With the constants of its signature."""
        self._cell: Cell = sig.op.cell  # type: ignore[attr-defined]
        self._made = sig.outputs[-1]
        self._factors = factors_of(sig)
        self._w, self._r = (sig.constant(i).astype(np.int64) for i in (2, 3))

    def __call__(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        """The next outputs and cells."""
        if self._cell.kind is Kind.LSTM:
            return self._lstm(x, h, c)
        return (self._gru(x, h) if self._cell.kind is Kind.GRU else _int16(self._first(0, x, h))), c

    def on_grid(self, h: Array) -> Array:
        """Outputs as the node gives them."""
        factors = self._factors
        return requantize(h, factors.out_multiplier, factors.out_shift, self._made.q.z)

    def _rows(self, block: int) -> slice:
        return slice(block * self._cell.hidden, (block + 1) * self._cell.hidden)

    def _of_x(self, block: int, x: Array) -> Array:
        rows, factors = self._rows(block), self._factors
        return _scaled(x @ self._w[rows].T, factors.x_multiplier[rows], factors.x_shift)

    def _of_h(self, block: int, h: Array) -> Array:
        rows, factors = self._rows(block), self._factors
        sums = (h >> factors.h_right) @ self._r[rows].T
        return _scaled(sums, factors.h_multiplier[rows], factors.h_shift)

    def _gate(self, block: int, x: Array, h: Array) -> Array:
        bias = self._factors.bias[self._rows(block)]
        return self._of_x(block, x) + self._of_h(block, h) + bias

    def _value(self, number: int, total: Array) -> Array:
        return _function(self._cell.functions[number], total, self._factors.limits[number])

    def _first(self, block: int, x: Array, h: Array) -> Array:
        return self._value(0, self._gate(block, x, h))

    def _gru(self, x: Array, h: Array) -> Array:
        z, reset = self._first(0, x, h), self._first(1, x, h)
        if self._cell.linear_before_reset:
            fresh, old = (self._factors.bias[self._rows(block)] for block in (2, 3))
            reset_h = reset * (self._of_h(2, h) + old) + _ONE // 2 >> 15
            total = self._of_x(2, x) + fresh + reset_h
        else:
            total = self._gate(2, x, reset * h + _ONE // 2 >> 15)
        return _int16((_ONE - z) * self._value(1, total) + z * h + _ONE // 2 >> 15)

    def _lstm(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        reach, peepholes, last = self._cell.reach, self._factors.peepholes, self._cell.functions[2]
        i, o, forget, fresh = (self._gate(block, x, h) for block in range(4))
        i = self._value(0, i + _peeped(peepholes[0], c))
        kept = self._value(0, forget + _peeped(peepholes[2], c))
        kept = _ONE - i if self._cell.input_forget else kept
        added = i * self._value(1, fresh) + (1 << (reach - 1)) >> reach
        c = _int16(kept * c + added + _ONE // 2 >> 15)
        shown = _function(last, c << (reach - 15 + _BITS[last.name]), _MOST)
        return _int16(self._value(0, o + _peeped(peepholes[1], c)) * shown + _ONE // 2 >> 15), c


def _peeped(peephole: Array, c: Array) -> Array:
    result: Array = peephole * c + (1 << (_PEEPHOLE_BITS - 1)) >> _PEEPHOLE_BITS
    return result


def _scaled(sums: Array, multiplier: Array, shift: int) -> Array:
    """As `mplan_scale`."""
    result: Array = ((sums << shift) * multiplier + 2**31) >> 32
    return result


def _int16(values: Array) -> Array:
    limited: Array = np.clip(values, -_ONE, _MOST)
    return limited


def _function(function: Function, values: Array, limit: int) -> Array:
    """A function by the table, in 15 bits of fraction."""
    q = np.clip(values, -limit, limit)
    at, part = (q >> _TABLE_BITS) + 256, q & ((1 << _TABLE_BITS) - 1)
    rise = (TANH[at + 1] - TANH[at]) * part + (1 << (_TABLE_BITS - 1)) >> _TABLE_BITS
    found = TANH[at] + rise
    result: Array = found if function.name == "tanh" else (_ONE + 1 + found) >> 1
    return result
