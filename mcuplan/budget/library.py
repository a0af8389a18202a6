# SPDX-License-Identifier: Apache-2.0
"""What a library of the user's adds to a bill, and nobody knows before it is built and run."""

from __future__ import annotations

from collections.abc import Iterator

from mcuplan.backends import library_of
from mcuplan.findings import UNCOUNTED, Finding, Severity
from mcuplan.record import Evidence
from mcuplan.schedule.program import Plan

__all__ = ["library_findings"]


def library_findings(plan: Plan, evidence: Evidence, *, timed: bool) -> Iterator[Finding]:
    """Code, stack and cycles that are not counted; ``timed``: a limit is set of the last.

    Nothing, once it is built, and has run where a limit is set.
    """
    steps = plan.program.steps
    calling = [step for step in steps if library_of(step.kernel.backend)]
    if not calling:
        return
    name = library_of(calling[0].kernel.backend)
    by = f"{name}, which {len(calling)} of {len(steps)} steps call"
    if evidence.build is None:
        text = f"code and stack of {by}, are not counted: the copy that you build with has them"
        hint = "mcuplan verify, or check --build, with --cmsis-nn DIR"
        yield Finding(UNCOUNTED, Severity.WARNING, text, "", hint)
    elif timed and not all(step.index in evidence.cycles for step in calling):
        text = f"cycles of {by}, are not counted"
        yield Finding(UNCOUNTED, Severity.WARNING, text, "", "mcuplan verify with --cmsis-nn DIR")
    if not evidence.cycles:
        text = f"cycles of {by}, are modelled on another copy, not counted of yours"
        yield Finding("latency/library", Severity.NOTE, text, "", "mcuplan verify counts them")
