# SPDX-License-Identifier: Apache-2.0
"""Arduino: a library with a sketch. Source: Arduino library specification 1.5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from mcuplan.packages._package import Package, Section
from mcuplan.packages._product import Product
from mcuplan.packages._text import fill

__all__ = ["PACKAGE"]

_URL = "https://spdx.org/licenses/0BSD"  # a library needs an address, and has no other


def _sketch(product: Product) -> PurePosixPath:
    """A sketch is named like its folder."""
    return PurePosixPath(f"examples/{product.name}_sketch/{product.name}_sketch.ino")


def _files(product: Product) -> Iterator[tuple[PurePosixPath, str]]:
    text = fill("library.properties.in", product, url=_URL)
    yield PurePosixPath("library.properties"), text
    yield _sketch(product), fill("sketch.ino.in", product)


def _section(product: Product) -> Section:
    sketch = _sketch(product).parent
    name = product.target.boards.get("arduino", "YOUR:BOARD:NAME")
    return Section(
        "Arduino",
        "With arduino-cli, the core of the board installed, and the board at `/dev/ttyACM0`:",
        (
            f"arduino-cli compile --library . -b {name} {sketch}",
            f"arduino-cli upload -b {name} -p /dev/ttyACM0 {sketch}",
            "arduino-cli monitor -p /dev/ttyACM0 -c baudrate=115200",
        ),
        "In the IDE: the folder below `libraries/` of the sketchbook. Cores of Arduino compile\n"
        "with `-Os` unless told otherwise: values are the same, code takes other bytes and cycles\n"
        "than planned.",
    )


PACKAGE = Package("arduino", _files, _section)
