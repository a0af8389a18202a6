# SPDX-License-Identifier: Apache-2.0
"""Which functions of shared headers the code of a model calls; a linker leaves out the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from mcuplan.prove.coverage import Lines

__all__ = ["called"]

_WORD = re.compile(r"\w+")
_MACRO = re.compile(r"^[ \t]*#[ \t]*define\b(?:.*\\\n)*.*", re.MULTILINE)


def called(lines: Lines, files: Mapping[PurePosixPath, str]) -> Lines:
    """The lines without those of functions of headers that nothing in the sources leads to.

    What a function's text or a macro names is called, and so is what ran.

    Args:
        lines: of all functions that were compiled.
        files: their sources, by the names that the lines have.
    """
    spans: dict[tuple[str, str], list[int]] = {}
    found: set[str] = {word for text in files.values() for word in _in_macros(text)}
    for (file, number, function), line in lines.items():
        spans.setdefault((file, function), []).append(number)
        if line.count or not file.endswith(".h"):
            found.add(function)
    names = {
        (file, function): _named(files[PurePosixPath(file)], numbers)
        for (file, function), numbers in spans.items()
    }
    while True:
        more = {word for (_, own), words in names.items() if own in found for word in words}
        if more <= found:
            return {at: line for at, line in lines.items() if at[2] in found}
        found |= more


def _in_macros(text: str) -> set[str]:
    return {word for macro in _MACRO.findall(text) for word in _WORD.findall(macro)}


def _named(text: str, numbers: list[int]) -> set[str]:
    """Words between the first and the last line of a function, which begins behind its name."""
    body = "\n".join(text.splitlines()[min(numbers) : max(numbers)])
    return set(_WORD.findall(body))
