# SPDX-License-Identifier: Apache-2.0
"""What a user wants to be warned of, and what of a report is to fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mcuplan.budget.verdict import verdict_of
from mcuplan.findings import Finding, Severity
from mcuplan.record import Budget, Limits
from mcuplan.units import format_bytes, format_si

__all__ = ["judged"]


def judged(budget: Budget, limits: Limits) -> Budget:
    """The report with budgets that are nearly used up, and warnings as what they shall be."""
    findings = list(budget.verdict.findings)
    if limits.warn_at is not None:
        findings += _near(budget, limits.warn_at)
    if limits.strict:
        findings = [
            replace(f, severity=Severity.ERROR) if f.severity is Severity.WARNING else f
            for f in findings
        ]
    return replace(budget, verdict=verdict_of(findings))


def _near(budget: Budget, percent: float) -> Iterator[Finding]:
    """Budgets that are kept with at least so much used; regions where there are several."""
    sums = (("ram", "RAM", budget.ram), ("flash", "flash", budget.flash))
    for kind, name, bill in sums:
        yield from _size(f"{kind}/near-budget", name, bill.total_bytes, bill.budget_bytes, percent)
        regions = [region for region in budget.regions if region.kind == kind]
        for region in regions if len(regions) > 1 else ():
            room = region.bytes - region.reserved_bytes
            what = f"region {region.name}"
            yield from _size(f"{kind}/near-budget", what, region.used_bytes, room, percent)
    latency, limit = budget.latency, budget.latency.budget_seconds
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
