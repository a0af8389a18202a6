# SPDX-License-Identifier: Apache-2.0
"""Bytes of RAM and flash as the report has them: the sums, the peak, every buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mcuplan.record.limits import LEFT_OUT, FromMinusOne, Signed
from mcuplan.units import Origin

__all__ = [
    "BufferKind",
    "BufferRow",
    "Flash",
    "LinkedSymbol",
    "Naive",
    "Peak",
    "Ram",
    "RegionUse",
    "TypedBytes",
]

BufferKind = Literal["io", "activation", "scratch"]


@dataclass(frozen=True, slots=True)
class RegionUse:
    """One memory: used + left + reserved = bytes.

    Attributes:
        left_bytes: negative where the plan does not fit.
        arena_bytes: of used_bytes: what buffers take.
    """

    name: str
    kind: Literal["ram", "flash"]
    bytes: int
    reserved_bytes: int
    used_bytes: int
    left_bytes: Signed
    arena_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ram:
    """``total = arena + io + static + stack``; ``scratch_bytes`` is the arena's part at the peak.

    ``stack_bytes`` contains ``stack_margin_bytes`` while it is modelled.

    Attributes:
        state_bytes: the part of ``static`` that holds states: it outlasts calls.
        arena_input_resident_bytes: the arena with the input held as a whole, where the other
            figure differs.
        arena_input_fed_bytes: the arena with the rows of the input fed, where the other
            figure differs.
    """

    arena_bytes: int
    scratch_bytes: int
    io_bytes: int
    static_bytes: int
    stack_bytes: int
    stack_margin_bytes: int
    stack_origin: Origin
    total_bytes: int
    budget_bytes: int
    budget_from: Literal["target", "limit"]
    state_bytes: Annotated[int | None, LEFT_OUT] = None
    arena_input_resident_bytes: Annotated[int | None, LEFT_OUT] = None
    arena_input_fed_bytes: Annotated[int | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class TypedBytes:
    """Weights of layers that have them in one type, with their biases.

    Attributes:
        dtype: int4, int4_blocks (of 4 bits, on scales of blocks), int8, int16, float32 ..
        bytes: in flash.
    """

    dtype: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Flash:
    """``total = weights + tables + code``; ``code_bytes`` has the margin while modelled.

    Attributes:
        weights_by_type: their sum is weights_bytes; not where the compiler made code of some.
    """

    weights_bytes: int
    tables_bytes: int
    code_bytes: int
    code_margin_bytes: int
    code_origin: Origin
    total_bytes: int
    budget_bytes: int
    budget_from: Literal["target", "limit"]
    weights_by_type: Annotated[tuple[TypedBytes, ...] | None, LEFT_OUT] = None

    @property
    def types(self) -> str:
        """Bytes by type, as sentences have them; nothing where all are int8."""
        some = self.weights_by_type or ()
        if {each.dtype for each in some} <= {"int8"}:
            return ""
        return f" ({', '.join(f'{each.bytes:,} {each.dtype}' for each in some)})"


@dataclass(frozen=True, slots=True)
class Peak:
    """What decides the RAM: the step with the most live bytes.

    Attributes:
        step: -1: the input.
        live_bytes: at that moment: all tensors, scratch and states, which RAM counts as static.
        lower_bound_bytes: of arena and states together, for this order.
        row: of a plan by rows: the row made then; of the input where step is -1.
        move: of a plan by rows: which move it is.
    """

    step: FromMinusOne
    layer: str
    activation_bytes: int
    live_bytes: int
    lower_bound_bytes: int
    optimal_order: bool
    optimal_arena: bool
    statement: str
    row: Annotated[int | None, LEFT_OUT] = None
    move: Annotated[int | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class BufferRow:
    """A tensor, a row of one, or scratch: address and live range [start, end).

    Attributes:
        alias_of: what it shares bytes with.
        kind: io: an input, output or state of the model.
        row: where rows lie apart: which one; start and end then count moves.
    """

    name: str
    region: str
    offset: int
    bytes: int
    start: int
    end: int
    alias_of: str | None
    kind: BufferKind = "activation"
    row: Annotated[int | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True)
class Naive:
    """The model's own order, a buffer for every tensor: what planning is held against."""

    arena_bytes: int
    buffers: tuple[BufferRow, ...]


@dataclass(frozen=True, slots=True)
class LinkedSymbol:
    """A function or constant of the linked image, or what it pulls in from a library.

    Attributes:
        address: null: of a library, whose members are summed.
        kind: text: code; rodata: constants.
        object: file in the bundle that it is of, or member of a library.
    """

    name: str
    bytes: int
    kind: Literal["text", "rodata", "data", "bss"]
    object: str
    address: int | None = None
