# SPDX-License-Identifier: Apache-2.0
"""Cycles of kernels before anything is built: what their loops count times what that takes.

`codegen/kernels/<backend>/cycles.toml` holds, for each kernel function, the cycles of each
part that ``Kernel.work`` counts, fitted to runs on the emulator of a Cortex-M4 without wait
states, and how far the fit was off.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from mcuplan.ir.op import Kernel, Signature
from mcuplan.ir.work import work_of
from mcuplan.resources import codegen_dir
from mcuplan.targets import Target, load_target

__all__ = [
    "REFERENCE_CORE",
    "Expected",
    "Timing",
    "expected_cycles",
    "kernel_timings",
    "network_errors",
    "rated_cycles",
    "timing_of",
]

_PER_MAC = frozenset({"conv2d", "depthwise", "dense"})

REFERENCE_CORE = "cortex-m4"
"""The core, and built-in target, that the constants are measured on."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Cycles of the parts of a kernel.

    ``max_error`` and ``mean_error`` are ``abs(modelled / measured - 1)`` over the shapes
    that were measured.
    """

    cycles: Mapping[str, float]
    max_error: float
    mean_error: float

    def total(self, work: Mapping[str, float]) -> float:
        """Cycles of that much work."""
        return sum(self.cycles.get(part, 0.0) * count for part, count in work.items())


@cache
def kernel_timings(backend: str) -> Mapping[str, Timing]:
    """Timings by kernel function, empty for a backend without a file."""
    return MappingProxyType(
        {
            name: Timing(MappingProxyType(row["cycles"]), row["max_error"], row["mean_error"])
            for name, row in _table(backend).get("kernels", {}).items()
        }
    )


def network_errors(backend: str) -> Mapping[str, float]:
    """How far the model is off for whole networks that were measured, by their names."""
    return MappingProxyType(_table(backend).get("networks", {}))


@cache
def _table(backend: str) -> Mapping[str, Any]:
    path = codegen_dir() / "kernels" / backend / "cycles.toml"
    if not path.is_file():
        return MappingProxyType({})
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


def timing_of(kernel: Kernel) -> Timing | None:
    """What was measured of a kernel; None where nothing was."""
    return kernel_timings(kernel.backend).get(kernel.function)


@dataclass(frozen=True, slots=True)
class Expected:
    """Modelled cycles of one step; ``error`` is how far they may be off, None: nobody knows."""

    cycles: float
    error: float | None


def expected_cycles(kernel: Kernel, signature: Signature, target: Target) -> Expected:
    """Cycles of a kernel on a target without wait states.

    Measured constants are those of the reference core. Another core takes them times the
    ratio of its rates to that core's; a kernel that nobody measured goes by rates alone.
    """
    timing = timing_of(kernel)
    rated = rated_cycles(kernel, signature, target)
    if timing is None:
        return Expected(rated, None)
    cycles = timing.total(work_of(kernel, signature))
    reference = _reference_target()
    if target.core == reference.core and target.rates == reference.rates:
        return Expected(cycles, timing.max_error)
    scale = rated / max(1.0, rated_cycles(kernel, signature, reference))
    return Expected(cycles * scale, None)


def rated_cycles(kernel: Kernel, signature: Signature, target: Target) -> float:
    """Cycles by the target's rates for the class of the kernel."""
    cost = signature.op.cost(signature.inputs, signature.outputs)
    elements = sum(t.elements for t in signature.outputs)
    overhead = target.rate(kernel.backend, "overhead_per_step").value
    rate = target.rate(kernel.backend, kernel.cost_class).value
    if kernel.cost_class in _PER_MAC:
        requantize = target.rate(kernel.backend, "requantize").value
        return overhead + cost.macs * rate + elements * requantize
    if kernel.cost_class == "copy":
        return overhead + sum(t.nbytes for t in signature.outputs) * rate
    return overhead + max(cost.ops + cost.macs, elements) * rate


@cache
def _reference_target() -> Target:
    return load_target(REFERENCE_CORE)
