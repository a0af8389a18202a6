# SPDX-License-Identifier: Apache-2.0
"""Cycles of kernels before anything is built: what their loops count times what that takes.

`codegen/kernels/<backend>/cycles.toml` holds, for each kernel function, the cycles of each
part that ``Kernel.work`` counts, fitted to runs on the emulator of a Cortex-M4 without wait
states, and how far the fit was off; ``cycles.<core>.toml`` the same of another core.
`codegen/templates/cycles.toml` holds what the generated source takes beside them: finding what
runs next, taking rows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from mcuplan.ir.op import Kernel, Signature
from mcuplan.ir.packed import Runs
from mcuplan.ir.staging import staged_array, staged_bytes
from mcuplan.ir.work import Work
from mcuplan.memory_system import NO_STALLS, Stalls
from mcuplan.price.board import stalls_of
from mcuplan.resources import codegen_dir
from mcuplan.targets import Target, load_target

__all__ = [
    "OTHER_REFERENCES",
    "REFERENCE_CORE",
    "SMALL_CORES",
    "Calls",
    "Expected",
    "Ground",
    "Timing",
    "calls_timing",
    "cycles_file",
    "expected_cycles",
    "forget_timings",
    "kernel_timings",
    "network_errors",
    "timing_of",
    "work_of",
]

_PER_MAC = frozenset({"conv2d", "depthwise", "dense"})

SMALL_CORES = frozenset({"cortex-m0", "cortex-m0plus"})
"""With the 16-bit instruction set, and products of 32 bits only."""

# Cycles of libgcc (GCC 12.2) for one product and one sum of float32, beside the loop of the
# kernel: 67 to 93 counted on an emulated Cortex-M3; on a Cortex-M0+ 143 to 183 instructions.
_SOFT_FLOAT, _SOFT_FLOAT_SMALL = 90.0, 200.0

_COPIED_BYTE = 1.06  # cycles of mplan_stage(), counted on an emulated Cortex-M4

# The same of mplan_widen(), for each word, and for each run of words of one sort.
_WIDENED_WORD, _WORD_AS_IS, _RUN_OF_WORDS = 8.0, 12.0, 10.0
_WIDENED_TWO = 11.0
_MULTIPLIED_WORD, _RUN_OF_FACTORS = 18.0, 20.0

REFERENCE_CORE = "cortex-m4"
"""The core, and built-in target, that the constants are measured on."""

OTHER_REFERENCES = {
    "cortex-m0": "cortex-m0plus",
    "cortex-m0plus": "cortex-m0plus",
    "cortex-m33": "cortex-m33",
    "cortex-m55": "cortex-m55",
    "cortex-m7": "cortex-m7",
}
"""By core, the one that its kernels are measured on, too, where a set has a file for it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Cycles of the parts of a kernel.

    ``max_error`` is the largest ``abs(modelled / measured - 1)`` over the shapes that were
    measured, and over layers of random networks.
    """

    cycles: Mapping[str, float]
    max_error: float

    def total(self, work: Mapping[str, float]) -> float:
        """Cycles of that much work."""
        return sum([self.cycles.get(part, 0.0) * count for part, count in work.items()])


@dataclass(frozen=True, slots=True)
class Calls:
    """Cycles of the generated source of plans by rows: of each run of rows, and of taking rows.

    ``error`` is how far those of the runs of a plan may be off, as a share of them.
    """

    held: float
    fed: float
    error: float
    taking: Timing


@cache
def kernel_timings(backend: str, core: str = REFERENCE_CORE) -> Mapping[str, Timing]:
    """Timings by kernel function, empty for a backend without a file for that core."""
    rows, beside = dict(_table(backend, core).get("kernels", {})), _calls_table()
    if core != REFERENCE_CORE:
        return MappingProxyType({name: _timing(row) for name, row in rows.items()})
    if backend == "c99":
        rows |= beside["kernels"]  # that only run by rows
    found = {name: _timing(row) for name, row in rows.items()}
    for name, layer in beside["layers"].items():
        if name in found:
            worst = max(found[name].max_error, layer["max_error"])
            found[name] = replace(found[name], max_error=worst)
    return MappingProxyType(found)


@cache
def calls_timing() -> Calls:
    """What was measured beside kernels."""
    table = _calls_table()
    runs = table["runs"]
    return Calls(runs["held"], runs["fed"], runs["error"], _timing(table["taking"]))


def _timing(row: Mapping[str, Any]) -> Timing:
    return Timing(MappingProxyType(row["cycles"]), row["max_error"])


def network_errors(backend: str) -> Mapping[str, float]:
    """How far the model is off for whole networks that were measured, by their names."""
    return MappingProxyType(_table(backend).get("networks", {}))


@cache
def _calls_table() -> Mapping[str, Any]:
    path = codegen_dir() / "templates" / "cycles.toml"
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


@cache
def _table(backend: str, core: str = REFERENCE_CORE) -> Mapping[str, Any]:
    path = codegen_dir() / "kernels" / backend / cycles_file(core)
    if not path.is_file():
        return MappingProxyType({})
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


def cycles_file(core: str) -> str:
    """Name of the file of a set that holds what was measured on a core."""
    return "cycles.toml" if core == REFERENCE_CORE else f"cycles.{core}.toml"


def forget_timings() -> None:
    """The files were written anew."""
    for cached in (kernel_timings, calls_timing, _table, _calls_table):
        cached.cache_clear()


def timing_of(kernel: Kernel) -> Timing | None:
    """What was measured of a kernel; None where nothing was."""
    return kernel_timings(kernel.backend).get(kernel.function)


class Ground(IntEnum):
    """What modelled cycles rest on, the firmest first."""

    MEASURED = 0  # counts of the kernel on this core
    SCALED = 1  # counts on the reference core, times the ratio of the rates of both
    RATED = 2  # the target's rates of the kernel's backend
    BORROWED = 3  # rates of another backend: no ground to say which kernel is faster


@dataclass(frozen=True, slots=True)
class Expected:
    """Modelled cycles of one step; ``error`` is how far they may be off, None: nobody knows.

    Attributes:
        cycles: of the core, without wait states.
        stalls: what a board takes beside them.
        stalls_error: how far those may be off, as a share of both; None: nobody knows.
    """

    cycles: float
    error: float | None
    ground: Ground
    stalls: Stalls = NO_STALLS
    stalls_error: float | None = 0.0

    @property
    def total(self) -> float:
        """Cycles on the board."""
        return self.cycles + self.stalls.cycles


def expected_cycles(
    kernel: Kernel, signature: Signature, target: Target, runs: Sequence[int] = ()
) -> Expected:
    """Cycles of a kernel on a target, and what it waits for the flash of a board.

    ``runs`` are the output rows of each call; without them one call makes all.
    Measured constants are those of a reference core. Another core takes them times the
    ratio of its rates to that core's; a kernel that nobody measured goes by rates alone.
    """
    work = work_of(kernel, signature, runs)
    core = _on_core(kernel, signature, target, work, runs)
    if kernel.staged:
        core = replace(core, cycles=core.cycles + _copying(kernel, signature))
    if target.memory is None:
        return core
    stalls, error = stalls_of(kernel, signature, target.memory, work, core.cycles)
    return replace(core, stalls=stalls, stalls_error=error)


def _copying(kernel: Kernel, signature: Signature) -> float:
    """Cycles of the copy of a kernel that has one."""
    _, packed = staged_array(kernel.calls(signature)[0])
    blocks = packed.blocks
    if blocks is None:
        return _COPIED_BYTE * staged_bytes(kernel, signature)
    if isinstance(blocks, Runs):
        return _WIDENED_TWO * blocks.taps * packed.block_count
    taps, runs = blocks.times * blocks.taps, blocks.times + 1
    each = _WORD_AS_IS * (blocks.words - taps) + _RUN_OF_WORDS * runs
    if blocks.factors is None:
        each += _WIDENED_WORD * taps
    else:
        runs = blocks.times * -(-blocks.taps // blocks.factors.run)
        each += _MULTIPLIED_WORD * taps + _RUN_OF_FACTORS * runs
    return each * packed.block_count


def _on_core(
    kernel: Kernel, signature: Signature, target: Target, work: Work, runs: Sequence[int]
) -> Expected:
    """Without wait states."""
    timing, reference = _measured(kernel, target)
    if timing is None:
        ground = Ground.RATED if kernel.backend in target.rates else Ground.BORROWED
        cycles = _rated_cycles(kernel, signature, target, kernel.backend, runs)
        return Expected(cycles, None, ground)
    cycles = timing.total(work)
    soft = _soft_float_cycles(kernel, signature, target)
    if target.core == reference.core and target.rates == reference.rates and not soft:
        return Expected(cycles, timing.max_error, Ground.MEASURED)
    both = kernel.backend in target.rates and kernel.backend in reference.rates
    rates = kernel.backend if both else "c99"
    here, there = (_rated_cycles(kernel, signature, t, rates) for t in (target, reference))
    return Expected(cycles * here / max(1.0, there) + soft, None, Ground.SCALED)


def _measured(kernel: Kernel, target: Target) -> tuple[Timing | None, Target]:
    """What was measured of a kernel on the core that is most like a target's, and that core."""
    other = OTHER_REFERENCES.get(target.core)
    if other is not None:
        timing = kernel_timings(kernel.backend, other).get(kernel.function)
        if timing is not None:
            return timing, _reference_target(other)
    return timing_of(kernel), _reference_target(REFERENCE_CORE)


def _soft_float_cycles(kernel: Kernel, signature: Signature, target: Target) -> float:
    """Cycles of library functions that compute with real values where the core cannot."""
    if not kernel.types.outputs[0].is_float or "fpu" in target.features:
        return 0.0
    each = _SOFT_FLOAT_SMALL if target.core in SMALL_CORES else _SOFT_FLOAT
    return signature.cost.macs * each


def work_of(kernel: Kernel, sig: Signature, runs: Sequence[int] = ()) -> Work:
    """What a kernel says that its loops do, else what any loop over elements does.

    ``runs`` are the output rows of each call; without them one call makes all.
    """
    work, rows = kernel.work or _plain_work, tuple(runs) or (sig.output.rows,)
    return sig.known((work, rows), lambda: work(sig, rows))


def _plain_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Calls, rows, pixels, elements made, and what is done for them."""
    output = sig.output
    pixels = output.elements / max(1, output.channels)
    same = all(kind.shape == output.shape for kind in sig.inputs)
    return {
        "call": len(runs),
        "row": output.rows,
        "line": output.rows if same else pixels,
        "pixel": pixels,
        "output": output.elements,
        "step": sig.cost.macs + sig.cost.ops,
    }


def _rated_cycles(
    kernel: Kernel, signature: Signature, target: Target, backend: str, runs: Sequence[int] = ()
) -> float:
    """Cycles by the target's rates of a backend for the class of the kernel."""
    cost, together = signature.cost, kernel.rows_together
    if together > 1 and runs:
        made = sum(-(-rows // together) * together for rows in runs) / max(1, sum(runs))
        whole = _rated_cycles(replace(kernel, rows_together=1), signature, target, backend)
        return whole * made
    elements = sum(t.elements for t in signature.outputs)
    overhead = target.rate(backend, "overhead_per_step").value
    rate = target.rate(backend, kernel.cost_class).value
    if kernel.cost_class in _PER_MAC:
        requantize = target.rate(backend, "requantize").value
        return overhead + cost.macs * rate + elements * requantize
    if kernel.cost_class == "copy":
        return overhead + sum(t.nbytes for t in signature.outputs) * rate
    return overhead + max(cost.ops + cost.macs, elements) * rate


@cache
def _reference_target(core: str) -> Target:
    return load_target(core)
