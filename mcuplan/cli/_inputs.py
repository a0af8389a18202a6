# SPDX-License-Identifier: Apache-2.0
"""Which files the running command reads: no output may take the place of one of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from mcuplan.cli._given import Configuration
from mcuplan.errors import McuplanError

__all__ = ["is_read"]

_WRITTEN = frozenset({"output", "reports", "cache", "save"})
_MODELS = frozenset({"model", "models"})
_SIGNS = ("=", ",")  # NAME=FILE, FILE,FILE


def is_read(path: Path, *more: Path, kept: bool = True) -> bool:
    """Whether a file that is to be written is one that the running command reads.

    That is any that its arguments, options, configuration or environment name: models with the
    files of their tensors and, unless not ``kept``, the reports that `verify` left beside them;
    samples, of folders, too; targets, baselines, tables. ``more`` are others that it reads.
    """
    if not os.path.isfile(path):
        return False
    return any(
        os.path.isfile(source) and os.path.samefile(path, source)
        for source in (*more, *_named(kept=kept))
    )


def _named(*, kept: bool) -> Iterator[Path]:
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(context.obj, Configuration):
        yield context.obj.path
    while context is not None:
        for name, value in context.params.items():
            for text in _texts(value) if name not in _WRITTEN else ():
                yield from _files(text)
                if name in _MODELS and os.path.isfile(text):
                    yield from _beside(Path(text), kept=kept)
        context = context.parent


def _texts(value: Any) -> Iterator[str]:
    """Every text in the value of a parameter that may name a file, whole and in parts."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str | Path):
        text = str(value)
        yield text
        for sign in _SIGNS:
            yield from text.split(sign)[1 if sign == "=" else 0 :] if sign in text else ()


def _files(text: str) -> Iterator[Path]:
    """A file of that name, or the samples in a folder of that name."""
    from mcuplan.calibrate.sources import sample_files

    with suppress(OSError, ValueError, McuplanError):
        if text:
            yield from sample_files(Path(text))


def _beside(model: Path, *, kept: bool) -> Iterator[Path]:
    """What a model's file takes with it: tensors, and what a verification has left."""
    from mcuplan.importer.external import external_files
    from mcuplan.kept import kept_reports

    with suppress(OSError, ValueError):
        yield from (found for _, found in external_files(model) if isinstance(found, Path))
        if kept:
            yield from kept_reports(model)
