# SPDX-License-Identifier: Apache-2.0
"""What helps a model that is over its RAM, each way with its price."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mcuplan.budget.footprint import ram_bill
from mcuplan.record import Budget, Limits
from mcuplan.schedule.program import Plan
from mcuplan.units import format_bytes

__all__ = ["with_ram_advice"]


def with_ram_advice(budget: Budget, ways: Iterable[tuple[str, Plan]], limits: Limits) -> Budget:
    """The report with the first way that fits as its hint, or the one that needs least.

    Args:
        budget: the report; one within its RAM stays as it is and no way is planned.
        ways: flags and the plan they lead to, the mildest first, planned as they are taken.
        limits: the user's own budgets.
    """
    least, flags = budget.ram.total_bytes, ""
    if least <= budget.ram.budget_bytes:
        return budget
    for name, plan in ways:
        needed = ram_bill(plan, limits, None).total_bytes
        if needed < least:
            least, flags = needed, name
        if needed <= budget.ram.budget_bytes:
            break
    if not flags:
        return budget
    fits = least <= budget.ram.budget_bytes
    word = "fits" if fits else "needs less, not little enough"
    said = f"{flags} {word}: {format_bytes(least)}"
    findings = tuple(
        replace(f, hint=f"{said}; or {f.hint}") if f.code == "ram/over-budget" else f
        for f in budget.verdict.findings
    )
    return replace(budget, verdict=replace(budget.verdict, findings=findings))
