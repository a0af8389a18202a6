# SPDX-License-Identifier: Apache-2.0
"""CMake: a library target, and its example on this computer or an emulated core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from mcuplan.packages._cmake_lists import cmake_lists
from mcuplan.packages._example import emulator_files, host_files
from mcuplan.packages._package import Package, Section
from mcuplan.packages._product import Product
from mcuplan.packages._text import fill

__all__ = ["PACKAGE"]


def _toolchain(product: Product) -> PurePosixPath:
    return PurePosixPath(f"cmake/{product.target.core}.cmake")


def _files(product: Product) -> Iterator[tuple[PurePosixPath, str]]:
    yield from cmake_lists(product)
    yield _toolchain(product), fill("toolchain.cmake.in", product)
    yield from emulator_files(product)
    yield from host_files(product)


def _section(product: Product) -> Section:
    here = "; without the toolchain file it runs on this computer" if product.is_portable else ""
    library = " -DCMSIS_NN=/path/to/CMSIS-NN" if product.library else ""
    return Section(
        "CMake",
        f"With CMake 3.16, arm-none-eabi-gcc and qemu-system-arm{here}:",
        (
            f"cmake -B build -DCMAKE_TOOLCHAIN_FILE={_toolchain(product)}{library}",
            "cmake --build build",
            "cmake --build build --target run",
        ),
        f"In a project: `add_subdirectory({product.name})`, and `{product.name}` among the "
        "libraries of a target. The target is compiled\nwith `-O2` whatever the build type is; "
        "flags of the core come from the project.",
    )


PACKAGE = Package("cmake", _files, _section)
