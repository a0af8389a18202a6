# SPDX-License-Identifier: Apache-2.0
"""Findings with their codes, what the figures assume, and what nobody checked."""

from __future__ import annotations

from mcuplan.record import Budget
from mcuplan.report._speed import how_known
from mcuplan.report.html.part import Part
from mcuplan.units import Origin, format_bytes

__all__ = ["findings"]


def findings(budget: Budget) -> Part:
    """Always the last part."""
    values = {
        "findings": budget.verdict.findings,
        "assumptions": _assumptions(budget),
        "unchecked": _unchecked(budget),
    }
    return Part("findings", "Findings, assumptions, what was not checked", "findings.html", values)


def _assumptions(budget: Budget) -> list[str]:
    ram, flash, target = budget.ram, budget.flash, budget.target
    said = ["One call at a time; the stack is that of the call, without interrupts."]
    if target.generic:
        said.append(f"{target.name} is no real part: sizes of its memories are representative.")
    said += [
        f"{region.name}: {format_bytes(region.reserved_bytes)} are reserved for the firmware."
        for region in budget.regions
        if region.reserved_bytes
    ]
    if ram.stack_origin is Origin.MODELLED:
        margin = format_bytes(ram.stack_margin_bytes)
        said.append(f"Stack is modelled, with a margin of {margin} that counts.")
    if flash.code_origin is Origin.MODELLED:
        margin = format_bytes(flash.code_margin_bytes)
        said.append(f"Code is modelled, with a margin of {margin} that counts.")
    said.append(f"Cycles: {how_known(budget.latency)}.")
    if budget.latency.stall_cycles is None:
        said.append("Flash never waits: the target does not describe its memory system.")
    if budget.energy is not None:
        scope = "of the chip" if budget.energy.whole_chip else "of arithmetic and memory alone"
        said.append(f"Energy {scope}: {budget.energy.joules:.3g} J ({budget.energy.origin}).")
    return said


def _unchecked(budget: Budget) -> list[str]:
    runs, said = {run.on for run in budget.verification}, []
    if "host" not in runs:
        said.append("The generated code was not run on this computer (mcuplan verify).")
    if "emulator" not in runs:
        said.append("It was not run on an emulated core (mcuplan verify).")
    if budget.build is None:
        said.append("Nothing was compiled: code, stack and symbols of the image are not known.")
    if not any(run.accuracy is not None for run in budget.verification):
        said.append("No accuracy: there was no run on inputs with labels.")
    if budget.calibration is None and "float" in budget.model.dtype:
        said.append("No ranges of activations were observed: sizes hold, values do not.")
    if budget.baseline is None:
        said.append("No earlier report was compared with (--baseline).")
    if budget.target.roof is None:
        said.append(f"No roofline: nobody measured the kernels on a {budget.target.core}.")
    said.append("No real board was measured: cycles are those of an emulated core, or modelled.")
    return said
