# SPDX-License-Identifier: Apache-2.0
"""The answer, memories and sums in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.findings import BUDGETS, Severity
from mcuplan.record import Flash, Ram, RegionUse, Status, Verdict
from mcuplan.report._format import Look
from mcuplan.report._text import clip, table
from mcuplan.safe_text import plain
from mcuplan.units import Origin, format_bytes

__all__ = ["HEADLINES", "coloured", "headline", "region_lines", "sum_lines"]

_BAR = 10
HEADLINES = {
    Status.FITS: ("FITS", "32"),
    Status.OVER: ("OVER BUDGET", "31"),
    Status.UNPROVEN: ("UNPROVEN", "33"),
    Status.UNSUPPORTED: ("UNSUPPORTED", "33"),
    Status.DAMAGED: ("DAMAGED", "31"),
}


def coloured(word: str, colour: str, look: Look) -> str:
    """A word that a terminal shows in a colour."""
    return f"\x1b[1;{colour}m{word}\x1b[0m" if look.colour else word


def headline(verdict: Verdict, ram: Ram, flash: Flash, look: Look) -> list[str]:
    """The answer, and the budget that is not kept or both sums."""
    word, colour = HEADLINES[verdict.status]
    errors = [f for f in verdict.findings if f.severity is Severity.ERROR]
    if not errors:
        text = _totals(ram, flash)
        return [f" {coloured(word, colour, look)}   {text}"]
    if errors[0].code not in BUDGETS:
        word = "FAILED"
    message = look.plain(f"{errors[0].message}   {errors[0].code}")
    lines = look.wrap(message, " " * (len(word) + 4), " " * (len(word) + 4))
    lines[0] = f" {coloured(word, colour, look)}   {lines[0].lstrip()}"
    return lines


def _totals(ram: Ram, flash: Flash) -> str:
    """Both sums in one line."""
    return (
        f"RAM {format_bytes(ram.total_bytes)}, {_percent(ram.total_bytes, ram.budget_bytes)}"
        f"   flash {format_bytes(flash.total_bytes)}, "
        f"{_percent(flash.total_bytes, flash.budget_bytes)}"
    )


def _percent(used: int, budget: int) -> str:
    return f"{100 * used / budget:.0f} %" if budget else "no room"


def _bar(used: int, budget: int) -> str:
    if used == 0:
        return f"[{' ' * _BAR}]  {'0 %' if budget else 'none':>6}"
    share = used / budget if budget else 2.0
    if share > 1:
        return f"[{'#' * _BAR}!] {_percent(used, budget):>6}"
    filled = min(_BAR, -int(-share * _BAR // 1))
    return f"[{'#' * filled}{' ' * (_BAR - filled)}]  {_percent(used, budget):>6}"


def region_lines(regions: Sequence[RegionUse], ram: Ram, flash: Flash) -> list[str]:
    """What each memory holds, and limits of the user."""
    rows = [["region", "used", "budget", "left", ""]]
    reserved = []
    for region in regions:
        room = region.bytes - region.reserved_bytes
        rows.append(_use(plain(region.name), region.used_bytes, room, region.left_bytes))
        if region.reserved_bytes:
            kept = f"{format_bytes(region.reserved_bytes)} of {format_bytes(region.bytes)}"
            reserved.append(f" {region.name}: {kept} reserved for the firmware")
    for name, bill in (("--max-ram", ram), ("--max-flash", flash)):
        if bill.budget_from == "limit":
            left = bill.budget_bytes - bill.total_bytes
            rows.append(_use(name, bill.total_bytes, bill.budget_bytes, left))
    return [f" {line}" for line in table(rows, (1, 2, 3))] + reserved


def _use(name: str, used: int, budget: int, left: int) -> list[str]:
    figures = [format_bytes(used), format_bytes(budget), format_bytes(left)]
    return [clip(name, 14), *figures, _bar(used, budget)]


def sum_lines(regions: Sequence[RegionUse], ram: Ram, flash: Flash, look: Look) -> list[str]:
    """RAM and flash as sums of their parts."""
    held = f" ({ram.scratch_bytes:,} scratch)" if ram.scratch_bytes else ""
    parts = [f"{ram.arena_bytes:,} arena{held}"]
    arenas = [r for r in regions if r.arena_bytes]
    if len(arenas) > 1:
        places = " + ".join(f"{r.arena_bytes:,} {plain(r.name)}" for r in arenas)
        parts = [f"{places} = {parts[0]}"]
    parts += [f"{ram.io_bytes:,} I/O"] if ram.io_bytes else []
    kept = f" ({ram.state_bytes:,} state)" if ram.state_bytes is not None else ""
    parts += [f"{ram.static_bytes:,} static{kept}", f"{ram.stack_bytes:,} stack"]
    parts[-1] += _how(ram.stack_origin, ram.stack_margin_bytes)
    code = f"{flash.code_bytes:,} code{_how(flash.code_origin, flash.code_margin_bytes)}"
    rest = f"{flash.weights_bytes:,} weights{flash.types} + {flash.tables_bytes:,} tables + {code}"
    lines = look.wrap(" + ".join(parts), " RAM    = ", "          ")
    return lines + look.wrap(rest, " flash  = ", "          ")


def _how(origin: Origin, margin: int) -> str:
    return f" ({origin}, margin {margin:,})" if margin else f" ({origin})"
