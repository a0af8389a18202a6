# SPDX-License-Identifier: Apache-2.0
"""Findings as a GitLab Code Quality report (the CodeClimate subset that GitLab reads)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence

from mcuplan.findings import Finding, Severity
from mcuplan.record import Budget, Undecided
from mcuplan.report._format import Format, Look
from mcuplan.safe_text import plain

__all__ = ["FORMAT"]

_LEVELS = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}


def _decided(budget: Budget, look: Look) -> str:
    return _issues(budget.model.name, budget.verdict.findings)


def _undecided(report: Undecided, look: Look) -> str:
    return _issues(report.model.name, report.verdict.findings)


def _issues(model: str, findings: Sequence[Finding]) -> str:
    """One issue per finding; what GitLab knows it by says code and place, not rank or figures."""
    issues = []
    seen: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        what = (finding.code, finding.where)
        key = f"{model}\0{finding.code}\0{finding.where}\0{seen[what]}"
        seen[what] += 1
        issues.append(
            {
                "description": plain(finding.message, unicode=True),
                "check_name": finding.code,
                "fingerprint": hashlib.sha256(key.encode("utf-8", "replace")).hexdigest(),
                "severity": _LEVELS[finding.severity],
                "location": {"path": plain(model, unicode=True), "lines": {"begin": 1}},
            }
        )
    return json.dumps(issues, indent=2) + "\n"


FORMAT = Format("gitlab", _decided, _undecided)
