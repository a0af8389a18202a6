# SPDX-License-Identifier: Apache-2.0
"""The README of a generated folder."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.packages._package import Section
from mcuplan.packages._product import Model, Product
from mcuplan.packages._text import fill
from mcuplan.safe_text import markdown

__all__ = ["readme"]

_REALS = """
Some layers compute in floating point. Their results have the bits of the reference with
`-ffp-contract=off` and without `-ffast-math`; a build system that does not let a library say so
may give others in the last place."""
_LIBRARY = """

The kernels call {0}, whose sources are yours and not in this folder: Zephyr has it as
`CONFIG_CMSIS_NN`, CMSIS-Pack as `ARM::CMSIS-NN`, else it is `github.com/ARM-software/CMSIS-NN`,
from release 4.0 on. Compile it for the same core, with `-DCMSIS_NN_USE_SINGLE_ROUNDING` as these
sources are, and put its `Include` on their include path; what they call is linked from `Source`.
`mcuplan verify --cmsis-nn DIR` proves your copy: it must give every byte of the reference."""


def readme(product: Product, sections: Sequence[Section]) -> str:
    """What the folder is, and for each package the commands that build and run its example."""
    return fill(
        "README.md.in",
        product,
        models="\n".join(map(_model, product.models)),
        sections="\n".join(map(_section, sections)),
        reals=(_REALS if product.computes_reals else "")
        + (_LIBRARY.format(product.library) if product.library else ""),
        portable=_PORTABLE if product.is_portable else _BOUND.format(product.target.core),
    )


_PORTABLE = "The kernels are portable C99: any compiler takes them."
_BOUND = "The kernels are those of a {}; `mcuplan generate --backend c99` makes portable ones."


def _model(model: Model) -> str:
    return f"- `{model.bundle.name}`: {markdown(model.file)}, SHA-256 `{model.sha256}`"


def _section(section: Section) -> str:
    commands = "\n".join(section.commands)
    return f"## {section.title}\n\n{section.needs}\n\n```sh\n{commands}\n```\n\n{section.use}\n"
