# SPDX-License-Identifier: Apache-2.0
"""Measures the bytes of a bundle in a linked image: each symbol, padding, code, libraries.

Data and constants are the named symbols of the bundle's objects plus the alignment padding
between them; code is what the linker kept of their text. What they pull in from libraries
is listed apart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcuplan.prove.elf import Elf, Kind, read_elf
from mcuplan.prove.harness import CoreImage, Hook
from mcuplan.prove.linkmap import Piece, read_link_map
from mcuplan.prove.toolchain import Compiler, made_by
from mcuplan.record import BuildFigures

__all__ = [
    "ImageReport",
    "Kind",
    "LibraryMember",
    "Linked",
    "Symbol",
    "linked_sizes",
    "measure_image",
    "measure_linked",
]

_BUNDLE = "obj/bundle/"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A named object or function of the bundle, or an arena of the test image.

    ``object`` is the object file in the bundle (``mplan/mplan_conv2d_s8.o``), empty for an arena.
    """

    name: str
    nbytes: int
    kind: Kind
    object: str
    address: int


@dataclass(frozen=True, slots=True)
class LibraryMember:
    """A member of a compiler or C library that the bundle pulls in; code and constants."""

    name: str
    nbytes: int


@dataclass(frozen=True, slots=True)
class ImageReport:
    """Bytes of a bundle in an image; padding counts apart from what it separates.

    Attributes:
        symbols: of the bundle's objects, in the order of their addresses.
        arenas: one per region, in the order of the context.
        context_bytes: the context of the test image.
        code_bytes: text of the bundle's objects: functions rounded up by the assembler, with their
            literals and jump tables.
        code_padding_bytes: alignment between their functions.
        constants_bytes: sum of the named constants.
        constants_padding_bytes: alignment between them.
        unnamed_constants_bytes: constants without a symbol that the compiler made.
        data_bytes: variables, initialized or not; a bundle has none.
        library: members of libraries, by name.
    """

    symbols: tuple[Symbol, ...]
    arenas: tuple[Symbol, ...]
    context_bytes: int
    code_bytes: int
    code_padding_bytes: int
    constants_bytes: int
    constants_padding_bytes: int
    unnamed_constants_bytes: int
    data_bytes: int
    library: tuple[LibraryMember, ...]

    @property
    def library_bytes(self) -> int:
        """Code and constants of all library members together."""
        return sum(member.nbytes for member in self.library)

    @property
    def arena_bytes(self) -> int:
        """All arenas together."""
        return sum(arena.nbytes for arena in self.arenas)


def measure_image(image: CoreImage) -> ImageReport:
    """Measure the bundle in an image that was built without a step hook.

    Raises:
        ValueError: it was built with one.
        ToolFailed: the linker did not write an ELF file that can be read.
    """
    if image.hook is not Hook.NONE:
        raise ValueError("a step hook changes the code: measure an image without one")
    arenas = [image.api.arena(region) for region, _ in image.api.regions]
    linked = Linked(image.work, image.program, image.link_map, image.compiler)
    return measure_linked(linked, arenas, "context")


@dataclass(frozen=True, slots=True)
class Linked:
    """A linked program whose generated code was compiled below ``bundle/``."""

    work: Path
    program: PurePosixPath
    link_map: PurePosixPath
    compiler: Compiler


def measure_linked(image: Linked, arenas: Sequence[str], context: str = "") -> ImageReport:
    """Measure generated code; arenas and context are objects of the program, by name.

    Raises:
        ToolFailed: the linker did not write an ELF file that can be read.
    """
    elf = read_elf(image.work / image.program)
    link_map = made_by(image.work / image.link_map, image.compiler.path)
    pieces = read_link_map(link_map.read_text(encoding="utf-8", errors="replace"))
    bundle = tuple(piece for piece in pieces if piece.object.startswith(_BUNDLE))
    symbols = _symbols_of(elf, bundle)
    named = _total(symbols, Kind.RODATA)
    constants, constants_padding = _sizes(elf, bundle, (Kind.RODATA,))
    code, code_padding = _sizes(elf, bundle, (Kind.TEXT,))
    data, data_padding = _sizes(elf, bundle, (Kind.DATA, Kind.BSS))
    return ImageReport(
        symbols=symbols,
        arenas=tuple(_arena(elf, name) for name in arenas),
        context_bytes=elf.find(context).nbytes if context else 0,
        code_bytes=code,
        code_padding_bytes=code_padding,
        constants_bytes=named,
        constants_padding_bytes=constants_padding,
        unnamed_constants_bytes=constants - named,
        data_bytes=data + data_padding,
        library=_library(elf, pieces),
    )


def linked_sizes(report: ImageReport, compiler: str, flags: Sequence[str]) -> BuildFigures:
    """Sizes of an image as a report has them, without its stack, which is bounded elsewhere."""
    return BuildFigures(
        code_bytes=report.code_bytes + report.code_padding_bytes + report.unnamed_constants_bytes,
        library_bytes=report.library_bytes,
        constants_bytes=report.constants_bytes + report.constants_padding_bytes,
        data_bytes=report.data_bytes,
        stack_bytes=0,
        compiler=compiler,
        flags=" ".join(flags),
    )


def _symbols_of(elf: Elf, bundle: tuple[Piece, ...]) -> tuple[Symbol, ...]:
    ordered = sorted(bundle, key=lambda piece: piece.address)
    starts = [piece.address for piece in ordered]
    symbols = []
    for symbol in elf.symbols:
        at = bisect_right(starts, symbol.address) - 1
        if at < 0 or symbol.nbytes == 0:
            continue
        piece = ordered[at]
        if symbol.address < piece.address + piece.nbytes:
            name = str(PurePosixPath(piece.object).relative_to(_BUNDLE))
            symbols.append(Symbol(symbol.name, symbol.nbytes, symbol.kind, name, symbol.address))
    return tuple(symbols)


def _arena(elf: Elf, name: str) -> Symbol:
    symbol = elf.find(name)
    return Symbol(symbol.name, symbol.nbytes, symbol.kind, "", symbol.address)


def _sizes(elf: Elf, pieces: tuple[Piece, ...], kinds: tuple[Kind, ...]) -> tuple[int, int]:
    """Bytes and padding of the pieces of some kinds."""
    chosen = [piece for piece in pieces if elf.kind_at(piece.address) in kinds]
    return sum(p.nbytes for p in chosen), sum(p.padding_bytes for p in chosen)


def _total(symbols: tuple[Symbol, ...], kind: Kind) -> int:
    return sum(symbol.nbytes for symbol in symbols if symbol.kind is kind)


def _library(elf: Elf, pieces: tuple[Piece, ...]) -> tuple[LibraryMember, ...]:
    sizes: dict[str, int] = {}
    for piece in pieces:
        if piece.object.endswith(")") and elf.kind_at(piece.address) is not None:
            sizes[piece.object] = sizes.get(piece.object, 0) + piece.nbytes
    return tuple(LibraryMember(name, sizes[name]) for name in sorted(sizes))
