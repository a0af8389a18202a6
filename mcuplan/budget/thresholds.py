# SPDX-License-Identifier: Apache-2.0
"""What a user wants to be warned of, and what of a report is to fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mcuplan.budget.verdict import verdict_of
from mcuplan.findings import Finding, Severity
from mcuplan.record import Budget, Flash, Latency, Limits, Ram, RegionUse, Verdict
from mcuplan.record.joint import JointBudget
from mcuplan.units import format_bytes, format_si

__all__ = ["judged", "judged_jointly"]


def judged(budget: Budget, limits: Limits) -> Budget:
    """The report with budgets that are nearly used up, and warnings as what they shall be."""
    found = list(budget.verdict.findings)
    if limits.warn_at is not None:
        found += _near(budget.ram, budget.flash, budget.regions, limits.warn_at)
        found += _slow(budget.latency, limits.warn_at)
    return replace(budget, verdict=_verdict(found, limits))


def judged_jointly(joint: JointBudget, limits: Limits) -> JointBudget:
    """The same of several models in one image."""
    found = list(joint.verdict.findings)
    if limits.warn_at is not None:
        found += _near(joint.ram, joint.flash, joint.regions, limits.warn_at)
    return replace(joint, verdict=_verdict(found, limits))


def _verdict(findings: Sequence[Finding], limits: Limits) -> Verdict:
    """With warnings as errors where these are to fail."""
    return verdict_of(
        replace(f, severity=Severity.ERROR)
        if limits.strict and f.severity is Severity.WARNING
        else f
        for f in findings
    )


def _near(
    ram: Ram, flash: Flash, regions: Sequence[RegionUse], percent: float
) -> Iterator[Finding]:
    """Budgets that are kept with at least so much used; regions where there are several."""
    for kind, name, bill in (("ram", "RAM", ram), ("flash", "flash", flash)):
        yield from _size(f"{kind}/near-budget", name, bill.total_bytes, bill.budget_bytes, percent)
        alike = [region for region in regions if region.kind == kind]
        for region in alike if len(alike) > 1 else ():
            room = region.bytes - region.reserved_bytes
            what = f"region {region.name}"
            yield from _size(f"{kind}/near-budget", what, region.used_bytes, room, percent)


def _slow(latency: Latency, percent: float) -> Iterator[Finding]:
    """A limit of time that is kept with at least so much of it taken."""
    limit = latency.budget_seconds
    if limit is not None and percent <= 100 * latency.seconds / limit <= 100:
        used = f"{format_si(latency.seconds, 's')} of {format_si(limit, 's')}"
        share = 100 * latency.seconds / limit
        yield _warning("latency/near-budget", f"one inference takes {used}", share, percent)


def _size(code: str, what: str, used: int, room: int, percent: float) -> Iterator[Finding]:
    if room and percent * room <= 100 * used <= 100 * room:
        text = f"{what} holds {format_bytes(used)} of {format_bytes(room)}"
        yield _warning(code, text, 100 * used / room, percent)


def _warning(code: str, text: str, share: float, percent: float) -> Finding:
    message = f"{text}, {share:.1f} % (--warn-at {percent:g}%)"
    return Finding(
        code, Severity.WARNING, message, hint="make room before the next change needs it"
    )
