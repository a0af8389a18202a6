# SPDX-License-Identifier: Apache-2.0
"""What is used of every memory, the sums, and the command that asks for this report."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from mcuplan.record import Budget
from mcuplan.report._proof import noise_of
from mcuplan.report._speed import cycle_sum, how_known
from mcuplan.report.html.part import Part, layer_names
from mcuplan.units import counted, format_si
from mcuplan.words import moment, states_in

__all__ = ["summary"]


@dataclass(frozen=True, slots=True)
class _Bar:
    """What is used of some room."""

    name: str
    used: int
    room: int
    left: int

    @property
    def most(self) -> int:
        """Where the bar ends, which is never where it begins."""
        return max(self.room, 1)

    @property
    def share(self) -> str:
        """In percent."""
        return f"{100 * self.used / self.room:.0f} %" if self.room else "no room"


def summary(budget: Budget) -> Part:
    """Bars, sums and hashes."""
    values = {
        "bars": _bars(budget),
        "sums": _sums(budget),
        "facts": _facts(budget),
        "command": _command(budget),
        "asked": bool(budget.asked),
    }
    return Part("budget", "Budget", "summary.html", values)


def _bars(budget: Budget) -> list[_Bar]:
    """What is used of every region, and of the user's own limits."""
    bars = [
        _Bar(
            region.name, region.used_bytes, region.bytes - region.reserved_bytes, region.left_bytes
        )
        for region in budget.regions
    ]
    for name, bill in (("--max-ram", budget.ram), ("--max-flash", budget.flash)):
        if bill.budget_from == "limit":
            left = bill.budget_bytes - bill.total_bytes
            bars.append(_Bar(name, bill.total_bytes, bill.budget_bytes, left))
    return bars


def _sums(budget: Budget) -> list[tuple[str, str]]:
    ram, flash, latency, peak = budget.ram, budget.flash, budget.latency, budget.peak
    arena = "arena proved minimal" if peak.optimal_arena else "arena not proved minimal"
    order = "order proved best" if peak.optimal_order else "order not proved best"
    margins = (ram.stack_margin_bytes, flash.code_margin_bytes)
    kept = [f" with {margin:,} of margin" if margin else "" for margin in margins]
    lines = [
        (
            "RAM",
            f"{ram.total_bytes:,} B = {ram.arena_bytes:,} arena + {ram.io_bytes:,} I/O + "
            f"{ram.static_bytes:,} static + {ram.stack_bytes:,} stack"
            f" ({ram.stack_origin}{kept[0]})",
        ),
        (
            "Flash",
            f"{flash.total_bytes:,} B = {flash.weights_bytes:,} weights{flash.types} + "
            f"{flash.tables_bytes:,} tables + {flash.code_bytes:,} code"
            f" ({flash.code_origin}{kept[1]})",
        ),
        (
            "Peak",
            f"{moment(peak)}, {_peak_layer(budget)}: {peak.live_bytes:,} B live{states_in(ram)}, "
            f"lower bound {peak.lower_bound_bytes:,} B: {arena}, {order}",
        ),
        ("Time", f"{cycle_sum(latency, budget.target.clock_hz)} ({how_known(latency)})"),
    ]
    if latency.wait_cycles and latency.stall_cycles is None:
        waiting = format_si(latency.wait_cycles)
        lines.append(("", f"of these cycles {waiting} are wait states of RAM (modelled)"))
    if budget.selection is not None:
        selection = budget.selection
        lines.append(("Kernels", f"{selection.objective}: {selection.statement}"))
    return [*lines, *_calls(budget), *_runs(budget)]


def _calls(budget: Budget) -> list[tuple[str, str]]:
    """Calls that feed rows of the input."""
    feed = budget.latency.feed
    if feed is None:
        return []
    rows = f"row {feed.slowest_row} takes longest, {format_si(feed.slowest_seconds, 's')}"
    last = format_si(feed.last_seconds, "s")
    return [("Fed by rows", f"{feed.rows:,} calls: {rows}; from the last on {last}")]


def _runs(budget: Budget) -> list[tuple[str, str]]:
    lines = []
    for run in budget.verification:
        same = "equal to the reference" if run.equal_to_reference else "DIFFERS"
        place = f"{run.on} {run.core}" if run.core != run.on else run.on
        said = [counted(run.samples, "sample"), same, *filter(None, [noise_of(run)])]
        lines.append((f"Verified on {place}", ", ".join(said)))
    return lines


def _peak_layer(budget: Budget) -> str:
    step = budget.peak.step
    return layer_names(budget)[step] if 0 <= step < len(budget.layers) else budget.peak.layer


def _facts(budget: Budget) -> list[tuple[str, str]]:
    model, target = budget.model, budget.target
    sizes = [f"opset {model.opset}", f"{model.nodes:,} nodes -> {counted(model.steps, 'step')}"]
    sizes += [f"{model.parameters:,} parameters", f"{format_si(model.macs)} MACs"]
    chip = [target.core, *target.features, f"at {format_si(target.clock_hz, 'Hz')}"]
    facts = [
        ("Model", f"{model.name}, {model.dtype}, {', '.join(sizes)}"),
        ("SHA-256 of the model", model.sha256),
        ("Target", f"{target.name}: {' '.join(chip)}"),
        ("Tool", f"mcuplan {budget.tool_version}, {budget.schema}"),
    ]
    if budget.build is not None:
        facts.append(("Compiler", f"{budget.build.compiler} {budget.build.flags}"))
    return facts


def _command(budget: Budget) -> str:
    words = budget.asked or (budget.command, budget.model.name, "--target", budget.target.name)
    return shlex.join(("mcuplan", *words))
