# SPDX-License-Identifier: Apache-2.0
"""Fits or not: every limit against its figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcuplan.findings import DEFECT_HINT, UNCOUNTED, Finding, Severity
from mcuplan.record import (
    Baseline,
    Flash,
    Latency,
    LayerRow,
    Peak,
    Ram,
    RegionUse,
    Status,
    TargetInfo,
    Verdict,
    Verification,
)
from mcuplan.units import Origin, format_bytes, format_si
from mcuplan.words import moment

__all__ = [
    "budget_findings",
    "growth_findings",
    "notes",
    "placeholder_findings",
    "verdict_of",
    "verify_findings",
]


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Over when a finding is an error, else fits; unproven what is not wholly counted."""
    rank = list(Severity)
    ordered = tuple(sorted(findings, key=lambda f: rank.index(f.severity)))
    if any(f.severity is Severity.ERROR for f in ordered):
        return Verdict(Status.OVER, ordered)
    if any(f.code == UNCOUNTED for f in ordered):
        return Verdict(Status.UNPROVEN, ordered)
    return Verdict(Status.FITS, ordered)


def budget_findings(
    ram: Ram,
    flash: Flash,
    latency: Latency,
    peak: Peak,
    layers: Sequence[LayerRow],
    regions: Sequence[RegionUse],
    advice: str = "",
    faster: str = "",
    smaller: str = "",
) -> list[Finding]:
    """One finding for each budget that is not kept.

    ``advice`` says which flags need less RAM, ``faster`` which take less time, ``smaller``
    which need less flash.
    """
    found = _ram(ram, peak, regions, advice) + _flash(flash, layers, smaller)
    if latency.budget_seconds is not None and latency.seconds > latency.budget_seconds:
        slowest = max(layers, key=lambda row: row.all_cycles)
        found.append(
            _error(
                "latency/over-budget",
                f"one inference takes {format_si(latency.seconds, 's')} ({latency.origin}), "
                f"limit {format_si(latency.budget_seconds, 's')}",
                f"step {slowest.index}, {slowest.name}",
                _either(
                    faster,
                    "a faster target (mcuplan targets fit), or a smaller layer where most cycles "
                    "go",
                ),
            )
        )
    return [*found, *_slow_rows(latency, faster)]


def _slow_rows(latency: Latency, faster: str) -> list[Finding]:
    feed = latency.feed
    if feed is None or feed.budget_seconds is None:
        return []
    limit, found = format_si(feed.budget_seconds, "s"), []
    hint = "no row can take less than one row of the slowest layer with its kernel: " + _either(
        faster, "a longer limit, or a faster target"
    )
    if feed.slowest_seconds > feed.budget_seconds:
        text = f"a row of the input takes {format_si(feed.slowest_seconds, 's')}"
        text += f" ({latency.origin}), limit {limit}"
        where = f"input row {feed.slowest_row}"
        found.append(_error("latency/row-over-budget", text, where, hint))
    if feed.finish is not None and feed.finish.over:
        last, price = feed.finish, format_si(feed.finish.slowest_seconds, "s")
        alone = ", all of it one move of this layer" if last.slowest_alone else ""
        text = f"{last.over} of {last.calls + 1} calls from the last row on take longer than"
        text += f" {limit}: up to {price} ({latency.origin}){alone}"
        found.append(_error("latency/row-over-budget", text, last.slowest_layer, hint))
    return found


def _either(first: str, other: str) -> str:
    """Two hints, or the other one alone."""
    return f"{first}; or {other}" if first else other


def _error(code: str, message: str, where: str, hint: str) -> Finding:
    return Finding(code, Severity.ERROR, message, where, hint)


def _ram(ram: Ram, peak: Peak, regions: Sequence[RegionUse], advice: str) -> list[Finding]:
    where = f"{moment(peak)}, {peak.layer}" if peak.layer else ""
    hint = (
        "mcuplan fit MODEL: what else would do; a smaller input or output of the peak step; "
        "mcuplan targets fit MODEL: who holds it"
    )
    hint = _either(advice, hint)
    found = []
    if ram.total_bytes > ram.budget_bytes:
        excess = format_bytes(ram.total_bytes - ram.budget_bytes)
        text = f"RAM over by {excess}: {_of(ram.total_bytes, ram.budget_bytes)}"
        text += _worst_region(regions)
        found.append(_error("ram/over-budget", text, where, hint))
    for region in regions:
        if region.kind == "ram" and region.left_bytes < 0 and not found:
            text = f"region {region.name} over by {format_bytes(-region.left_bytes)}"
            room = region.bytes - region.reserved_bytes
            text += f": {_of(region.used_bytes, room)}"
            found.append(_error("ram/over-budget", text, where, hint))
    return found


def _worst_region(regions: Sequence[RegionUse]) -> str:
    """The RAM region that is over by most, where there are several to choose from."""
    ram = [region for region in regions if region.kind == "ram"]
    worst = min(ram, key=lambda region: region.left_bytes)
    if len(ram) < 2 or worst.left_bytes >= 0:
        return ""
    return f"; region {worst.name} over by {format_bytes(-worst.left_bytes)}"


def _flash(flash: Flash, layers: Sequence[LayerRow], smaller: str) -> list[Finding]:
    if flash.total_bytes <= flash.budget_bytes:
        return []
    excess = format_bytes(flash.total_bytes - flash.budget_bytes)
    text = f"flash over by {excess}: {_of(flash.total_bytes, flash.budget_bytes)}"
    largest = max(layers, key=lambda row: row.weights_bytes, default=None)
    where = f"step {largest.index}, {largest.name}" if largest is not None else ""
    fewer = "fewer weights in the largest layer, or of 4 bits (--weight-dtype NAME=int4)"
    hint = _either(smaller, f"{fewer}; mcuplan fit MODEL; mcuplan targets fit MODEL: who holds it")
    margin = flash.code_margin_bytes
    if flash.total_bytes - margin <= flash.budget_bytes and flash.code_origin is Origin.MODELLED:
        hint = f"{format_bytes(margin)} are the margin of modelled code: --build measures it"
    return [_error("flash/over-budget", text, where, hint)]


def _of(used: int, budget: int) -> str:
    return f"{format_bytes(used)} of {format_bytes(budget)}"


def notes(target: TargetInfo, *, has_ranges: bool, random_ranges: bool) -> list[Finding]:
    """What a reader must know about how the figures came about."""
    found = []
    if random_ranges:
        found.append(
            Finding(
                "quant/random-calibration",
                Severity.WARNING,
                "activation ranges are random: sizes are right, answers are not for use",
                hint="--calibration DATA.npz",
            )
        )
    elif not has_ranges:
        found.append(
            Finding(
                "quant/no-ranges",
                Severity.NOTE,
                "no activation ranges yet: RAM is exact, flash but for some tables that depend on "
                "ranges; generate and verify need them",
                hint="--calibration DATA.npz, or a QDQ model",
            )
        )
    if target.generic:
        found.append(
            Finding(
                "target/generic-sizes",
                Severity.NOTE,
                f"{target.name} is a generic core: its memory sizes are representative",
                hint="take a board (mcuplan targets list), or --max-ram and --max-flash",
            )
        )
    return found


def placeholder_findings(changed: str) -> list[Finding]:
    """That weights are those of no training, where the form of a model was changed."""
    if not changed:
        return []
    text = f"a template ({changed}): weights are placeholders; bytes and cycles hold, answers not"
    hint = "train a model of this form, and check that"
    return [Finding("model/placeholder-weights", Severity.WARNING, text, hint=hint)]


def growth_findings(baseline: Baseline, allowed: int | None = 0) -> list[Finding]:
    """RAM or flash above the baseline: an error beyond the bytes allowed, else a note.

    Where nothing of it fails (None) it is a warning.
    """
    deltas = (("RAM", baseline.ram_delta), ("flash", baseline.flash_delta))
    parts = [f"{name} {format_bytes(delta)}" for name, delta in deltas if delta > 0]
    if not parts:
        return []
    rows = (*baseline.layers, *baseline.parts)
    grown = [row for row in rows if max(row.ram_delta, row.flash_delta) > 0 and row.because]
    where = f"{grown[0].name}: {grown[0].because}" if grown else ""
    if baseline.changes:
        first = baseline.changes[0]
        where = " ".join((*first.layers[:1], first.what))
    text = f"grew against {baseline.file}: {', '.join(parts)}"
    hint = "if wanted, make this report the baseline"
    if allowed is None:
        return [Finding("baseline/grew", Severity.WARNING, text, where, hint)]
    if max(delta for _, delta in deltas) > allowed:
        return [_error("baseline/grew", text, where, hint)]
    text += f"; {format_bytes(allowed)} of each are allowed"
    return [Finding("baseline/grew", Severity.NOTE, text, where, hint)]


def verify_findings(runs: Sequence[Verification]) -> list[Finding]:
    """What running the compiled code contradicts."""
    found = []
    for run in runs:
        place = f"{run.on} {run.core}".strip()
        if not run.equal_to_reference:
            layer = run.first_diverging_layer
            text = f"{place}: output bytes differ from the integer reference"
            where = f"first diverging layer {layer}" if layer else ""
            found.append(_error("verify/mismatch", text, where, DEFECT_HINT))
        if run.elf is not None and not run.elf.agrees:
            text = f"{place}: the linked image does not have the planned bytes"
            found.append(_error("elf/drift", text, "", DEFECT_HINT))
        stack = run.stack
        if stack is not None and (stack.measured_bytes or 0) > stack.bound_bytes:
            text = (
                f"{place}: stack of {format_bytes(stack.measured_bytes or 0)} measured, "
                f"bound {format_bytes(stack.bound_bytes)}"
            )
            found.append(_error("verify/stack", text, "", DEFECT_HINT))
    return found
