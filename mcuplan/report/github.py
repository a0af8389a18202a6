# SPDX-License-Identifier: Apache-2.0
"""Findings as GitHub Actions workflow commands: annotations of a run.

Source: GitHub Docs, "Workflow commands for GitHub Actions", escaping as in actions/toolkit.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.findings import Finding, Severity
from mcuplan.record import Budget, Undecided
from mcuplan.report._format import Format, Look
from mcuplan.safe_text import annotation, annotation_property

__all__ = ["FORMAT"]

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def _decided(budget: Budget, look: Look) -> str:
    return _lines(budget.model.name, budget.verdict.findings)


def _undecided(report: Undecided, look: Look) -> str:
    return _lines(report.model.name, report.verdict.findings)


def _lines(model: str, findings: Sequence[Finding]) -> str:
    lines = []
    for finding in findings:
        parts = [finding.message, finding.where, finding.hint]
        text = annotation("; ".join(part for part in parts if part))
        title = annotation_property(f"mcuplan {finding.code}")
        file = annotation_property(model)
        lines.append(f"::{_LEVELS[finding.severity]} file={file},title={title}::{text}\n")
    return "".join(lines)


FORMAT = Format("github", _decided, _undecided)
