# SPDX-License-Identifier: Apache-2.0
"""Findings as SARIF 2.1.0, which code hosts show beside the file (OASIS, 2020)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from mcuplan.findings import Finding, explanations
from mcuplan.record import Budget, Undecided
from mcuplan.report._format import Format, Look
from mcuplan.safe_text import plain

__all__ = ["FORMAT"]


def _decided(budget: Budget, look: Look) -> str:
    return _log(budget.model.name, budget.tool_version, budget.verdict.findings)


def _undecided(report: Undecided, look: Look) -> str:
    return _log(report.model.name, report.tool_version, report.verdict.findings)


def _log(model: str, version: str, findings: Sequence[Finding]) -> str:
    known = explanations()
    codes = list(dict.fromkeys(f.code for f in findings))
    rules: list[dict[str, Any]] = []
    for code in codes:
        rule: dict[str, Any] = {"id": code}
        if code in known:
            rule["shortDescription"] = {"text": known[code].meaning}
            rule["help"] = {"text": known[code].action or known[code].meaning}
        rules.append(rule)
    driver = {"name": "mcuplan", "version": version, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "results": [_result(model, f, codes.index(f.code)) for f in findings],
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2) + "\n"


def _result(model: str, finding: Finding, rule: int) -> dict[str, Any]:
    parts = [finding.message, finding.where, finding.hint]
    place: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": quote(plain(model, unicode=True))}}
    }
    if finding.where:
        place["logicalLocations"] = [{"fullyQualifiedName": plain(finding.where, unicode=True)}]
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity.value,
        "message": {"text": plain("; ".join(p for p in parts if p), unicode=True)},
        "locations": [place],
    }


FORMAT = Format("sarif", _decided, _undecided)
