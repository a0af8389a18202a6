# SPDX-License-Identifier: Apache-2.0
"""Prints C: literals, constant arrays, designated initializers, calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mcuplan.errors import InputTooLarge
from mcuplan.ir.types import Array
from mcuplan.price.structs import Member, Struct

__all__ = ["array", "call", "float_literal", "initializer", "literal", "table"]

_WIDTH = 100
_SUFFIX = {"uint8_t": "U", "uint16_t": "U", "uint32_t": "U"}


def float_literal(value: float) -> str:
    """Nine significant digits, which give every float32 back, and ``f``."""
    text = f"{value:.9g}"
    return f"{text}f" if any(c in text for c in ".en") else f"{text}.0f"


def literal(value: int, ctype: str) -> str:
    """Integer constant of a type; the least int32 has no literal of its own."""
    if value == -(2**31):
        return "(-2147483647 - 1)"
    return f"{value}{_SUFFIX.get(ctype, '')}"


def array(name: str, ctype: str, values: Array) -> str:
    """``static const`` array definition, as many values a line as fit."""
    flat = values.reshape(-1)
    suffix = _SUFFIX.get(ctype, "")
    if ctype == "int32_t" and bool((flat == -(2**31)).any()):
        words = [literal(int(v), ctype) for v in flat]
    else:
        words = [f"{v}{suffix}" for v in flat.tolist()]
    return f"static const {ctype} {name}[{flat.size}] = {{\n{table(words)}\n}};\n"


def table(words: Iterable[str]) -> str:
    """Values of an array, indented, as many a line as fit."""
    lines, line = [], "   "
    for word in words:
        if len(line) + len(word) + 2 > _WIDTH:
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
    assert isinstance(value, (int, np.integer)), f"{member.name} = {value!r}"
    number = int(value)
    if not member.holds(number):
        raise InputTooLarge(
            f"{member.name} = {number:,} does not fit {member.ctype}",
            where,
            hint="the layer is larger than the kernels address",
        )
    return literal(number, member.ctype)


def call(function: str, arguments: Sequence[str], indent: int) -> str:
    """A call statement, wrapped behind its parenthesis at 100 columns."""
    head = " " * indent + function + "("
    line, lines = head, []
    for i, argument in enumerate(arguments):
        piece = argument + (");" if i == len(arguments) - 1 else ",")
        joined = line + piece if line in (head, " " * len(head)) else f"{line} {piece}"
        if len(joined) > _WIDTH and line.strip() and line != head:
            lines.append(line)
            joined = " " * len(head) + piece
        line = joined
    return "\n".join([*lines, line])
