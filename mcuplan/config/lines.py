# SPDX-License-Identifier: Apache-2.0
"""In which line of a TOML file a key stands; `tomllib` does not say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["line_of", "lines_of"]

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")


def lines_of(text: str) -> Mapping[tuple[str, ...], int]:
    """The first line, from 1, of every header and key, below the tables in front of it."""
    first: dict[tuple[str, ...], int] = {}
    for number, found in _keys(text):
        first.setdefault(found, number)
    return first


def line_of(lines: Mapping[tuple[str, ...], int], keys: Sequence[str]) -> int:
    """The line of a key, or of the nearest of the tables in front of it.

    0: none of them was found, as where a key stands in a table of several lines.
    """
    nearest = (tuple(keys[:depth]) for depth in range(len(keys), 0, -1))
    return next((lines[at] for at in nearest if at in lines), 0)


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every header and key with its line."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            table = _split(header[1])
            yield number, table
        elif key := _KEY.match(line):
            yield number, (*table, *_split(key[1]))


def _split(dotted: str) -> tuple[str, ...]:
    """The parts of a dotted key, as TOML reads them."""
    try:
        nested = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:  # in the middle of a text of several lines
        return ()
    parts = []
    while isinstance(nested, dict) and nested:
        name, nested = next(iter(nested.items()))
        parts.append(name)
    return tuple(parts)
