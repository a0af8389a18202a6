# SPDX-License-Identifier: Apache-2.0
"""The generated folder as build systems take it; one module per package, found by a sorted walk.

A module exposes ``PACKAGE``. Modules whose name starts with ``_`` are helpers. All packages share
one layout, so that a folder may be several at once: sources in ``src/``, programs in ``examples/``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath

from mcuplan.packages._example import emulator_files, example_header
from mcuplan.packages._making import joint_product, product_of
from mcuplan.packages._package import SOURCES, Package
from mcuplan.packages._product import Model, Product
from mcuplan.packages._readme import readme
from mcuplan.packages._sbom import sbom_path, sbom_text
from mcuplan.resources import codegen_dir

__all__ = [
    "Model",
    "Product",
    "example_files",
    "folder",
    "joint_product",
    "package_names",
    "product_of",
]


def package_names() -> tuple[str, ...]:
    """Names of all packages, without loading them: a package is named like its module."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name.replace("_", "-") for name in found if not name.startswith("_")))


@cache
def _package(name: str) -> Package:
    """One package.

    Raises:
        RuntimeError: it is not named like its module.
    """
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    package: Package = module.PACKAGE
    if package.name != name:
        raise RuntimeError(f"packages/{name}.py defines the package {package.name!r}")
    return package


def folder(product: Product, names: Sequence[str] = ()) -> Mapping[PurePosixPath, str]:
    """All files of a generated folder; without packages sources lie in it as they are.

    Raises:
        UsageError: a package does not take the kernels.
    """
    packages = [_package(name) for name in sorted(set(names))]
    for package in packages:
        package.check(product)
    files = dict(product.files)
    if packages:
        files = {SOURCES / path: text for path, text in product.files.items()}
        files[SOURCES / f"{product.name}_example.h"] = example_header(product)
        for package in packages:
            for path, text in package.files(product):
                if files.setdefault(path, text) != text:
                    raise RuntimeError(f"packages differ in {path}")
        files[PurePosixPath("LICENSE")] = _licence()
        sections = [package.section(product) for package in packages]
        files[PurePosixPath("README.md")] = readme(product, sections)
    files[sbom_path(product)] = sbom_text(product, files)
    return files


def example_files(product: Product) -> Mapping[PurePosixPath, str]:
    """The example on an emulated core alone: its header in ``examples/``, beside its folder."""
    header = PurePosixPath(f"examples/{product.name}_example.h")
    return {header: example_header(product), **dict(emulator_files(product))}


def _licence() -> str:
    """That of generated code, without the lines on where it applies."""
    text = (codegen_dir() / "LICENSE").read_text(encoding="ascii")
    return text[text.index("BSD Zero Clause License") :]
