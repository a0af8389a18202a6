# SPDX-License-Identifier: Apache-2.0
"""Reads a linked 32-bit little-endian ELF: sections, symbols and their bytes.

Source: Tool Interface Standard, "Executable and Linking Format", version 1.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mcuplan.errors import ToolFailed

__all__ = ["Elf", "ElfSymbol", "Kind", "read_elf"]

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<IIIBBH")
_SYMTAB, _NOBITS = 2, 8
_WRITE, _ALLOC, _EXEC = 1, 2, 4
_OBJECT, _FUNC = 1, 2


class Kind(StrEnum):
    """Where bytes of an image lie."""

    TEXT = "text"
    RODATA = "rodata"
    DATA = "data"
    BSS = "bss"


@dataclass(frozen=True, slots=True)
class ElfSymbol:
    """A symbol that lies in memory; ``address`` without the Thumb bit."""

    name: str
    address: int
    nbytes: int
    kind: Kind
    is_function: bool


@dataclass(frozen=True, slots=True)
class _Section:
    type: int
    flags: int
    address: int
    offset: int
    nbytes: int
    linked: int

    @property
    def kind(self) -> Kind | None:
        if not self.flags & _ALLOC:
            return None
        if self.flags & _EXEC:
            return Kind.TEXT
        if not self.flags & _WRITE:
            return Kind.RODATA
        return Kind.BSS if self.type == _NOBITS else Kind.DATA


@dataclass(frozen=True, slots=True)
class Elf:
    """What an image holds.

    Attributes:
        symbols: all that have an address, ascending, then by name. Labels without type (of
            assembly and of the linker script) are among them; the marks that separate code
            from literals (``$t``, ``$d``) are not.
        ranges: ``(start, end, kind)`` of the sections in memory, ascending.
    """

    symbols: tuple[ElfSymbol, ...]
    ranges: tuple[tuple[int, int, Kind], ...]

    def kind_at(self, address: int) -> Kind | None:
        """Kind of the section that covers an address."""
        for start, end, kind in self.ranges:
            if start <= address < end:
                return kind
        return None

    def find(self, name: str) -> ElfSymbol:
        """The symbol of that name.

        Raises:
            ToolFailed: there is none.
        """
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol
        raise ToolFailed(f"the linked image has no {name}")

    def function_at(self, address: int) -> str | None:
        """Name of the function that covers an address."""
        for symbol in self.symbols:
            if symbol.is_function and symbol.address <= address < symbol.address + symbol.nbytes:
                return symbol.name
        return None


def read_elf(path: Path) -> Elf:
    """Read an image.

    Raises:
        ToolFailed: the file is not a 32-bit little-endian ELF.
    """
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x01\x01":
        raise ToolFailed(
            f"arm-none-eabi-gcc linked {path.name}, which is no 32-bit little-endian ELF file"
        )
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError) as error:
        raise ToolFailed(f"arm-none-eabi-gcc linked {path.name}, a damaged ELF file") from error


def _read(data: bytes) -> Elf:
    sections = _read_sections(data)
    symbols: list[ElfSymbol] = []
    for table in sections:
        if table.type == _SYMTAB:
            symbols += _read_table(data, table, sections)
    ranges = [(s.address, s.address + s.nbytes, s.kind) for s in sections if s.kind and s.nbytes]
    return Elf(
        tuple(sorted(symbols, key=lambda symbol: (symbol.address, symbol.name))),
        tuple(sorted(ranges)),
    )


def _read_sections(data: bytes) -> tuple[_Section, ...]:
    header = _HEADER.unpack_from(data)
    start, size, count = header[6], header[11], header[12]
    sections = []
    for index in range(count):
        _, kind, flags, address, offset, nbytes, linked, *_ = _SECTION.unpack_from(
            data, start + index * size
        )
        sections.append(_Section(kind, flags, address, offset, nbytes, linked))
    return tuple(sections)


def _read_table(data: bytes, table: _Section, sections: tuple[_Section, ...]) -> list[ElfSymbol]:
    names = sections[table.linked]
    text = data[names.offset : names.offset + names.nbytes]
    found = []
    for at in range(table.offset, table.offset + table.nbytes, _SYMBOL.size):
        name_at, value, nbytes, info, _, section = _SYMBOL.unpack_from(data, at)
        kind = sections[section].kind if 0 < section < len(sections) else None
        name = text[name_at : text.index(b"\0", name_at)].decode("utf-8", "replace")
        symbol_type = info & 0xF
        if kind is None or symbol_type > _FUNC or not name or name.startswith("$"):
            continue
        is_function = symbol_type == _FUNC
        address = value & ~1 if kind is Kind.TEXT else value
        found.append(ElfSymbol(name, address, nbytes, kind, is_function))
    return found
