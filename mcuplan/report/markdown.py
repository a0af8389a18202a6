# SPDX-License-Identifier: Apache-2.0
"""The report for pull requests and job summaries (GitHub-flavoured Markdown)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcuplan.findings import Finding, Severity
from mcuplan.record import Advice, Baseline, Budget, Status, Undecided, Verdict
from mcuplan.report._advice import asked_by
from mcuplan.report._format import Format, Look
from mcuplan.report._growth import bytes_text, cause_text
from mcuplan.report._proof import noise_of
from mcuplan.report._speed import cycle_sum, how_known
from mcuplan.report._text import ANSWERS, shape_text
from mcuplan.safe_text import markdown
from mcuplan.units import counted, format_bytes, format_si
from mcuplan.words import moment, states_in

__all__ = ["FORMAT"]

_GREW = "fits, but **grew**"
_CHANGES_SHOWN = 8
_WORDS = ("because", "needs")  # columns of text behind the first; others are figures


def _headline(verdict: Verdict) -> str:
    """The answer; growth alone is no budget that is not kept."""
    errors = {f.code for f in verdict.findings if f.severity is Severity.ERROR}
    return _GREW if errors == {"baseline/grew"} else _answer(verdict.status)


def _answer(status: Status) -> str:
    """In bold what is not good."""
    words = ANSWERS[status]
    return words if status is Status.FITS else f"**{words}**"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    marks = [":---" if i == 0 or word in _WORDS else "---:" for i, word in enumerate(head)]
    lines = [head, marks, *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _decided(budget: Budget, look: Look) -> str:
    model, target = budget.model, budget.target
    title = f"{markdown(model.name)} on {markdown(target.name)}"
    lines = [
        f"### {title}: {_headline(budget.verdict)}",
        "",
    ]
    lines += _causes(budget.baseline) if budget.baseline is not None else []
    lines += _findings(budget.verdict.findings)
    lines += [*_memory(budget), ""]
    lines += [*_sums(budget), ""]
    if budget.baseline is not None:
        lines += [*_growth(budget.baseline), ""]
    if budget.advice is not None:
        lines += [*_advice(budget.advice, budget.verdict.status), ""]
    lines += [*_layers(budget), ""]
    lines.append(
        f"{markdown(model.name)}, sha256 `{model.sha256}`, mcuplan {markdown(budget.tool_version)}"
    )
    return "\n".join(lines) + "\n"


def _undecided(report: Undecided, look: Look) -> str:
    lines = [f"### {markdown(report.model.name)}: {_answer(report.verdict.status)}", ""]
    return "\n".join([*lines, *_findings(report.verdict.findings)]).rstrip("\n") + "\n"


def _findings(findings: Sequence[Finding]) -> list[str]:
    lines = []
    for f in findings:
        where = f" ({markdown(f.where)})" if f.where else ""
        hint = f" - {markdown(f.hint)}" if f.hint else ""
        lines.append(f"- {f.severity} `{f.code}`: {markdown(f.message)}{where}{hint}")
    return [*lines, ""] if lines else []


def _causes(base: Baseline) -> list[str]:
    """What grew since the baseline, and each change that explains some of it."""
    total = f"RAM {base.ram_delta:+,} B, flash {base.flash_delta:+,} B"
    lines = [f"Since {markdown(base.file)}: **{total}**", ""]
    for change in base.changes[:_CHANGES_SHOWN]:
        many = counted(len(change.follow), "layer")
        after = f", which {many} follow{'s' * (len(change.follow) == 1)}" if change.follow else ""
        lines.append(f"- **{markdown(cause_text(change))}**: {bytes_text(change)}{after}")
    if len(base.changes) > _CHANGES_SHOWN:
        lines.append(f"- {counted(len(base.changes) - _CHANGES_SHOWN, 'more change')}")
    return [*lines, ""] if base.changes else lines


def _memory(budget: Budget) -> list[str]:
    grown = {r.name: r.used_delta for r in budget.baseline.regions} if budget.baseline else {}
    rows = []
    for region in budget.regions:
        room = region.bytes - region.reserved_bytes
        figures = (region.used_bytes, room, region.left_bytes)
        since = [f"{grown[region.name]:+,} B" if region.name in grown else ""] if grown else []
        rows.append([markdown(region.name), *(format_bytes(n) for n in figures), *since])
    for name, bill in (("max-ram", budget.ram), ("max-flash", budget.flash)):
        if bill.budget_from == "limit":
            figures = (
                bill.total_bytes,
                bill.budget_bytes,
                bill.budget_bytes - bill.total_bytes,
            )
            rows.append([name, *(format_bytes(n) for n in figures), *([""] if grown else [])])
    return _table(("region", "used", "budget", "left", *(["since"] if grown else [])), rows)


def _sums(budget: Budget) -> list[str]:
    ram, flash, latency, peak = budget.ram, budget.flash, budget.latency, budget.peak
    lines = [
        f"- RAM {ram.total_bytes:,} B = {ram.arena_bytes:,} arena + {ram.io_bytes:,} I/O + "
        f"{ram.static_bytes:,} static + {ram.stack_bytes:,} stack ({ram.stack_origin})",
        f"- flash {flash.total_bytes:,} B = {flash.weights_bytes:,} weights{flash.types} + "
        f"{flash.tables_bytes:,} tables + {flash.code_bytes:,} code ({flash.code_origin})",
        f"- peak at {moment(peak)}, {markdown(peak.layer)}: {peak.live_bytes:,} B live"
        f"{states_in(ram)}, lower bound {peak.lower_bound_bytes:,} B",
        f"- {cycle_sum(latency, budget.target.clock_hz)} ({how_known(latency)})",
    ]
    if latency.wait_cycles and latency.stall_cycles is None:
        lines.append(f"- of these {format_si(latency.wait_cycles)} wait states of RAM (modelled)")
    if budget.selection is not None:
        lines.append(f"- kernels {budget.selection.objective}: {budget.selection.statement}")
    for run in budget.verification:
        same = "equal to the reference" if run.equal_to_reference else "**differs**"
        place = markdown(f"{run.on} {run.core}".strip())
        noise = f", {markdown(noise_of(run))}" if run.outputs else ""
        lines.append(f"- verified on {place}: {run.samples:,} samples, {same}{noise}")
    return lines


def _growth(base: Baseline) -> list[str]:
    """Parts and layers that changed, folded."""
    rows = []
    for row in (*base.parts, *base.layers):
        deltas = (f"{row.ram_delta:+,} B", f"{row.flash_delta:+,} B")
        rows.append([markdown(row.name), *deltas, markdown(row.because)])
    if not rows:
        return ["Nothing changed."]
    count = f"{counted(len(base.parts), 'part')} and {counted(len(base.layers), 'layer')} changed"
    return _folded(count, _table(("part or layer", "RAM", "flash", "because"), rows))


def _advice(advice: Advice, status: Status) -> list[str]:
    """Ways to fit, or to be faster, with prices: folded where nothing has to change."""
    lossy = any(way.loss is not None for way in advice.ways)
    rows = []
    for way in advice.ways:
        figures = [f"{n:,}" for n in (way.ram_bytes, way.flash_bytes, way.cycles)]
        loss = [f"{way.loss:.2f}" if way.loss is not None else ""] if lossy else []
        fits = "fits" if way.fits else ""
        needs = way.needs.value if way.options else ""
        rows.append([markdown(asked_by(way)), fits, *figures, *loss, needs])
    head = ("way", "", "RAM B", "flash B", "cycles", *(["loss %"] if lossy else []), "needs")
    short = "" if advice.complete else "; cut short: --time-limit S for more"
    title = f"Ways to fit, or to be faster, each planned anew{short}"
    if status is Status.FITS:
        return _folded(title, _table(head, rows))
    return [f"{title}:", "", *_table(head, rows)]


def _folded(summary: str, inner: Sequence[str]) -> list[str]:
    return [f"<details><summary>{summary}</summary>", "", *inner, "", "</details>"]


def _layers(budget: Budget) -> list[str]:
    rows = []
    for row in budget.layers:
        figures = (row.live_bytes, row.weights_bytes, row.macs, row.all_cycles)
        rows.append(
            [
                f"{row.index} {markdown(row.name)}",
                markdown(row.op),
                shape_text(row.output_shape),
                *(f"{n:,}" for n in figures),
            ]
        )
    head = ("step", "op", "output", "live B", "flash B", "MACs", "cycles")
    return _folded(counted(len(budget.layers), "step"), _table(head, rows))


FORMAT = Format("markdown", _decided, _undecided)
