# SPDX-License-Identifier: Apache-2.0
"""ESP-IDF: a component with its manifest, and its example as a project.

Source: ESP-IDF's programming guide, "Build System", and the component manager's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from mcuplan.errors import UsageError
from mcuplan.packages._cmake_lists import cmake_lists
from mcuplan.packages._package import Package, Section
from mcuplan.packages._product import Product
from mcuplan.packages._text import fill
from mcuplan.units import align_up

__all__ = ["PACKAGE"]

_EXAMPLE = PurePosixPath("examples/esp-idf")
_MAIN_STACK = 3072  # of the example beside the model
_TEMPLATES = {
    "CMakeLists.txt": "esp_example.cmake.in",
    "main/CMakeLists.txt": "esp_main.cmake.in",
    "main/main.c": "esp_main.c.in",
}


def _check(product: Product) -> None:
    """Chips of Espressif are no Cortex-M."""
    if not product.is_portable:
        what = f"kernels of a {product.target.core} are not for the chips of ESP-IDF"
        raise UsageError(what, "--package esp-idf", "--backend c99")


def _files(product: Product) -> Iterator[tuple[PurePosixPath, str]]:
    yield from cmake_lists(product)
    yield PurePosixPath("idf_component.yml"), fill("idf_component.yml.in", product)
    for path, template in _TEMPLATES.items():
        yield _EXAMPLE / path, fill(template, product)
    stack = align_up(max(model.stack_bytes for model in product.models) + _MAIN_STACK, 512)
    defaults = fill("sdkconfig.defaults.in", product, stack=str(stack))
    yield _EXAMPLE / "sdkconfig.defaults", defaults


def _section(product: Product) -> Section:
    run = f"idf.py -C {_EXAMPLE}"
    return Section(
        "ESP-IDF",
        "With ESP-IDF 4.4 or later, exported into the shell; any chip:",
        (f"{run} set-target esp32s3", f"{run} build", f"{run} flash monitor"),
        "In a project: the folder below `components/`, or among `EXTRA_COMPONENT_DIRS`. It was\n"
        f"planned for `{product.target.name}`: RAM and constants are the same bytes on another\n"
        "chip, code, stack and cycles are not.",
    )


PACKAGE = Package("esp-idf", _files, _section, _check)
