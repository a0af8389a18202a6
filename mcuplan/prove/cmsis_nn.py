# SPDX-License-Identifier: Apache-2.0
"""The user's copy of CMSIS-NN, of which a test image takes what it calls."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from mcuplan.errors import ToolMissing, UsageError

__all__ = ["FOLDER", "SINGLE_ROUNDING", "called_sources"]

FOLDER = PurePosixPath("cmsis_nn")
"""Where it stands beside generated code that is built for a test."""

SINGLE_ROUNDING = "-DCMSIS_NN_USE_SINGLE_ROUNDING"

_HEADER = PurePosixPath("Include/arm_nnfunctions.h")
_WORD = re.compile(r"\barm_\w+")
_DEFINED = re.compile(  # bounded: what matches nowhere is not searched to the end of the file
    r"^[a-zA-Z_][^;{}#=]{0,200}?\b(arm_\w{1,100})\s{0,9}\([^;{}()]{0,4000}\)\s{0,99}\{",
    re.MULTILINE,
)
_FILES, _BYTES = 2_000, 1 << 20  # at most, and of each
_WHERE = "--cmsis-nn DIR: a folder with Include and Source, as github.com/ARM-software/CMSIS-NN has"


def called_sources(
    folder: Path | None, generated: Mapping[PurePosixPath, str]
) -> Mapping[PurePosixPath, str]:
    """Headers of the library, and the sources that generated code needs, below :data:`FOLDER`.

    Raises:
        ToolMissing: no folder is given.
        UsageError: there is no CMSIS-NN in it.
    """
    if folder is None:
        raise ToolMissing("kernels call CMSIS-NN, whose sources are yours", "", _WHERE)
    if not (folder / _HEADER).is_file():
        raise UsageError(f"there is no {_HEADER}", str(folder), _WHERE)
    headers = _read(folder, folder / "Include", "*.h")
    sources = _read(folder, folder / "Source", "*.c")
    wanted = set(_WORD.findall("\n".join(generated.values())))
    called = _closure(sources, wanted)
    if not called:
        raise UsageError("no source defines what kernels call", str(folder), _WHERE)
    return {FOLDER / path: text for path, text in {**headers, **called}.items()}


def _read(top: Path, folder: Path, pattern: str) -> dict[PurePosixPath, str]:
    paths = sorted(path for path in folder.rglob(pattern) if path.is_file())
    if len(paths) > _FILES or any(path.stat().st_size > _BYTES for path in paths):
        raise UsageError(f"more files than CMSIS-NN has, or larger ones: {folder.name}", str(top))
    named = {PurePosixPath(*path.relative_to(top).parts): path for path in paths}
    return {name: path.read_text("utf-8", errors="replace") for name, path in named.items()}


def _closure(
    sources: Mapping[PurePosixPath, str], wanted: Collection[str]
) -> dict[PurePosixPath, str]:
    """Files that define what is wanted, and what they want in turn."""
    home: dict[str, PurePosixPath] = {}
    for path, text in sources.items():
        for name in _DEFINED.findall(text):
            home.setdefault(name, path)
    taken, open_ = dict[PurePosixPath, str](), sorted(wanted)
    while open_:
        found = home.get(open_.pop())
        if found is not None and found not in taken:
            taken[found] = sources[found]
            open_ += sorted(set(_WORD.findall(sources[found])))
    return taken
