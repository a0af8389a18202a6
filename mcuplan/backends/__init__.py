# SPDX-License-Identifier: Apache-2.0
"""Accelerated kernel sets, one module each, found by a sorted walk over this package.

A module exposes ``BACKEND`` (its name) and ``KERNELS``, fastest first, and may have
``channel_multiple(sig)``: the multiple of channels that its fast kernels want of a node, when
dead channels are removed from it. Modules whose name starts with ``_`` are helpers. Two
claims on one name stop at import.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping
from functools import cache
from types import MappingProxyType, ModuleType

from mcuplan.ir.op import Kernel, Signature

__all__ = ["backend_kernels", "backend_of", "channel_multiple"]


@cache
def backend_kernels() -> Mapping[str, tuple[Kernel, ...]]:
    """Kernels of each backend beside the portable one."""
    return MappingProxyType({name: tuple(m.KERNELS) for name, m in _modules().items()})


def channel_multiple(backend: str) -> Callable[[Signature], int]:
    """What multiple of channels a backend's fast kernels want of a node; else any number."""
    wish: Callable[[Signature], int] = getattr(_modules().get(backend), "channel_multiple", _any)
    return wish


def _any(sig: Signature) -> int:
    return 1


@cache
def _modules() -> Mapping[str, ModuleType]:
    found: dict[str, ModuleType] = {}
    for name in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        if name.startswith("_"):
            continue
        module = importlib.import_module(f"{__name__}.{name}")
        if module.BACKEND in found:
            raise RuntimeError(f"{module.__name__}: backend {module.BACKEND} is claimed twice")
        found[module.BACKEND] = module
    return found


def backend_of(features: Collection[str]) -> str:
    """The kernel set that asks for most of what a core has, and nothing it lacks."""
    has, best, most = set(features), "c99", -1
    for name, kernels in backend_kernels().items():
        asked = max((len(k.requires) for k in kernels if k.requires <= has), default=-1)
        if asked > most:
            best, most = name, asked
    return best
