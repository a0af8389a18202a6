# SPDX-License-Identifier: Apache-2.0
"""The solvers' C cores: every answer comes from them, so that it is the same everywhere."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType

from mcuplan.errors import CoreMissing

__all__ = ["core"]


_BUILD = "python setup.py build_ext --inplace"


@cache
def core(name: str, interface: int) -> ModuleType:
    """A compiled module of a solver's room, ``packing._packcore`` for example.

    Args:
        name: below ``mcuplan.solvers``.
        interface: grows with every change of the core's arguments or results.

    Raises:
        CoreMissing: it was not built, or from other sources.
    """
    try:
        module = import_module(f"mcuplan.solvers.{name}")
    except ImportError:
        raise CoreMissing("was not built", name, _BUILD) from None
    if getattr(module, "INTERFACE", 0) != interface:
        raise CoreMissing("was built from other sources", name, _BUILD)
    return module
