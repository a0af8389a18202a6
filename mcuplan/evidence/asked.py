# SPDX-License-Identifier: Apache-2.0
"""What a folder of evidence was asked for: recorded in it, and read again from a stranger's.

Options are recorded as words of a command line whose files lie in the folder. When they are read
again every file must be one of the folder's, and neither environment nor configuration has a say.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import click

from mcuplan.errors import EvidenceError
from mcuplan.options import MODEL, evidencing
from mcuplan.safe_text import plain, shown
from mcuplan.targets import list_targets

__all__ = ["ARGUMENTS", "SCHEMA", "Asked", "file_options", "parsed", "read_asked"]

ARGUMENTS = PurePosixPath("arguments.json")
SCHEMA = "mcuplan.evidence/1"

_FILES = {
    "--target": "target",
    "--calibration": "calibration",
    "--inputs": "inputs",
}
_DATA = "data"
_MOST_WORDS = 1000
_HINT = "make the folder anew with `mcuplan evidence`"


@dataclass(frozen=True, slots=True)
class Asked:
    """A model and options, files by their paths in the folder."""

    model: PurePosixPath
    words: tuple[str, ...]


@click.command("evidence")
@MODEL
@evidencing
def _command(**options: Any) -> None:
    """The options alone, for their types and defaults."""


def file_options(options: Mapping[str, Any]) -> Mapping[str, Path]:
    """Files that options name, by the option; a built-in target and `random` are none."""
    found = {}
    for option, name in _FILES.items():
        value = options.get(name)
        if value is not None and not _is_free(name, str(value)):
            found[option] = Path(value)
    return found


def place_of(option: str, file: str) -> PurePosixPath:
    """Where a file of an option lies in the folder."""
    return PurePosixPath(_DATA, _FILES[option], file)


def recorded(words: Sequence[str], files: Mapping[str, Path]) -> tuple[str, ...]:
    """Words as they were given, with files of the folder in place of those they named."""
    found = list(words)
    for at in range(len(found) - 1):
        if found[at] in files:
            found[at + 1] = str(place_of(found[at], files[found[at]].name))
    return tuple(found)


def parsed(asked: Asked, files: Collection[PurePosixPath], base: Path) -> Mapping[str, Any]:
    """Options with their types and defaults, and files below ``base``.

    Args:
        asked: from :func:`read_asked`.
        files: paths that the folder has.
        base: where they lie now.

    Raises:
        EvidenceError: words that are no options, or name what is not in the folder.
    """
    try:
        params = [_deaf(param) for param in _command.params]
        quiet = click.Command("evidence", params=params, add_help_option=False)
        context = quiet.make_context("evidence", [*asked.words, "--", str(asked.model)])
    except click.ClickException as error:
        said = shown(error.format_message())
        raise EvidenceError(f"options are wrong: {said}", str(ARGUMENTS), _HINT) from error
    options = {name: value for name, value in context.params.items() if name != "model"}
    for name in _FILES.values():
        if options[name] is not None and not _is_free(name, str(options[name])):
            place = _inside(name, str(options[name]), files)
            options[name] = type(options[name])(base / place)
    if options["baseline"] is not None or options["dump_after"] is not None:
        raise EvidenceError("an option that is not recorded", str(ARGUMENTS), _HINT)
    return options


def _is_free(name: str, value: str) -> bool:
    """Whether a value that could be a file is something else."""
    if name == "target":
        return value.lower() in list_targets()
    return name == "calibration" and value == "random"


def _inside(name: str, value: str, files: Collection[PurePosixPath]) -> PurePosixPath:
    """A file or folder of an option's own."""
    path = PurePosixPath(value)
    folders = {parent for file in files for parent in file.parents}
    if path.parts[:2] != (_DATA, name) or path not in {*files, *folders}:
        said = f"names {shown(value)!r}, which is no file of the folder"
        raise EvidenceError(said, str(ARGUMENTS), _HINT)
    return path


def _deaf(param: click.Parameter) -> click.Parameter:
    """An option that reads no environment variable."""
    found = copy.copy(param)
    found.envvar = None
    return found


def read_asked(text: bytes, files: Collection[PurePosixPath]) -> Asked:
    """What ``arguments.json`` says.

    Args:
        text: its bytes.
        files: paths that the folder has.

    Raises:
        EvidenceError: it is not as :mod:`mcuplan.evidence.folder` writes it, or names other files.
    """
    try:
        table = json.loads(text.decode("utf-8"))
        model, words = table["model"], table["words"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EvidenceError(
            "is not what a folder of evidence has", str(ARGUMENTS), _HINT
        ) from error
    whole = isinstance(words, list) and len(words) <= _MOST_WORDS
    if table.get("schema") != SCHEMA or not whole or not isinstance(model, str):
        raise EvidenceError("is not what a folder of evidence has", str(ARGUMENTS), _HINT)
    if not all(isinstance(word, str) and plain(word, unicode=True) == word for word in words):
        raise EvidenceError("a word that is no text", str(ARGUMENTS), _HINT)
    path = PurePosixPath(model)
    if path not in files or path.parts[0] != "model":
        said = f"names {shown(model)!r}, which is no model of the folder"
        raise EvidenceError(said, str(ARGUMENTS), _HINT)
    return Asked(path, tuple(words))
