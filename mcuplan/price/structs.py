# SPDX-License-Identifier: Apache-2.0
"""Reads the params structs of the kernel headers: members, types, size on a 32-bit core."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from mcuplan.resources import codegen_dir
from mcuplan.units import align_up

__all__ = ["POINTER_BYTES", "Member", "Struct", "kernel_struct"]

POINTER_BYTES = 4  # of every supported core

_SIZES = {
    "int8_t": 1,
    "uint8_t": 1,
    "int16_t": 2,
    "uint16_t": 2,
    "int32_t": 4,
    "uint32_t": 4,
    "mplan_rows_t": 4 + POINTER_BYTES,  # stride and table
}
_MEMBER = re.compile(r"\s*(const\s+)?(\w+)\s+(\*)?\s*(\w+)(?:\[(\d+)U?\])?;")


@dataclass(frozen=True, slots=True)
class Member:
    """One member: ``ctype`` without const; ``count`` > 0 for an array inside the struct."""

    name: str
    ctype: str
    pointer: bool
    count: int

    @property
    def alignment(self) -> int:
        """Alignment in bytes under the Arm procedure call standard."""
        wide = self.pointer or self.ctype == "mplan_rows_t"
        return POINTER_BYTES if wide else _SIZES[self.ctype]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        one = POINTER_BYTES if self.pointer else _SIZES[self.ctype]
        return one * max(1, self.count)

    def holds(self, value: int) -> bool:
        """Whether an integer fits the member's type."""
        bits = _SIZES[self.ctype] * 8
        low = 0 if self.ctype.startswith("u") else -(1 << (bits - 1))
        return low <= value < low + (1 << bits)


@dataclass(frozen=True, slots=True)
class Struct:
    """A params struct in the order of its members."""

    name: str
    members: Mapping[str, Member]

    @property
    def nbytes(self) -> int:
        """Size on a 32-bit core, padding included."""
        size, widest = 0, 1
        for member in self.members.values():
            size = align_up(size, member.alignment) + member.nbytes
            widest = max(widest, member.alignment)
        return align_up(size, widest)


@cache
def kernel_struct(function: str) -> Struct:
    """The params struct of a kernel, from its header."""
    name = f"{function}_t"
    text = (codegen_dir() / "include" / f"{function}.h").read_text(encoding="ascii")
    body = re.search(r"typedef struct \{(.*?)\}\s*" + re.escape(name) + r";", text, re.S)
    if body is None:
        raise ValueError(f"{function}.h does not define {name}")
    plain = re.sub(r"/\*.*?\*/", "", body.group(1), flags=re.S)
    members = {
        m[4]: Member(m[4], m[2], bool(m[3]), int(m[5] or 0)) for m in _MEMBER.finditer(plain)
    }
    if len(members) != plain.count(";"):
        raise ValueError(f"{function}.h: a member of {name} cannot be read")
    return Struct(name, MappingProxyType(members))
