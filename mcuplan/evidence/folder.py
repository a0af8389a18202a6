# SPDX-License-Identifier: Apache-2.0
"""Puts the folder together: every file of it, as bytes by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mcuplan import __version__
from mcuplan.budget import assess
from mcuplan.evidence import inputs, tools
from mcuplan.evidence.asked import ARGUMENTS, SCHEMA, file_options, recorded
from mcuplan.evidence.bounds import bounds_record
from mcuplan.evidence.limits import limits_text
from mcuplan.evidence.readme import readme_text
from mcuplan.evidence.rules import rules_record, rules_text
from mcuplan.evidence.semantics import semantics_record, semantics_text
from mcuplan.evidence.structural import coverage_record, coverage_text, covered_on
from mcuplan.evidence.texts import as_json
from mcuplan.evidence.tracing import trace_csv, trace_record
from mcuplan.importer.listing import list_model
from mcuplan.options.asked import request_of, without_library
from mcuplan.packages import folder, product_of
from mcuplan.progress import SILENT, Voice
from mcuplan.prove.misra import check_rules, load_rules
from mcuplan.prove.trace import trace_image
from mcuplan.prove.verification import (
    Wanted,
    core_of,
    inputs_of,
    portable_subject,
    subject_of,
    verify,
)
from mcuplan.record import Budget, Limits, Planned
from mcuplan.report import render
from mcuplan.schedule.explore.variants import Explored
from mcuplan.tradeoff import plan_within

__all__ = ["SUMS", "TOOLS", "EvidenceFolder", "make_evidence"]

SUMS, TOOLS = PurePosixPath("SHA256SUMS"), PurePosixPath("tools.json")
_LEAST_PERCENT = 95.0  # of statements and branches of the kernels that can be reached

_Files = dict[PurePosixPath, bytes]


@dataclass(frozen=True, slots=True)
class EvidenceFolder:
    """Files of the folder, the report in it, and what an assessor would ask about."""

    files: Mapping[PurePosixPath, bytes]
    report: Budget
    gaps: tuple[str, ...]


def make_evidence(
    model: Path, options: Mapping[str, Any], words: Sequence[str], voice: Voice = SILENT
) -> EvidenceFolder:
    """Plan, generate, verify, trace, count and check one model.

    Args:
        model: the model file.
        options: converted and complete, as those of `mcuplan verify`.
        words: the options as they were given, files by the last part of their names.
        voice: who is told what is done.

    Raises:
        McuplanError, Problems: whatever stands in the way of a verified model.
    """
    without_library(options, "evidence")
    listing, given = list_model(model), file_options(options)
    limits = _limits(options)
    planned, types = plan_within(request_of(model, options, voice), limits)
    name = _name(model, options["name"])
    samples, least = options["samples"], options["min_sqnr"]
    wanted = Wanted(name, options["inputs"], samples=samples, min_sqnr=least)
    try:
        proved = verify(planned, planned.request, wanted, voice.at)
        report = assess(planned, limits, proved, Explored(types=types), command="evidence")
        files: _Files = {**inputs.copied_model(model, listing), **inputs.copied_data(given)}
        gaps, checker = _studied(files, planned, wanted, voice.at)
    finally:
        voice.at("")
    semantics = semantics_record(planned, listing)
    files[PurePosixPath("semantics.json")] = as_json(semantics)
    files[PurePosixPath("semantics.md")] = semantics_text(semantics).encode("utf-8")
    files[PurePosixPath("report.json")] = render("json", report).encode("utf-8")
    files[PurePosixPath("report.md")] = render("markdown", report).encode("utf-8")
    files[PurePosixPath("limits.md")] = limits_text(report).encode("utf-8")
    files[TOOLS] = as_json(tools.tool_versions(checker))
    files[ARGUMENTS] = as_json(
        {
            "schema": SCHEMA,
            "tool_version": __version__,
            "model": str(inputs.MODEL_FOLDER / model.name),
            "words": [*recorded(_without(words, "--name", "--baseline"), given), "--name", name],
        }
    )
    files[PurePosixPath("README.md")] = readme_text(files, report, gaps).encode("utf-8")
    files[SUMS] = _sums(files)
    return EvidenceFolder(dict(sorted(files.items())), report, gaps)


def _studied(
    files: _Files, planned: Planned, wanted: Wanted, say: Callable[[str], None]
) -> tuple[tuple[str, ...], str]:
    """Adds sources, traces, bounds, coverage and rules; gaps in them, and the rule checker."""
    subject, core = subject_of(planned, wanted.name), core_of(planned.plan.program.target)
    for path, text in folder(product_of(planned, subject.bundle, example=False), ()).items():
        files[PurePosixPath("sources", path)] = text.encode("utf-8")
    say("tracing the linked image")
    trace = trace_image(subject, core)
    traced, bounds = trace_record(subject, trace), bounds_record(planned, trace)
    say("checking the rules of MISRA C:2012")
    rules = load_rules()
    breaches, checker = check_rules(subject.bundle.files, core, rules)
    kept = rules_record(breaches, rules)
    data = inputs_of(planned, planned.request, wanted)
    portable = portable_subject(planned, wanted.name)
    coverage = coverage_record(covered_on(portable, subject, data, core, say))
    for name, content in (
        ("trace.json", as_json(traced)),
        ("trace.csv", trace_csv(traced)),
        ("bounds.json", as_json(bounds)),
        ("plan.json", as_json(_plan(planned))),
        ("misra.json", as_json(kept)),
        ("misra.md", rules_text(kept).encode("utf-8")),
        ("coverage.json", as_json(coverage)),
        ("coverage.md", coverage_text(coverage).encode("utf-8")),
    ):
        files[PurePosixPath(name)] = content
    return tuple(_gaps(kept, coverage)), checker


def _gaps(rules: Any, coverage: Any) -> list[str]:
    """What an assessor would ask about."""
    found = []
    if rules["open"]:
        what = "without a deviation record, or of no rule"
        found.append(f"{rules['open']} findings of MISRA C:2012 {what}: misra.md")
    for place in coverage["places"]:
        for what in ("statements", "branches"):
            percent = place["reachable"][what][2]
            if percent < _LEAST_PERCENT:
                what = f"the {what} of the kernels that can be reached"
                found.append(f"{percent} % of {what}, on the {place['on']}")
        if not place["outputs_equal_reference"]:
            found.append(f"outputs differ from the reference on the {place['on']}: coverage.md")
    return found


def _plan(planned: Planned) -> Any:
    """Steps and runs of rows in their order; addresses stand in the report."""
    plan = planned.plan
    graph = plan.program.graph
    return {
        "schema": "mcuplan.plan/1",
        "target": plan.program.target.name,
        "steps": [
            {
                "step": step.index,
                "layer": graph.node_name(step.node),
                "operator": step.node.op.label,
                "kernel": step.kernel.function,
                "inputs": [graph.tensor_name(name) for name in graph.activations(step.node)],
                "outputs": [graph.tensor_name(name) for name in step.node.outputs],
                "rows": step.rows,
            }
            for step in plan.program.steps
        ],
        "runs": [[run.step, run.first, run.end] for run in plan.runs],
    }


def _limits(options: Mapping[str, Any]) -> Limits:
    return Limits(
        max_ram=options["max_ram"],
        max_flash=options["max_flash"],
        max_latency_s=options["max_latency"],
        max_row_latency_s=options["max_row_latency"],
    )


def _name(model: Path, given: str | None) -> str:
    """Prefix of the C names, which the folder keeps: the model lies elsewhere there."""
    stem = model.name.removesuffix(".onnx")
    return given or (model.resolve().parent.name if stem.startswith("model") else stem)


def _without(words: Sequence[str], *options: str) -> list[str]:
    """Words without options and their values."""
    at = {i for i, word in enumerate(words) if word in options}
    return [word for i, word in enumerate(words) if i not in at and i - 1 not in at]


def _sums(files: Mapping[PurePosixPath, bytes]) -> bytes:
    """As `sha256sum -c` reads them."""
    lines = (
        f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(files.items())
    )
    return "".join(lines).encode("utf-8")
