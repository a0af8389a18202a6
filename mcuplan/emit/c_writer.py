# SPDX-License-Identifier: Apache-2.0
"""Prints C: literals, constant arrays, designated initializers, calls."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mcuplan.errors import InputTooLarge
from mcuplan.ir.types import Array, DType
from mcuplan.price.structs import Member, Struct

__all__ = [
    "COLUMNS",
    "array",
    "call",
    "float_literal",
    "initializer",
    "literal",
    "noted",
    "table",
    "wrapped",
]

COLUMNS = 100
"""A line of C has at most as many."""


def float_literal(value: float) -> str:
    """Nine significant digits, which give every float32 back, and ``f``.

    C99 has no literal of what is not finite, only divisions.
    """
    if not math.isfinite(value):
        return f"({math.copysign(1, value):.1f}f / 0.0f)" if value == value else "(0.0f / 0.0f)"
    text = f"{value:.9g}"
    return f"{text}f" if any(c in text for c in ".en") else f"{text}.0f"


def literal(value: float, dtype: DType) -> str:
    """Constant of a type; the least int32 has no literal of its own."""
    if dtype.is_float:
        return float_literal(value)
    if value in _LEAST:
        return f"({value + 1} - 1)"
    return f"{int(value)}{_suffix(dtype)}"


_LEAST = (DType.INT32.low, DType.INT64.low)
"""Integers that C has no literal of."""


def _suffix(dtype: DType) -> str:
    return "U" if dtype.c_type.startswith("u") else ""


def array(name: str, dtype: DType, values: Array) -> str:
    """``static const`` array definition, as many values a line as fit."""
    flat = dtype.packed(values)
    if dtype.is_float or (dtype.low in _LEAST and bool((flat == dtype.low).any())):
        words = [literal(value, dtype) for value in flat.tolist()]
    else:
        suffix = _suffix(dtype)
        whole = flat.astype(np.uint8) if dtype is DType.BOOL else flat
        words = [f"{value}{suffix}" for value in whole.tolist()]
    return f"static const {dtype.c_type} {name}[{flat.size}] = {{\n{table(words)}\n}};\n"


def table(words: Iterable[str]) -> str:
    """Values of an array, indented, as many a line as fit."""
    lines, line = [], "   "
    for word in words:
        if len(line) + len(word) + 2 > COLUMNS:
            lines.append(line)
            line = "   "
        line += f" {word},"
    return "\n".join([*lines, line])


def initializer(name: str, struct: Struct, fields: Mapping[str, object], where: str) -> str:
    """``static const`` params struct; ``fields`` hold ints, tuples or names of arrays.

    Raises:
        InputTooLarge: a value does not fit its member.
    """
    unknown = fields.keys() - struct.members.keys()
    if unknown:
        raise ValueError(f"{struct.name} has no member {sorted(unknown)}")
    lines = [
        f"    .{member.name} = {_value(member, fields[member.name], where)},"
        for member in struct.members.values()
        if member.name in fields
    ]
    return f"static const {struct.name} {name} = {{\n" + "\n".join(lines) + "\n};\n"


def _value(member: Member, value: object, where: str) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return "{" + ", ".join(_value(member, v, where) for v in value) + "}"
    dtype = member.dtype
    assert dtype is not None, f"{member.name} holds row addresses"
    if dtype.is_float:
        assert isinstance(value, (int, float)), f"{member.name} = {value!r}"
        return literal(value, dtype)
    assert isinstance(value, (int, np.integer)), f"{member.name} = {value!r}"
    number = int(value)
    if not dtype.holds(np.array(number)):
        raise InputTooLarge(
            f"{member.name} = {number:,} does not fit {dtype.c_type}",
            where,
            hint="the layer is larger than the kernels address",
        )
    return literal(number, dtype)


def noted(definition: str, note: str) -> str:
    """A macro with a comment behind it, or over it where the line would be too long."""
    line = f"{definition} /* {note} */"
    return line if len(line) <= COLUMNS else f"/* {note} */\n{definition}"


def wrapped(text: str) -> str:
    """Lines of comments of more than 100 columns go on in the line below."""
    lines, rest = [], ""
    for line in text.split("\n"):
        is_text = line.startswith(" * ") and not line[3:4].isspace()
        if rest and is_text and not rest.endswith("."):
            line = f" * {rest} {line[3:]}"
        elif rest:
            lines.append(f" * {rest}")
        rest = ""
        if is_text and len(line) > COLUMNS:
            *full, rest = textwrap.wrap(line[3:], COLUMNS - 3, break_on_hyphens=False)
            lines += [f" * {each}" for each in full]
        else:
            lines.append(line)
    return "\n".join(lines)


def call(function: str, arguments: Sequence[str], indent: int) -> str:
    """A call statement, wrapped behind its parenthesis at 100 columns."""
    head = " " * indent + function + "("
    line, lines = head, []
    for i, argument in enumerate(arguments):
        piece = argument + (");" if i == len(arguments) - 1 else ",")
        joined = line + piece if line in (head, " " * len(head)) else f"{line} {piece}"
        if len(joined) > COLUMNS and line.strip() and line != head:
            lines.append(line)
            joined = " " * len(head) + piece
        line = joined
    return "\n".join([*lines, line])
