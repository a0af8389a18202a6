# SPDX-License-Identifier: Apache-2.0
"""What helps a model that is over its RAM, each way with its price."""

from __future__ import annotations

from mcuplan.record import Advice, Latency, Needs, Ram
from mcuplan.schedule.kernels.objective import Objective
from mcuplan.schedule.program import Selected
from mcuplan.units import format_bytes, format_si

__all__ = ["flash_advice", "ram_advice", "speed_advice"]


def ram_advice(ram: Ram, advice: Advice | None, selected: Selected | None) -> str:
    """The options of the first way that fits the RAM, or of the one that needs least; "" for none.

    Where few plans were made, more effort before anything else.

    Args:
        ram: of the plan; where it keeps its budget nothing is said.
        advice: of which ways count that need nothing but options.
        selected: how the kernels of the plan were.
    """
    if selected is not None and selected.open_ and advice is None:
        return "--effort normal, which makes more plans, one of which may fit"
    ways = advice.ways[1:] if advice is not None and ram.total_bytes > ram.budget_bytes else ()
    alone = [way for way in ways if way.needs is Needs.NOTHING and way.ram_bytes < ram.total_bytes]
    enough = [way for way in alone if way.ram_bytes <= ram.budget_bytes]
    best = (
        sorted(enough, key=lambda way: len(way.options))[:1]
        or sorted(alone, key=lambda way: way.ram_bytes)[:1]
    )
    word = "fits" if enough else "needs less, not little enough"
    return "".join(f"{' '.join(w.options)} {word}: {format_bytes(w.ram_bytes)}" for w in best)


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
