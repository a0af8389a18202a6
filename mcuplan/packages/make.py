# SPDX-License-Identifier: Apache-2.0
"""Plain make: a library, and its example on an emulated core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from mcuplan.packages._example import emulated, emulator_files, host_files
from mcuplan.packages._package import Package, Section, options_of
from mcuplan.packages._product import Product
from mcuplan.packages._text import fill, part

__all__ = ["PACKAGE"]


def _files(product: Product) -> Iterator[tuple[PurePosixPath, str]]:
    hosted = part("Makefile.host.in", product) if product.is_portable else ""
    text = fill(
        "Makefile.in",
        product,
        sources=" \\\n".join(f"    src/{path}" for path in product.sources),
        options=" ".join(options_of(product)),
        machine=emulated(product).machine,
        hosted=hosted,
        library=part("Makefile.cmsis_nn.in", product) if product.library else "",
        linked=" $(LIBRARY)" if product.library else "",
    )
    yield PurePosixPath("Makefile"), text
    yield from emulator_files(product)
    yield from host_files(product)


def _section(product: Product) -> Section:
    here = "; `make run-here` runs it on this computer" if product.is_portable else ""
    return Section(
        "make",
        f"With GNU make, arm-none-eabi-gcc and qemu-system-arm{here}:",
        ("make run CMSIS_NN=/path/to/CMSIS-NN" if product.library else "make run",),
        f"It makes `build/lib{product.name}.a`, too. In a project: link that, or include\n"
        "`src/*.mk`, which names sources and include paths.",
    )


PACKAGE = Package("make", _files, _section)
