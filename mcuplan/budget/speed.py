# SPDX-License-Identifier: Apache-2.0
"""Cycles and energy of steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from mcuplan.price.cycles import (
    REFERENCE_CORE,
    Expected,
    Ground,
    network_errors,
)
from mcuplan.record import Energy
from mcuplan.schedule.calls import call_cycles, kernel_cycles
from mcuplan.schedule.program import Plan, Step
from mcuplan.targets import Target
from mcuplan.units import Estimate, Origin

__all__ = [
    "Traffic",
    "bound_by",
    "core_error",
    "energy_of",
    "model_error",
    "step_cycles",
    "step_error",
    "worst",
]

_RANK = (Origin.EXACT, Origin.MEASURED, Origin.DATASHEET, Origin.MODELLED)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes that one step reads and writes, each once."""

    input_bytes: int
    output_bytes: int
    weights_bytes: int

    @property
    def ram_bytes(self) -> int:
        """Activations in and out."""
        return self.input_bytes + self.output_bytes

    @property
    def total_bytes(self) -> int:
        """Activations and weights."""
        return self.ram_bytes + self.weights_bytes


def worst(origins: Iterable[Origin]) -> Origin:
    """The weakest of several origins; exact where there are none."""
    return max(origins, key=_RANK.index, default=Origin.EXACT)


def step_cycles(step: Step, plan: Plan) -> Expected:
    """Modelled cycles of one step of a plan, in as many calls as the plan makes of it.

    Rows that are fed in front of it count for it.
    """
    own = kernel_cycles(plan, step)
    return replace(own, cycles=own.cycles + call_cycles(plan).of_step(step.index))


def model_error(plan: Plan) -> float | None:
    """Share by which the modelled cycles of all steps together may be off; None: not known.

    The worst error of each kernel over the shapes it was fitted to, or that of its backend
    over the networks that were measured, weighted by cycles, whichever is larger. A kernel
    that was not measured, or on another core, may be off by all of its cycles. On a board, what
    was missed of the waits of a kernel comes on top, and what the core's model may miss of a chip.
    """
    model = core_error(plan.program.target)
    if model is None:
        return None
    total = by_kernel = by_network = 0.0
    for step in plan.program.steps:
        expected = kernel_cycles(plan, step)
        if expected.ground is Ground.SCALED and plan.program.target.core == REFERENCE_CORE:
            return None  # by rates of the target's own
        error = 1.0 if expected.error is None else expected.error
        networks = network_errors(step.kernel.backend).values()
        waited = 1.0 if expected.stalls_error is None else expected.stalls_error
        total += expected.total
        by_kernel += expected.cycles * error + expected.total * waited
        by_network += expected.cycles * max(networks, default=error) + expected.total * waited
    calls = call_cycles(plan)
    total += sum(calls.of_step(step.index) for step in plan.program.steps)
    return round((max(by_kernel, by_network) + calls.error) / max(1.0, total) + model, 4)


def step_error(expected: Expected, target: Target) -> float | None:
    """Share by which the modelled cycles of a step may be off, its core's model included."""
    core = core_error(target)
    return None if core is None or expected.error is None else round(expected.error + core, 4)


def core_error(target: Target) -> float | None:
    """Share by which counts of a core's model may be off; None: nobody knows.

    None is stated of the core whose manual has a table.
    """
    if target.core == REFERENCE_CORE:
        return 0.0
    stated = target.timing.get("cycles_error")
    return None if stated is None else stated.value


def bound_by(cycles: float, traffic: Traffic, target: Target) -> Literal["compute", "memory"]:
    """What limits a step: its arithmetic, or reading and writing each byte once.

    Roofline: Williams et al. 2009, with the target's RAM and flash bandwidths.
    """
    ram, flash = (target.timing.get(f"{kind}_bytes_per_cycle") for kind in ("ram", "flash"))
    if ram is None or flash is None:
        return "compute"
    moving = traffic.ram_bytes / ram.value + traffic.weights_bytes / flash.value
    return "memory" if moving > cycles else "compute"


def energy_of(macs: int, cycles: float, traffic: Traffic, target: Target) -> Energy | None:
    """Energy of one inference; None where the target states no constants.

    Arithmetic and memory access come from energies per MAC and per byte. Where the target
    has an energy per cycle, the total is that of the cycles, and the others only divide it.
    """
    mac = target.energy.get("per_mac_s8_j")
    sram = target.energy.get("per_sram_byte_j")
    flash = target.energy.get("per_flash_byte_j")
    if mac is None or sram is None or flash is None:
        return None
    compute = macs * mac.value
    memory = traffic.ram_bytes * sram.value + traffic.weights_bytes * flash.value
    used = [mac, sram, flash]
    per_cycle = target.energy.get("per_cycle_j")
    if per_cycle is not None and compute + memory > 0:
        share = cycles * per_cycle.value / (compute + memory)
        compute, memory = compute * share, memory * share
        used.append(per_cycle)
    origin = worst([Origin.MODELLED, *_origins(used)])
    return Energy(compute + memory, compute, memory, per_cycle is not None, origin)


def _origins(figures: Iterable[Estimate]) -> list[Origin]:
    return [figure.origin for figure in figures]
