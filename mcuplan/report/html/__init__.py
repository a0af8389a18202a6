# SPDX-License-Identifier: Apache-2.0
"""The report as one page that needs no network and no script, on a screen and on paper.

Each part of the page is a module that takes the record and gives a heading, a template and what
it shows. The one script sorts and filters tables; page and script name their digests, so that a
browser runs and loads nothing else.
"""

from __future__ import annotations

from mcuplan.record import Budget, Status, Undecided, Verdict
from mcuplan.report._format import Format, Look
from mcuplan.report._text import ANSWERS
from mcuplan.report.html.choices import choices
from mcuplan.report.html.findings import findings
from mcuplan.report.html.flash import flash
from mcuplan.report.html.growth import growth
from mcuplan.report.html.layers import layers
from mcuplan.report.html.memory import memory
from mcuplan.report.html.page import page
from mcuplan.report.html.part import Part
from mcuplan.report.html.proof import proof
from mcuplan.report.html.roofline import roofline
from mcuplan.report.html.summary import summary

__all__ = ["FORMAT"]

_COLOURS = {
    Status.FITS: "good",
    Status.OVER: "bad",
    Status.UNPROVEN: "unsure",
    Status.UNSUPPORTED: "unsure",
    Status.DAMAGED: "bad",
}
_PARTS = (summary, growth, memory, layers, roofline, flash, choices, proof, findings)


def _decided(budget: Budget, look: Look) -> str:
    parts = [part for make in _PARTS if (part := make(budget)) is not None]
    return _page(f"{budget.model.name} on {budget.target.name}", budget.verdict, parts)


def _undecided(report: Undecided, look: Look) -> str:
    found = Part("findings", "Findings", "findings.html", {"findings": report.verdict.findings})
    return _page(report.model.name, report.verdict, [found])


def _page(title: str, verdict: Verdict, parts: list[Part]) -> str:
    errors = [f for f in verdict.findings if f.severity == "error"]
    return page(title, (_COLOURS[verdict.status], ANSWERS[verdict.status]), parts, errors)


FORMAT = Format("html", _decided, _undecided)
