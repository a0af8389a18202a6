# SPDX-License-Identifier: Apache-2.0
"""The report as JUnit XML: one test case per budget, and one per error that is no budget."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mcuplan.findings import Finding, Severity
from mcuplan.record import Budget, Undecided, Verification
from mcuplan.report._format import Format, Look
from mcuplan.report._proof import noise_of
from mcuplan.safe_text import plain
from mcuplan.units import format_bytes, format_si

__all__ = ["FORMAT"]

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def _decided(budget: Budget, look: Look) -> str:
    ram, flash, latency = budget.ram, budget.flash, budget.latency
    cases = {
        "ram": f"{format_bytes(ram.total_bytes)} of {format_bytes(ram.budget_bytes)}",
        "flash": f"{format_bytes(flash.total_bytes)} of {format_bytes(flash.budget_bytes)}",
    }
    if latency.budget_seconds is not None:
        limit = format_si(latency.budget_seconds, "s")
        cases["latency"] = f"{format_si(latency.seconds, 's')} of {limit} ({latency.origin})"
    if budget.baseline is not None:
        cases["baseline"] = f"against {budget.baseline.file}"
    if budget.verification:
        cases["verify"] = "; ".join(map(_verified, budget.verification))
    errors = [f for f in budget.verdict.findings if f.severity is Severity.ERROR]
    for finding in errors:
        cases.setdefault(finding.code.split("/")[0], "")
    name = f"{budget.model.name} on {budget.target.name}"
    return _suite(name, budget.model.name, cases, errors, "failure")


def _verified(run: Verification) -> str:
    noise = f", {noise_of(run)}" if run.outputs else ""
    return f"{run.on} {run.core}, {run.samples} samples{noise}"


def _undecided(report: Undecided, look: Look) -> str:
    findings = report.verdict.findings
    cases = dict.fromkeys((f.code.split("/")[0] for f in findings), "")
    return _suite(report.model.name, report.model.name, cases, findings, "error")


def _suite(
    name: str, model: str, cases: dict[str, str], findings: Sequence[Finding], kind: str
) -> str:
    failed = {f.code.split("/")[0] for f in findings}
    other = "errors" if kind == "failure" else "failures"
    counts = {"tests": str(len(cases)), f"{kind}s": str(len(failed)), other: "0"}
    suites = Element("testsuites", {"name": "mcuplan"} | counts)
    suite = SubElement(suites, "testsuite", {"name": plain(name)} | counts)
    for case, text in cases.items():
        element = SubElement(suite, "testcase", classname=plain(model), name=plain(case))
        for finding in findings:
            if finding.code.split("/")[0] == case:
                what = {"message": plain(finding.message), "type": plain(finding.code)}
                parts = [part for part in (finding.where, finding.hint) if part]
                SubElement(element, kind, what).text = plain("; ".join(parts))
        if text:
            SubElement(element, "system-out").text = plain(text)
    indent(suites)
    return f"{_DECLARATION}\n{tostring(suites, 'unicode', short_empty_elements=False)}\n"


FORMAT = Format("junit", _decided, _undecided)
