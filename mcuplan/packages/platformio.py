# SPDX-License-Identifier: Apache-2.0
"""PlatformIO: a library, and its example as a project. Source: documentation of library.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from mcuplan import __version__
from mcuplan.packages._package import Package, Section, options_of
from mcuplan.packages._product import Product
from mcuplan.packages._text import about, fill

__all__ = ["PACKAGE"]

_EXAMPLE = PurePosixPath("examples/platformio")


def _files(product: Product) -> Iterator[tuple[PurePosixPath, str]]:
    yield PurePosixPath("library.json"), f"{json.dumps(_manifest(product), indent=2)}\n"
    env, board = _board(product)
    text = fill("platformio.ini.in", product, env=env, board="\n".join(board))
    yield _EXAMPLE / "platformio.ini", text
    yield _EXAMPLE / "src" / "main.cpp", fill("platformio_main.cpp.in", product)


def _manifest(product: Product) -> dict[str, object]:
    """The library; its own flags come behind those of a framework, and so the last ``-O`` wins."""
    return {
        "name": product.name,
        "version": __version__,
        "description": about(product),
        "license": "0BSD",
        "frameworks": "*",
        "platforms": "*",
        "headers": [f"{product.name}.h"],
        "build": {"flags": list(options_of(product)), "srcDir": "src", "includeDir": "src"},
    }


def _board(product: Product) -> tuple[str, tuple[str, ...]]:
    """Name and settings of an environment: this computer for portable kernels without a board."""
    name = product.target.boards.get("platformio")
    if name is not None:
        platform = product.target.boards.get("platform", "YOUR_PLATFORM")
        return name, (f"platform = {platform}", f"board = {name}", "framework = arduino")
    if product.is_portable:
        return "native", ("platform = native",)
    lines = ("platform = YOUR_PLATFORM", "board = YOUR_BOARD", "framework = arduino")
    return "board", lines


def _section(product: Product) -> Section:
    env, _ = _board(product)
    run = f"pio run -d {_EXAMPLE}"
    shown = f"pio device monitor -d {_EXAMPLE}"
    native = env == "native"
    told = " of `platformio.ini` set to yours" if env == "board" else ""
    return Section(
        "PlatformIO",
        "With PlatformIO's core" + ("" if native else f" and the board{told}") + ":",
        (f"{run} -t exec",) if native else (f"{run} -t upload", shown),
        f"In a project: `lib_deps = symlink://path/to/{product.name}`. The library is compiled\n"
        f"with `{' '.join(options_of(product))}`; flags of the core come from the board.",
    )


PACKAGE = Package("platformio", _files, _section)
