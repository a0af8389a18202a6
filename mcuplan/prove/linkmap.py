# SPDX-License-Identifier: Apache-2.0
"""Reads GNU ld's link map: which bytes of an image came from which object file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mcuplan.errors import ToolFailed

__all__ = ["Piece", "read_link_map"]

_START = "Linker script and memory map"
# " .rodata.x   0x0000000000000100   0x24 obj/bundle/kws.o"; a long name stands on its own line.
_INPUT = re.compile(
    r"^ (?P<section>\S+)\s+0x(?P<at>[0-9a-f]+)\s+0x(?P<size>[0-9a-f]+) (?P<file>\S.*)$"
)
_FILL = re.compile(r"^ \*fill\*\s+0x(?P<at>[0-9a-f]+)\s+0x(?P<size>[0-9a-f]+)")
_LONG_NAME = re.compile(r"^ (\.\S+|COMMON)$")


@dataclass(frozen=True, slots=True)
class Piece:
    """One input section in the image.

    Attributes:
        section: its name in the object, ``.rodata.conv1_weights``.
        object: the file, as on the command line; ``libgcc.a(_muldi3.o)`` for a library member.
        padding_bytes: alignment bytes that the linker put in front of it.
    """

    section: str
    object: str
    address: int
    nbytes: int
    padding_bytes: int


def read_link_map(text: str) -> tuple[Piece, ...]:
    """The pieces of an image, in the order of the map; discarded and empty ones left out.

    Raises:
        ToolFailed: it is no link map.
    """
    if _START not in text:
        raise ToolFailed("the linker wrote no link map", hint="use the linker of GNU binutils")
    pieces: list[Piece] = []
    padding, pending = 0, ""
    for line in text[text.index(_START) :].splitlines():
        if _LONG_NAME.match(line):
            pending = line
            continue
        joined, pending = pending + line, ""
        if fill := _FILL.match(joined):
            padding += int(fill["size"], 16)
        elif found := _INPUT.match(joined):
            nbytes = int(found["size"], 16)
            if nbytes and _is_loaded(found["section"]):
                file = _short(found["file"])
                at = int(found["at"], 16)
                pieces.append(Piece(found["section"], file, at, nbytes, padding))
                padding = 0
        elif not line.startswith(" "):
            padding = 0
    return tuple(pieces)


def _is_loaded(section: str) -> bool:
    return not section.startswith((".debug", ".comment", ".ARM.attributes", ".note"))


def _short(file: str) -> str:
    """A library member without the folder of its library."""
    return file.rsplit("/", 1)[-1] if file.endswith(")") else file
