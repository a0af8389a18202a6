# SPDX-License-Identifier: Apache-2.0
"""Elements by tables of places, as ``mplan_take_s8`` takes them.

What no regular walk makes: gathered indices, borders, unequal distances. An axis has the list of
input indices of its output indices, in which -1 is a constant; None is the axis as it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import Shape, row_axis
from mcuplan.ir.op import Call, ConstArray, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import block_parts

__all__ = [
    "FILLED",
    "Axes",
    "check_taken",
    "found_call",
    "take_call",
    "take_kernels",
    "take_values",
]

FILLED = -1
"""In a list of indices: no element, but the constant."""

Axes = Sequence[Sequence[int] | None]

_NONE = DType.UINT16.high


def take_values(x: Array, axes: Axes, fill: Array | float) -> Array:
    """The elements of an array, axis by axis."""
    for axis, taken in enumerate(axes):
        if taken is not None:
            indices = np.asarray(taken, np.int64)
            x = np.take(x, indices, axis=axis)
            if (indices == FILLED).any():
                place = [-1 if a == axis else 1 for a in range(x.ndim)]
                x = np.where(indices.reshape(place) == FILLED, np.asarray(fill, x.dtype), x)
    return np.ascontiguousarray(x)


def _split(shape: Shape, axes: Axes) -> tuple[Sequence[int] | None, range]:
    """What rows are taken, and the axes inside of a row from the first to the last that matter.

    Raises:
        UnsupportedOp: an axis before the rows is no axis of one element.
    """
    by_row = row_axis(shape)
    first = 0 if by_row is None else by_row + 1
    if any(taken is not None for taken in axes[: first - 1 if first else 0]):
        raise UnsupportedOp("elements taken along a batch axis", hint="reshape in front of it")
    moved = [a for a in range(first, len(shape)) if axes[a] is not None]
    inner = range(moved[0], moved[-1] + 1) if moved else range(len(shape), len(shape))
    return (None if by_row is None else axes[by_row]), inner


def _table(shape: Shape, axes: Axes, inner: range) -> Array:
    """Block of the input for each block of a part of an output row: [blocks]."""
    table = np.zeros(1, np.int64)
    for axis in inner:
        taken = axes[axis]
        indices = np.arange(shape[axis]) if taken is None else np.asarray(taken, np.int64)
        both = table[:, None] * shape[axis] + indices
        table = np.where((table[:, None] < 0) | (indices < 0), FILLED, both).reshape(-1)
    return table


def check_taken(shape: Shape, axes: Axes) -> None:
    """Raise where the kernel cannot address what is taken.

    Raises:
        UnsupportedOp: tables of 16 bits do not hold it.
    """
    rows, inner = _split(shape, axes)
    blocks = math.prod(shape[axis] for axis in inner)
    by_row = row_axis(shape)
    if max(blocks, 0 if rows is None or by_row is None else shape[by_row]) > _NONE:
        raise UnsupportedOp(f"elements taken out of {blocks:,}", hint=f"up to {_NONE:,} are")


def take_call(sig: Signature, axes: Axes, fill: Array | None = None) -> Call:
    """The call that takes the elements.

    Args:
        sig: of a node of one input.
        axes: what is taken along each axis of the input.
        fill: one element of the output's type, where a list has ``FILLED``.
    """
    shape, size = sig.inputs[0].shape, sig.output.dtype.nbytes()
    by_row = row_axis(shape)
    first = 0 if by_row is None else by_row + 1
    rows, inner = _split(shape, axes)
    run = math.prod(shape[inner.stop :]) * size
    table = _table(shape, axes, inner)
    codes = np.zeros(1, np.uint8) if fill is None else np.frombuffer(fill.tobytes(), np.uint8)
    codes = codes[:1] if (codes == codes[0]).all() else codes
    return Call(
        {
            "row_of": None if rows is None else _places(rows),
            "table": _places(table),
            "fill": None if fill is None else ConstArray(DType.UINT8, codes, "tables"),
            "fill_bytes": len(codes),
            "outer": math.prod(shape[first : inner.start]),
            "outer_bytes": math.prod(shape[axis] for axis in inner) * run,
            "count": len(table),
            "run": run,
        }
    )


def found_call(sig: Signature) -> Call | None:
    """The call for an operator of one input that only moves elements, found from what it moves.

    None where an output row is not of one input row, or rows are made in different ways.
    """
    kind, out = sig.inputs[0], sig.output
    wide = kind.elements // max(1, kind.rows)
    if not 0 < wide <= _NONE or not kind.rows <= _NONE or not out.elements:
        return None
    (found,) = sig.op.reference(np.arange(kind.elements).reshape(kind.shape))
    rows, places = np.divmod(found.reshape(out.rows, -1), wide)
    if (rows != rows[:, :1]).any() or (places != places[:1]).any():
        return None
    table = places[0]
    sizes = [n for n in range(len(table), 0, -1) if len(table) % n == 0 and wide % n == 0]
    for n in sizes:  # one of them is 1
        blocks = table.reshape(-1, n)
        if (blocks == blocks[:, :1] + np.arange(n)).all() and (blocks[:, 0] % n == 0).all():
            break
    size = out.dtype.nbytes()
    same = rows[:, 0].tolist() == list(range(kind.rows))
    return Call(
        {
            "row_of": None if same else _places(rows[:, 0]),
            "table": _places(blocks[:, 0] // n),
            "fill": None,
            "fill_bytes": size,
            "outer": 1,
            "outer_bytes": wide * size,
            "count": len(blocks),
            "run": n * size,
        }
    )


def _places(indices: Sequence[int] | Array) -> ConstArray:
    found = np.asarray(indices, np.int64)
    codes = np.where(found == FILLED, _NONE, found).astype(np.uint16)
    return ConstArray(DType.UINT16, codes, "tables")


def take_kernels(
    op: type[Op],
    lower: Callable[[Signature], tuple[Call, ...]],
    supports: Callable[[Signature], bool] = lambda sig: True,
) -> tuple[Kernel, ...]:
    """The kernel of tables for an operator, for each of its types."""
    return tuple(
        Kernel(
            op,
            "mplan_take_s8",
            lower,
            supports,
            types=types,
            cost_class="copy",
            work=_take_work(lower),
        )
        for types in op.types
    )


def _take_work(
    lower: Callable[[Signature], tuple[Call, ...]],
) -> Callable[[Signature, Sequence[int]], Mapping[str, float]]:
    """Parts of rows, blocks taken or filled, and what is in them."""

    def work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
        (call,) = lower(sig)
        table, row_of = call.fields["table"], call.fields["row_of"]
        run, outer, element = (call.fields[key] for key in ("run", "outer", "fill_bytes"))
        assert isinstance(table, ConstArray)
        assert isinstance(run, int)
        assert isinstance(outer, int)
        assert isinstance(element, int)
        rows = sig.output.rows
        whole = int((row_of.values == _NONE).sum()) if isinstance(row_of, ConstArray) else 0
        filled = (rows - whole) * outer * int((table.values == _NONE).sum())
        blocks = (rows - whole) * outer * table.content.size
        taken = blocks - filled
        found = Counter({"call": len(runs), "row": rows, "part": (rows - whole) * outer})
        found.update({"block": blocks, "byte": taken if run == 1 else 0})
        for times, nbytes in ((filled, run), (whole, sig.output.row_bytes)):
            if element == 1:
                found.update(block_parts("cleared", times, nbytes, aligned=nbytes % 4 == 0))
            else:
                found["filled"] += times * nbytes // element
        found.update(block_parts("run", taken if run > 1 else 0, run, aligned=run % 4 == 0))
        return found

    return work
