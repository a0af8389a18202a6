# SPDX-License-Identifier: Apache-2.0
"""What a package is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from mcuplan.packages._product import Product

__all__ = ["SOURCES", "Package", "Section", "listed", "options_of", "takes_all"]

SOURCES = PurePosixPath("src")
"""Folder of generated code and kernels in every package."""

_OPTIONS = ("-O2", "-ffp-contract=off")  # figures are for the first; the second keeps real bits
_LIBRARY_OPTIONS = ("-DCMSIS_NN_USE_SINGLE_ROUNDING",)

MOST_COMMANDS = 3


@dataclass(frozen=True, slots=True)
class Section:
    """What the README of a folder says of a package: commands that build and run its example."""

    title: str
    needs: str
    commands: tuple[str, ...]
    use: str

    def __post_init__(self) -> None:
        """Commands are few."""
        assert 0 < len(self.commands) <= MOST_COMMANDS


def options_of(product: Product) -> tuple[str, ...]:
    """How sources are compiled beside the flags of the core, and the library with the last."""
    return (*_OPTIONS, *(_LIBRARY_OPTIONS if product.library else ()))


def takes_all(product: Product) -> None:
    """A package that takes any product."""


@dataclass(frozen=True, slots=True)
class Package:
    """A name, the files beside the sources, and how they are used.

    ``check`` raises where a product cannot be packed so.
    """

    name: str
    files: Callable[[Product], Iterator[tuple[PurePosixPath, str]]]
    section: Callable[[Product], Section]
    check: Callable[[Product], None] = takes_all


def listed(product: Product, before: str, after: str = "") -> str:
    """The sources, one a line, as places in the folder."""
    return "\n".join(f"{before}{SOURCES / path}{after}" for path in product.sources)
