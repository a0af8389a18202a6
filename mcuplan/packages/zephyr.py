# SPDX-License-Identifier: Apache-2.0
"""Zephyr: a module with a Kconfig option, and its example as an application.

Source: Zephyr's documentation, "Modules (External projects)", and its Kconfig options of cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from mcuplan.packages._package import Package, Section, listed, options_of
from mcuplan.packages._product import Product
from mcuplan.packages._text import fill
from mcuplan.units import align_up

__all__ = ["PACKAGE"]

_EXAMPLE = PurePosixPath("examples/zephyr")
_MAIN_STACK = 1024  # of the example beside the model
_DSP = "ARMV8_M_DSP"
_LIBRARY = ("CMSIS_NN", *(f"CMSIS_NN_{part}" for part in ("CONVOLUTION", "POOLING", "BASICMATH")))
_ROUNDING = "    zephyr_compile_definitions(CMSIS_NN_USE_SINGLE_ROUNDING)\n"
_SETS = {
    "dsp": {"cortex-m33": _DSP, "cortex-m55": _DSP},
    "mve": {"cortex-m55": "ARMV8_1_M_MVEI"},
}


def _stack(product: Product) -> int:
    return align_up(max(model.stack_bytes for model in product.models), 8)


def _depends(product: Product) -> Iterator[str]:
    """Options that kernels for one core need; portable ones need none."""
    sets = sorted(set[str]().union(*(model.bundle.kernel_sets for model in product.models)))
    if not product.is_portable:
        yield f"CPU_{product.target.core.upper().replace('-', '_')}"
    if product.library:
        yield "CMSIS_NN"
    for kernels in sets:
        option = _SETS.get(kernels, {}).get(product.target.core)
        if option is not None:
            yield option
    if not {"fpu", "mve"}.isdisjoint(sets):  # an FPU that is off keeps vectors off, too
        yield "FPU"


def _files(product: Product) -> Iterator[tuple[PurePosixPath, str]]:
    module, options, stack = PurePosixPath("zephyr"), " ".join(options_of(product)), _stack(product)
    depends = "".join(f"\tdepends on {option}\n" for option in _depends(product))
    own = {"options": options, "stack": str(stack)}
    yield module / "module.yml", fill("module.yml.in", product)
    yield module / "Kconfig", fill("Kconfig.in", product, depends=depends, **own)
    sources = listed(product, "        ../")
    defined = _ROUNDING if product.library else ""
    text = fill("zephyr.cmake.in", product, sources=sources, options=options, defined=defined)
    yield module / "CMakeLists.txt", text
    yield _EXAMPLE / "CMakeLists.txt", fill("zephyr_example.cmake.in", product)
    more = ["CONFIG_FPU=y\nCONFIG_FPU_SHARING=y"] if "FPU" in depends else []
    more += [f"CONFIG_{part}=y" for part in _LIBRARY if product.library]
    size = str(align_up(stack + _MAIN_STACK, 512))
    yield _EXAMPLE / "prj.conf", fill("prj.conf.in", product, more="\n".join(more), stack=size)
    yield _EXAMPLE / "src" / "main.c", fill("zephyr_main.c.in", product)


def _section(product: Product) -> Section:
    board = product.target.boards.get("zephyr", "YOUR_BOARD")
    emulated = product.target.generic and board != "YOUR_BOARD"
    by = "`-t run` starts QEMU, or Arm's FVP of the board where Zephyr has no QEMU for it.\n"
    started = by if emulated else ""
    return Section(
        "Zephyr",
        "In a workspace of Zephyr with its SDK:",
        (
            f"west build -b {board} {_EXAMPLE}",
            "west build -t run" if emulated else "west flash",
        ),
        f"{started}In a project: the folder among `ZEPHYR_EXTRA_MODULES`, or a project of\n"
        f"`west.yml`, and `CONFIG_MCUPLAN_{product.name.upper()}=y`.",
    )


PACKAGE = Package("zephyr", _files, _section)
