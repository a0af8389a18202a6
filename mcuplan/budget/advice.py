# SPDX-License-Identifier: Apache-2.0
"""What helps a model that is over its RAM, each way with its price."""

from __future__ import annotations

from collections.abc import Iterable

from mcuplan.budget.footprint import ram_bill
from mcuplan.record import Latency, Limits, Ram
from mcuplan.schedule.kernels.objective import Objective
from mcuplan.schedule.program import Plan, Selected
from mcuplan.units import format_bytes, format_si

__all__ = ["flash_advice", "ram_advice", "speed_advice"]


def ram_advice(ram: Ram, ways: Iterable[tuple[str, Plan]], limits: Limits) -> str:
    """The flags of the first way that fits, or of the one that needs least; "" for none.

    Args:
        ram: of the plan; where it keeps its budget no way is planned.
        ways: flags and the plan they lead to, the mildest first, planned as they are taken.
        limits: the user's own budgets.
    """
    least, flags = ram.total_bytes, ""
    if least <= ram.budget_bytes:
        return ""
    for name, plan in ways:
        needed = ram_bill(plan, limits, None).total_bytes
        if needed < least:
            least, flags = needed, name
        if needed <= ram.budget_bytes:
            break
    word = "fits" if least <= ram.budget_bytes else "needs less, not little enough"
    return f"{flags} {word}: {format_bytes(least)}" if flags else ""


def speed_advice(selected: Selected | None, latency: Latency) -> str:
    """The flag for faster kernels, where another one chose those of the plan; "" for none."""
    if selected is None or selected.objective == Objective.LATENCY.value:
        return ""
    faster = selected.trade.faster
    if faster is not None and latency.budget_seconds is not None and latency.cycles:
        seconds = latency.seconds * (1 - faster.cycles / latency.cycles)
        if seconds > latency.budget_seconds:
            return f"--objective latency takes {format_si(seconds, 's')}, not little enough"
    return "--objective latency, for more RAM and flash"


def flash_advice(selected: Selected | None) -> str:
    """The flag for kernels of less code, where another one chose those of the plan; "" for none."""
    if selected is None or selected.objective == Objective.FLASH.value:
        return ""
    return "--objective flash, for more cycles"
