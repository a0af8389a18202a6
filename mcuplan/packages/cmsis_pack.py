# SPDX-License-Identifier: Apache-2.0
"""CMSIS-Pack: a description of the folder as a pack, and a software layer of csolution projects.

Source: Open-CMSIS-Pack specification 1.7.36, and the CMSIS-Toolbox's "YML Input Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from mcuplan.packages._example import semihosted
from mcuplan.packages._package import SOURCES, Package, Section, listed, options_of
from mcuplan.packages._product import Product
from mcuplan.packages._text import about, fill, xml

__all__ = ["PACKAGE"]

_EXAMPLE = PurePosixPath("examples/cmsis-pack")
_CORES = {  # target's name -> that of a Dcore attribute, and the generic device of ARM::Cortex_DFP
    "cortex-m0": ("Cortex-M0", "ARMCM0"),
    "cortex-m0plus": ("Cortex-M0+", "ARMCM0P"),
    "cortex-m3": ("Cortex-M3", "ARMCM3"),
    "cortex-m4": ("Cortex-M4", "ARMCM4"),
    "cortex-m7": ("Cortex-M7", "ARMCM7"),
    "cortex-m33": ("Cortex-M33", "ARMCM33"),
    "cortex-m55": ("Cortex-M55", "ARMCM55"),
}
_CONDITION = """\
  <conditions>
    <condition id="core">
      <description>Kernels are those of a {0}</description>
      <require Dcore="{0}"/>
{1}    </condition>
  </conditions>
"""
_REQUIRED = '      <require Cvendor="ARM" Cclass="CMSIS" Cgroup="NN Lib"/>\n'
_COMPONENT = "\n    - component: ARM::CMSIS:NN Lib"


def _pdsc(product: Product) -> PurePosixPath:
    return PurePosixPath(f"mcuplan.{product.name}.pdsc")


def _files(product: Product) -> Iterator[tuple[PurePosixPath, str]]:
    core, device = _CORES[product.target.core]
    bound = not product.is_portable
    text = fill(
        "package.pdsc.in",
        product,
        description=xml(about(product)),
        conditions=_CONDITION.format(core, _REQUIRED if product.library else "") if bound else "",
        condition=' condition="core"' if bound else "",
        files="\n".join(_entries(product)),
    )
    yield _pdsc(product), text
    options = "\n".join(f"            - {option}" for option in options_of(product))
    files = listed(product, "        - file: ")
    layer = fill("clayer.yml.in", product, options=options, files=files)
    yield PurePosixPath(f"{product.name}.clayer.yml"), layer
    project = f"{product.name}_example"
    yield (
        _EXAMPLE / f"{project}.csolution.yml",
        fill("csolution.yml.in", product, device=device),
    )
    yield (
        _EXAMPLE / f"{project}.cproject.yml",
        fill("cproject.yml.in", product, library=_COMPONENT if product.library else ""),
    )
    yield _EXAMPLE / "main.c", semihosted("simulated_main.c.in", product)


def _entries(product: Product) -> Iterator[str]:
    """Headers that applications include, and sources."""
    for name in (product.name, f"{product.name}_example"):
        yield f'        <file category="header" name="{SOURCES}/{name}.h"/>'
    for path in product.sources:
        yield f'        <file category="sourceC" name="{SOURCES / path}"/>'


def _section(product: Product) -> Section:
    solution = _EXAMPLE / f"{product.name}_example.csolution.yml"
    return Section(
        "CMSIS-Pack",
        "With the CMSIS-Toolbox and a compiler that it knows, for a simulated core:",
        (f"cbuild {solution} --packs",),
        f"In a project: `- layer: path/to/{product.name}.clayer.yml` and `add-path: "
        "[path/to/src]`;\n"
        f"or `cpackget add {_pdsc(product)}`, and the component\n"
        f"`mcuplan::Machine Learning:mcuplan:{product.name}`.",
    )


PACKAGE = Package("cmsis-pack", _files, _section)
