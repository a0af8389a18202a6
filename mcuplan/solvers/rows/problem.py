# SPDX-License-Identifier: Apache-2.0
"""A network as rows: what the search for an order of rows knows of it.

Row-local steps make their output a row at a time; every row is a buffer of its own, made by
one move and dead after the last move that reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["Move", "RowGraph", "RowOrder", "RowProof", "RowStep", "RowTensor"]


@dataclass(frozen=True, slots=True)
class RowTensor:
    """An activation as rows.

    Attributes:
        rows: how many.
        row_bytes: bytes of one, rounded up to its alignment.
        whole: rows must lie one behind the other: the bytes of all exist from the move that
            makes the first to the one that reads any of them last.
        lasts: read after the last move.
    """

    name: str
    rows: int
    row_bytes: int
    whole: bool = False
    lasts: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """One call of a step: rows read, as (tensor, first, end), and rows of the output that
    exist, complete, after it: ``[0, made)``.
    """

    reads: tuple[tuple[int, int, int], ...]
    made: int


@dataclass(frozen=True, slots=True)
class RowStep:
    """A step that makes a tensor by moves, always in this order.

    Attributes:
        output: index of the tensor. Its bytes exist from the first move on where it is whole,
            row by row otherwise; a move that makes no row (of a sum that is gathered) needs
            the bytes of the next one.
        moves: in order. The first step of a streamed input reads nothing.
        scratch_bytes: needed during each move.
        replaces: index of a tensor whose row may give its bytes to the row of the output with
            the same number, if the move is the last that reads it; -1 for none.
    """

    name: str
    output: int
    moves: tuple[Move, ...]
    scratch_bytes: int = 0
    replaces: int = -1


@dataclass(frozen=True, slots=True)
class RowGraph:
    """Tensors without a step are there, all rows, from the start: resident inputs."""

    tensors: tuple[RowTensor, ...]
    steps: tuple[RowStep, ...]


class RowProof(Enum):
    """What is known about the least peak of all orders of rows."""

    CALL = auto()  # a single call needs as much
    SEARCHED = auto()  # no order with less is left
    BOUND = auto()  # no more than a bound below it


@dataclass(frozen=True, slots=True)
class RowOrder:
    """An order of moves: ``moves`` holds step indices, each as often as the step has moves.

    ``peak_bytes`` is the most bytes that exist during a move: live rows, the rows made,
    and scratch. ``lower_bound_bytes`` is what every order needs, by ``proof``.
    """

    moves: tuple[int, ...]
    peak_bytes: int
    lower_bound_bytes: int
    proof: RowProof
    states: int

    @property
    def optimal(self) -> bool:
        """Whether no order needs less."""
        return self.peak_bytes == self.lower_bound_bytes
