# SPDX-License-Identifier: Apache-2.0
"""The report as one page that needs no network and no script, on a screen and on paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcuplan.record import Budget, Status, Undecided, Verdict
from mcuplan.report._format import Format, Look
from mcuplan.report._map import picture
from mcuplan.report._markup import rendered
from mcuplan.report._names import distinct
from mcuplan.report._proof import noise_of
from mcuplan.report._speed import cycle_sum, how_known
from mcuplan.report._text import counted
from mcuplan.units import format_bytes, format_si
from mcuplan.words import moment

__all__ = ["FORMAT"]

_HEADLINES = {
    Status.FITS: ("good", "fits"),
    Status.OVER: ("bad", "over budget or limit"),
    Status.UNPROVEN: ("unsure", "unproven"),
    Status.UNSUPPORTED: ("unsure", "unsupported"),
    Status.DAMAGED: ("bad", "damaged"),
}
_NAME = 32  # columns of a layer's name


@dataclass(frozen=True, slots=True)
class _Bar:
    """What is used of some room, drawn and in words."""

    text: str
    used: int
    room: int

    @property
    def most(self) -> int:
        """Where the bar ends, which is never where it begins."""
        return max(self.room, 1)

    @property
    def shown(self) -> int:
        """How far it is filled."""
        return min(self.used, self.most)


def _decided(budget: Budget, look: Look) -> str:
    names = _names(budget)
    layers = list(zip(names, budget.layers, strict=True))
    values = {
        "budget": budget,
        "bars": _bars(budget),
        "sums": _sums(budget),
        "map": picture(budget),
        "layers": layers,
        "cut": [row for name, row in layers if name != row.name],
    }
    title = f"{budget.model.name} on {budget.target.name}"
    return _page("figures.html", title, budget.verdict, values)


def _undecided(report: Undecided, look: Look) -> str:
    return _page("page.html", report.model.name, report.verdict, {})


def _page(template: str, title: str, verdict: Verdict, values: Mapping[str, object]) -> str:
    colour, words = _HEADLINES[verdict.status]
    head = {"title": title, "colour": colour, "words": words, "findings": verdict.findings}
    return rendered(template, head | dict(values))


def _bars(budget: Budget) -> list[_Bar]:
    """What is used of every region, and of the user's own limits."""
    bars = []
    for region in budget.regions:
        room = region.bytes - region.reserved_bytes
        bars.append(_bar(region.name, region.used_bytes, room, region.left_bytes))
    for name, bill in (("--max-ram", budget.ram), ("--max-flash", budget.flash)):
        if bill.budget_from == "limit":
            left = bill.budget_bytes - bill.total_bytes
            bars.append(_bar(name, bill.total_bytes, bill.budget_bytes, left))
    return bars


def _bar(name: str, used: int, room: int, left: int) -> _Bar:
    share = f"{100 * used / room:.0f} %" if room else "no room"
    of_room = f"{format_bytes(used)} of {format_bytes(room)}, {share}, {format_bytes(left)} left"
    return _Bar(f"{name}: {of_room}", used, room)


def _sums(budget: Budget) -> list[str]:
    ram, flash, latency, peak = budget.ram, budget.flash, budget.latency, budget.peak
    lines = [
        f"RAM {ram.total_bytes:,} B = {ram.arena_bytes:,} arena + {ram.io_bytes:,} I/O + "
        f"{ram.static_bytes:,} static + {ram.stack_bytes:,} stack ({ram.stack_origin})",
        f"flash {flash.total_bytes:,} B = {flash.weights_bytes:,} weights + "
        f"{flash.tables_bytes:,} tables + {flash.code_bytes:,} code ({flash.code_origin})",
    ]
    arena = "arena proved minimal" if peak.optimal_arena else "arena not proved minimal"
    order = "order proved best" if peak.optimal_order else "order not proved best"
    lines.append(
        f"peak at {moment(peak)}, {_peak_layer(budget)}: {peak.live_bytes:,} B live, lower bound "
        f"{peak.lower_bound_bytes:,} B: {arena}, {order}"
    )
    lines.append(f"{cycle_sum(latency, budget.target.clock_hz)} ({how_known(latency)})")
    if latency.wait_cycles and latency.stall_cycles is None:
        waiting = format_si(latency.wait_cycles)
        lines.append(f"of these cycles {waiting} are wait states of RAM (modelled)")
    if budget.selection is not None:
        lines.append(f"kernels {budget.selection.objective}: {budget.selection.statement}")
    for run in budget.verification:
        same = "equal to the reference" if run.equal_to_reference else "DIFFERS"
        place = f"{run.on} {run.core}".strip()
        facts = [counted(run.samples, "sample"), same, *filter(None, [noise_of(run)])]
        lines.append(f"verified on {place}: {', '.join(facts)}")
    return lines


def _peak_layer(budget: Budget) -> str:
    step = budget.peak.step
    return _names(budget)[step] if 0 <= step < len(budget.layers) else budget.peak.layer


def _names(budget: Budget) -> list[str]:
    """Short names of the layers, different for different layers."""
    return distinct([row.name for row in budget.layers], _NAME)


FORMAT = Format("html", _decided, _undecided)
