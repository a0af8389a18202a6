# SPDX-License-Identifier: Apache-2.0
"""Accelerated kernel sets, one module each, found by a sorted walk over this package.

A module exposes ``BACKEND`` (its name) and ``KERNELS``, fastest first, and may have
``channel_multiple(sig)``: the multiple of channels that its fast kernels want of a node, when
dead channels are removed from it. Modules whose name starts with ``_`` are helpers. Two
claims on one name stop at import.

A set that calls a library of the user's names it, ``LIBRARY``. Its kernels are offered where they
are asked for, and then alone for what they compute; ``kernels_of(features)`` are those of a core.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from types import MappingProxyType, ModuleType

from mcuplan.ir.op import Kernel, Op, Signature
from mcuplan.ir.staging import widened
from mcuplan.ir.types import DType
from mcuplan.ops import kernels_of as portable_kernels

__all__ = ["backend_kernels", "backend_of", "channel_multiple", "kernels_for", "library_of"]


@cache
def backend_kernels() -> Mapping[str, tuple[Kernel, ...]]:
    """Kernels of each backend beside the portable one."""
    return MappingProxyType({name: tuple(m.KERNELS) for name, m in _modules().items()})


@cache
def kernels_for(
    features: frozenset[str], asked: str = "auto"
) -> Mapping[type[Op], tuple[Kernel, ...]]:
    """By operator, all kernels that a core with these features runs, portable ones last.

    First come those of the set that asks for most of the core; with ``asked`` only that set's,
    where it is not ``auto``, beside the portable ones. A set of a library leaves to all others what
    it does not compute.
    """
    if library_of(asked):
        return _with_library(features, _modules()[asked].kernels_of(features))
    sets = [name for name in _by_demand(features) if asked in ("auto", name)]
    found: dict[type[Op], list[Kernel]] = {}
    for kernel in (k for name in sets for k in backend_kernels()[name] if k.requires <= features):
        found.setdefault(kernel.op, []).append(kernel)
    for op, portable in portable_kernels().items():
        found.setdefault(op, []).extend(portable)
    return MappingProxyType({op: (*ks, *_widening(ks)) for op, ks in found.items()})


def _with_library(
    features: frozenset[str], own: tuple[Kernel, ...]
) -> Mapping[type[Op], tuple[Kernel, ...]]:
    """Kernels of a library, and of a core what does not compute the same."""

    def left(sig: Signature, kernel: Kernel) -> bool:
        return kernel.supports(sig) and not any(k.op is kernel.op and k.runs(sig) for k in own)

    found = {
        op: (
            *(kernel for kernel in own if kernel.op is op),
            *(replace(kernel, supports=partial(left, kernel=kernel)) for kernel in kernels),
        )
        for op, kernels in kernels_for(features).items()
    }
    return MappingProxyType(found)


def library_of(name: str) -> str:
    """The library of the user's that a set calls; none of most."""
    library: str = getattr(_modules().get(name), "LIBRARY", "")
    return library


def _widening(kernels: Iterable[Kernel]) -> Iterator[Kernel]:
    """The same for weights of 4 bits, of those that say how theirs of 8 are packed."""
    packed = [kernel for kernel in kernels if kernel.blocks is not None]
    return (widened(k, dtype) for dtype in (DType.INT4, DType.INT4_BLOCKS) for k in packed)


def channel_multiple(features: Collection[str], asked: str = "auto") -> Callable[[Signature], int]:
    """What multiple of channels the fast kernels of a core want of a node; else any number."""
    name = backend_of(features) if asked == "auto" else asked
    wish: Callable[[Signature], int] = getattr(_modules().get(name), "channel_multiple", _any)
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
    return next(iter(_by_demand(frozenset(features))), "c99")


def _by_demand(features: frozenset[str]) -> tuple[str, ...]:
    """Sets with kernels that a core runs: the one that asks for most of it first."""
    demands = {
        name: max((len(k.requires) for k in kernels if k.requires <= features), default=-1)
        for name, kernels in backend_kernels().items()
    }
    return tuple(sorted((n for n, most in demands.items() if most >= 0), key=lambda n: -demands[n]))
