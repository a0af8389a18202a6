# SPDX-License-Identifier: Apache-2.0
"""The CMakeLists.txt that plain CMake and ESP-IDF share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from mcuplan.packages._example import emulated
from mcuplan.packages._package import listed, options_of
from mcuplan.packages._product import Product
from mcuplan.packages._text import fill, part

__all__ = ["cmake_lists"]


def cmake_lists(product: Product) -> Iterator[tuple[PurePosixPath, str]]:
    """A component where ESP-IDF reads it, else a library, with its example where it is built."""
    text = fill(
        "CMakeLists.txt.in",
        product,
        sources=listed(product, "    "),
        options=" ".join(options_of(product)),
        machine=emulated(product).machine,
        library=part("cmsis_nn.cmake.in", product) if product.library else "",
        hosted="TRUE" if product.is_portable else "FALSE",
    )
    yield PurePosixPath("CMakeLists.txt"), text
