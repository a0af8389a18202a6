# SPDX-License-Identifier: Apache-2.0
"""The report as JUnit XML: one test case per budget, and one per error that is no budget."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from mcuplan.findings import Finding, Severity
from mcuplan.record import Budget, Undecided, Verification
from mcuplan.report._format import Format, Look
from mcuplan.report._proof import noise_of
from mcuplan.report._text import plain
from mcuplan.units import format_bytes, format_si

__all__ = ["FORMAT"]


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
    counts = f'tests="{len(cases)}" {kind}s="{len(failed)}"'
    other = "errors" if kind == "failure" else "failures"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="mcuplan" {counts} {other}="0">',
        f'  <testsuite name={_attribute(name)} {counts} {other}="0">',
    ]
    for case, text in cases.items():
        head = f"    <testcase classname={_attribute(model)} name={_attribute(case)}"
        mine = [f for f in findings if f.code.split("/")[0] == case]
        if not mine and not text:
            lines.append(f"{head}/>")
            continue
        lines.append(f"{head}>")
        lines += [line for finding in mine for line in _problem(finding, kind)]
        if text:
            lines.append(f"      <system-out>{escape(plain(text))}</system-out>")
        lines.append("    </testcase>")
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"


def _problem(finding: Finding, kind: str) -> list[str]:
    parts = [part for part in (finding.where, finding.hint) if part]
    inner = escape(plain("; ".join(parts)))
    message = f"message={_attribute(finding.message)} type={_attribute(finding.code)}"
    return [f"      <{kind} {message}>{inner}</{kind}>"]


def _attribute(text: str) -> str:
    return quoteattr(plain(text))


FORMAT = Format("junit", "JUnit XML for firmware CI", _decided, _undecided)
