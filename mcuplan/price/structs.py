# SPDX-License-Identifier: Apache-2.0
"""Reads the params structs of the kernel headers: members, types, size on a 32-bit core."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from mcuplan.ir.types import DType
from mcuplan.resources import codegen_dir
from mcuplan.units import align_up

__all__ = ["POINTER_BYTES", "Member", "Struct", "kernel_struct", "struct_bytes"]

POINTER_BYTES = 4  # of every supported core

ROWS = "mplan_rows_t"
_ROWS_BYTES = 4 + POINTER_BYTES  # stride and table
_TYPES = (
    *(DType.INT8, DType.UINT8, DType.INT16, DType.UINT16, DType.INT32, DType.UINT32),
    DType.FLOAT32,
)
_BY_NAME = {dtype.c_type: dtype for dtype in _TYPES}
_MEMBER = re.compile(r"\s*(const\s+)?(\w+)\s+(\*)?\s*(\w+)(?:\[(\d+)U?\])?;")


@dataclass(frozen=True, slots=True)
class Member:
    """One member: ``dtype`` is None for row addresses; ``count`` > 0 for an array inside."""

    name: str
    dtype: DType | None
    pointer: bool
    count: int

    @property
    def alignment(self) -> int:
        """Alignment in bytes under the Arm procedure call standard."""
        return POINTER_BYTES if self.pointer or self.dtype is None else self.dtype.nbytes()

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        if self.pointer:
            return POINTER_BYTES
        return _ROWS_BYTES if self.dtype is None else self.dtype.nbytes() * max(1, self.count)


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
def struct_bytes(function: str) -> int:
    """Size of the params struct of a kernel."""
    return kernel_struct(function).nbytes


@cache
def kernel_struct(function: str) -> Struct:
    """The params struct of a kernel, from its header, or from that of the one it shares."""
    name = f"{function}_t"
    text = (codegen_dir() / "include" / f"{function}.h").read_text(encoding="ascii")
    same = re.search(r"typedef (\w+)_t " + re.escape(name) + ";", text)
    if same is not None:
        return kernel_struct(same[1])
    body = re.search(r"typedef struct \{(.*?)\}\s*" + re.escape(name) + r";", text, re.S)
    if body is None:
        raise ValueError(f"{function}.h does not define {name}")
    plain = re.sub(r"/\*.*?\*/", "", body.group(1), flags=re.S)
    members = {
        m[4]: Member(m[4], _BY_NAME.get(m[2]), bool(m[3]), int(m[5] or 0))
        for m in _MEMBER.finditer(plain)
        if m[2] in (ROWS, *_BY_NAME)
    }
    if len(members) != plain.count(";"):
        raise ValueError(f"{function}.h: a member of {name} cannot be read")
    return Struct(name, MappingProxyType(members))
