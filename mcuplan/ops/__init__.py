# SPDX-License-Identifier: Apache-2.0
"""Operators, one module per family, found by a sorted walk over this package.

A module exposes ``OPS`` (operator classes), ``KERNELS`` (portable kernels), ``READERS``
(ONNX operator name -> function that reads such a node) and ``WRITERS`` (operator class ->
function that writes a node as ONNX). Modules whose name starts with ``_`` are helpers.
Two claims on one name stop at import.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

from mcuplan.ir.builder import Reader
from mcuplan.ir.op import Call, Kernel, Op, Signature
from mcuplan.ir.writer import OpWriter
from mcuplan.ops._node_tests import NODE_TESTS_FILE, NodeTests, node_tests

__all__ = [
    "NODE_TESTS_FILE",
    "NodeTests",
    "all_kernels",
    "all_ops",
    "all_readers",
    "all_writers",
    "kernels_of",
    "node_tests",
    "portable_calls",
]


@cache
def _modules() -> tuple[ModuleType, ...]:
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return tuple(importlib.import_module(f"{__name__}.{name}") for name in names)


def _merged(attribute: str) -> dict[Any, Any]:
    merged: dict[Any, Any] = {}
    for module in _modules():
        for key, value in getattr(module, attribute, {}).items():
            if key in merged:
                raise RuntimeError(f"{module.__name__}: {attribute} {key} is claimed twice")
            merged[key] = value
    return merged


@cache
def all_ops() -> tuple[type[Op], ...]:
    """Every operator class, by module."""
    return tuple(op for module in _modules() for op in getattr(module, "OPS", ()))


@cache
def all_kernels() -> tuple[Kernel, ...]:
    """Every portable kernel; where several apply to a step the first listed wins."""
    return tuple(k for module in _modules() for k in getattr(module, "KERNELS", ()))


@cache
def kernels_of() -> Mapping[type[Op], tuple[Kernel, ...]]:
    """Portable kernels by operator class."""
    table: dict[type[Op], list[Kernel]] = {}
    for kernel in all_kernels():
        table.setdefault(kernel.op, []).append(kernel)
    return MappingProxyType({op: tuple(kernels) for op, kernels in table.items()})


def portable_calls(sig: Signature) -> tuple[Call, ...]:
    """What the portable kernel of a node is called with."""
    return next(k for k in kernels_of()[type(sig.op)] if k.runs(sig)).calls(sig)


@cache
def all_readers() -> Mapping[str, Reader]:
    """ONNX operator name (``domain::Name`` outside the standard one) -> its reader."""
    return MappingProxyType(_merged("READERS"))


@cache
def all_writers() -> Mapping[type[Op], OpWriter]:
    """Operator class -> the function that writes a node of it as ONNX."""
    return MappingProxyType(_merged("WRITERS"))
