# SPDX-License-Identifier: Apache-2.0
"""Reads a linked 32-bit little-endian ELF: sections, symbols, and how deep the stack is where."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.dwarf.callframe import FDE
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section, SymbolTableSection

from mcuplan.errors import ToolFailed

__all__ = ["Elf", "ElfSymbol", "Frame", "Kind", "read_elf"]

_STACK_POINTER = 13  # DWARF for the Arm architecture, section 4.1
_TYPES = ("STT_NOTYPE", "STT_OBJECT", "STT_FUNC")


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
class Frame:
    """Call-frame information of a function: bytes on the stack from an address on.

    Attributes:
        rows: ``(address, bytes)``, ascending; None where nothing is known: the frame is found by a
            register other than the stack pointer, or the function is over.
    """

    rows: tuple[tuple[int, int | None], ...]

    def depth_at(self, address: int) -> int | None:
        """Bytes on the stack before the instruction at an address of the function."""
        return self.rows[bisect_right(self.rows, address, key=lambda row: row[0]) - 1][1]

    @property
    def nbytes(self) -> int:
        """Most that the stack pointer is known to move by."""
        return max(depth or 0 for _, depth in self.rows)


@dataclass(frozen=True, slots=True)
class Elf:
    """What an image holds.

    Attributes:
        symbols: all that have an address, ascending, then by name. Labels without type (of
            assembly and of the linker script) are among them; the marks that separate code
            from literals (``$t``, ``$d``) are not.
        ranges: ``(start, end, kind)`` of the sections in memory, ascending.
        frames: by address, of the functions that have call-frame information.
    """

    symbols: tuple[ElfSymbol, ...]
    ranges: tuple[tuple[int, int, Kind], ...]
    frames: Mapping[int, Frame]

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
    linked = f"arm-none-eabi-gcc linked {path.name}"
    with path.open("rb") as stream:
        try:
            file = ELFFile(stream)
        except ELFError as error:
            raise ToolFailed(f"{linked}, which is no ELF file") from error
        if file.elfclass != 32 or not file.little_endian:
            raise ToolFailed(f"{linked}, which is no 32-bit little-endian ELF file")
        try:
            return _read(file)
        except Exception as error:  # whatever the library stumbles over in damaged bytes
            raise ToolFailed(f"{linked}, a damaged ELF file") from error


def _read(file: ELFFile) -> Elf:
    sections = list(file.iter_sections())
    symbols = sorted(_symbols(sections), key=lambda symbol: (symbol.address, symbol.name))
    ranges = [
        (section["sh_addr"], section["sh_addr"] + section["sh_size"], kind)
        for section in sections
        if (kind := _kind(section)) and section["sh_size"]
    ]
    functions = {symbol.address for symbol in symbols if symbol.is_function}
    frames = {at: frame for at, frame in _frames(file) if at in functions}
    return Elf(tuple(symbols), tuple(sorted(ranges)), frames)


def _kind(section: Section) -> Kind | None:
    flags = section["sh_flags"]
    if not flags & SH_FLAGS.SHF_ALLOC:
        return None
    if flags & SH_FLAGS.SHF_EXECINSTR:
        return Kind.TEXT
    if not flags & SH_FLAGS.SHF_WRITE:
        return Kind.RODATA
    return Kind.BSS if section["sh_type"] == "SHT_NOBITS" else Kind.DATA


def _symbols(sections: list[Section]) -> Iterator[ElfSymbol]:
    for table in sections:
        if not isinstance(table, SymbolTableSection):
            continue
        for symbol in table.iter_symbols():
            index, how = symbol["st_shndx"], symbol["st_info"]["type"]
            kind = _kind(sections[index]) if isinstance(index, int) else None
            if kind is None or how not in _TYPES or not symbol.name or symbol.name[0] == "$":
                continue
            address = symbol["st_value"] & (~1 if kind is Kind.TEXT else ~0)
            yield ElfSymbol(symbol.name, address, symbol["st_size"], kind, how == "STT_FUNC")


def _frames(file: ELFFile) -> Iterator[tuple[int, Frame]]:
    """Frames by address; those of functions that the linker dropped are at address 0.

    Of two at one address, which is one function under two names, either is right.
    """
    dwarf = file.get_dwarf_info(relocate_dwarf_sections=False)
    for entry in dwarf.CFI_entries() if dwarf.has_CFI() else ():
        if isinstance(entry, FDE):
            start = entry["initial_location"] & ~1
            rows = [(row["pc"] & ~1, row["cfa"]) for row in entry.get_decoded().table]
            depths = [(at, c.offset if c.reg == _STACK_POINTER else None) for at, c in rows]
            yield start, Frame((*depths, (start + entry["address_range"], None)))
