# SPDX-License-Identifier: Apache-2.0
"""LSTM, GRU and RNN of one direction: a row for each step, the state in bytes of its own.

A state [1,1,batch,parts,hidden] begins as `PackState` makes it; the steps write their own over it
and nothing else reads it. In integers outputs (h) have 15 bits of fraction and cells (c) those
that the cell's reach leaves of 15.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mcuplan.ir.geometry import ALL, ONWARD, SAME, InputMap, Shape
from mcuplan.ir.op import Cost, Example, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType, Types
from mcuplan.ops._cells import FUNCTIONS, Cell, FloatStep, Function, Kind, Step, in_turn
from mcuplan.ops._integer_cells import IntegerStep, is_integer_cell

__all__ = [
    "FUNCTIONS",
    "INTEGER_INPUTS",
    "OPS",
    "Cell",
    "Function",
    "Kind",
    "LastState",
    "Recurrent",
    "state_quant",
]

INTEGER_INPUTS = (
    *(DType.INT8, DType.INT16),  # x, state
    *(DType.INT8, DType.INT8, DType.FLOAT32),  # W, R, B and peepholes
)


def state_quant(parts: int, reach: int) -> Quant:
    """The grids of outputs and cells in a state."""
    scales = (2.0**-15, 2.0 ** (reach - 15))[:parts]
    return Quant(scales, (0,) * parts, 3, DType.INT16)


@dataclass(frozen=True, slots=True)
class Recurrent(Op):
    """Inputs: x [1,T,batch,K], state, W [rows,K], R [rows,hidden], B [2,rows], peepholes.

    Output [1,T,batch,hidden]; with ``final``, the state after the last step in front of it.
    ``lengths``: steps of each sequence of the batch, none: all; what follows is 0.
    """

    cell: Cell
    reverse: bool = False
    lengths: tuple[int, ...] = ()
    final: bool = False

    types: ClassVar[tuple[Types, ...]] = (
        Types(INTEGER_INPUTS),
        Types(INTEGER_INPUTS, (DType.INT16, DType.INT8)),
        Types.all(DType.FLOAT32),
        Types((DType.FLOAT32,), (DType.FLOAT32, DType.FLOAT32)),
    )
    matrices = (2, 3)

    @property
    def label(self) -> str:
        """The cell's name."""
        return self.cell.kind.value

    @property
    def fixed_quant(self) -> Quant | None:
        """That of a state, which is the first output."""
        return state_quant(self.cell.parts, self.cell.reach) if self.final else None

    @property
    def on_grids(self) -> bool:
        """Where its functions are those of the integer kernels."""
        return is_integer_cell(self.cell)

    @property
    def is_wide(self) -> bool:
        """No: x has 8 bits, and the state 16 whatever is asked for."""
        return False

    @property
    def changes(self) -> tuple[int, ...]:
        """The state, where it is not an output."""
        return () if self.final or self.gives_state_only else (1,)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """An output for each step and sequence."""
        made = TensorType((*inputs[0].shape[:3], self.cell.hidden))
        return (TensorType(inputs[1].shape), made) if self.final else (made,)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Forwards a step needs its own row of x alone, since the state came along."""
        whole = Op.geometry(self, inputs, output)
        if self.reverse or self.lengths or self.final:
            return whole
        return ((SAME, ONWARD, ALL, ALL), *whole[1:])

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """In double."""
        wide = [array.astype(np.float64) for array in arrays]
        return self._results(wide, FloatStep(self.cell, wide[2:], _product), np.float32)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Sums from the bias on, input by input, then unit by unit."""
        return self._results(arrays, FloatStep(self.cell, arrays[2:], _one_by_one), np.float32)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """As `mplan_recurrent_s8`; arrays of the constants are those of the signature."""
        step = IntegerStep(sig)
        wide = [arrays[0].astype(np.int64), arrays[1].astype(np.int64)]
        outputs, state = self._in_turn(wide, step)
        last = state.astype(np.int16)
        if self.gives_state_only:
            return (last,)
        made = step.on_grid(outputs)
        for column, length in enumerate(self.lengths):
            made[:, length:, column] = sig.outputs[-1].q.z
        return (last, made) if self.final else (made,)

    @property
    def gives_state_only(self) -> bool:
        """Whether no output of a step but the last state is given."""
        return False

    def _in_turn(self, arrays: Sequence[Array], step: Step) -> tuple[Array, Array]:
        return in_turn(
            arrays[0], arrays[1], step, np.zeros(()), reverse=self.reverse, lengths=self.lengths
        )

    def _results(self, arrays: Sequence[Array], step: Step, dtype: type[Any]) -> tuple[Array, ...]:
        made = self._in_turn(arrays, step)
        outputs, state = made[0].astype(dtype), made[1].astype(dtype)
        if self.gives_state_only:
            return (state,)
        return (state, outputs) if self.final else (outputs,)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """Two products for each step; functions and sums of gates."""
        _, steps, batch, size = inputs[0].shape
        rows, hidden = inputs[2].shape[0], inputs[3].shape[1]
        times = steps * batch
        return Cost(macs=times * rows * (size + hidden), ops=4 * times * rows)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """None that random grids could be given to: `tests/ops/test_recurrent.py` has cases."""
        return ()


@dataclass(frozen=True, slots=True)
class LastState(Recurrent):
    """The state after the last step, which is there when the last row of x was taken."""

    gathers = True
    quant_rule = QuantRule.FIXED
    types = (Types(INTEGER_INPUTS, (DType.INT16,)), Types.all(DType.FLOAT32))

    @property
    def fixed_quant(self) -> Quant | None:
        """That of a state."""
        return state_quant(self.cell.parts, self.cell.reach)

    @property
    def gives_state_only(self) -> bool:
        """Nothing else."""
        return True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """As the state before."""
        return (TensorType(inputs[1].shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Everything; rows of x in turn where they come forwards."""
        whole = Op.geometry(self, inputs, output)
        first = ALL if self.reverse or self.lengths else SAME
        return ((first, ALL, ALL, ALL), *whole[1:])


def _product(start: Array, values: Array, matrix: Array) -> Array:
    result: Array = start + values @ matrix.T
    return result


def _one_by_one(start: Array, values: Array, matrix: Array) -> Array:
    """The products one after the other, each rounded to float32."""
    sums: Array = np.broadcast_to(start, (*values.shape[:-1], len(matrix))).astype(np.float32)
    with np.errstate(all="ignore"):
        for k in range(matrix.shape[1]):
            sums = sums + values[..., k, None] * matrix[:, k]
    return sums


OPS = (LastState, Recurrent)
