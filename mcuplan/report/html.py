# SPDX-License-Identifier: Apache-2.0
"""The report as one page that needs no network and no script, on a screen and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcuplan.budget.record import Budget, RegionUse, Status, Undecided
from mcuplan.findings import Finding
from mcuplan.report._format import Format, Look
from mcuplan.report._map import picture
from mcuplan.report._markup import STYLE, safe
from mcuplan.report._speed import how_known
from mcuplan.report._text import counted, shape_text
from mcuplan.units import format_bytes, format_si

__all__ = ["FORMAT"]

_HEADLINES = {
    Status.FITS: ("good", "fits"),
    Status.OVER: ("bad", "over budget or limit"),
    Status.UNPROVEN: ("unsure", "unproven"),
}
_PAGE_STYLE = """body { background: var(--back); color: var(--ink); font: 15px/1.45 system-ui,
  sans-serif; max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem; }
.verdict { border-left: .5rem solid; padding: .3rem 1rem; font-size: 1.3rem; font-weight: 600; }
.good { border-color: var(--good); } .bad { border-color: var(--bad); }
.unsure { border-color: var(--unsure); }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; }
th, td { text-align: left; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.peak { font-weight: 600; }
meter { width: 12rem; }
.faint { color: var(--faint); } code { overflow-wrap: anywhere; }
svg.map { width: 100%; height: auto; }
thead { display: table-header-group; } tr, svg.map { break-inside: avoid; }
"""
_SECURITY = "default-src 'none'; style-src 'unsafe-inline'"


def _page(title: str, body: Iterable[str]) -> str:
    head = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_SECURITY}">',
        '<meta name="viewport" content="width=device-width">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{safe(title)}</title>",
        f"<style>\n{STYLE}{_PAGE_STYLE}</style></head><body>",
    ]
    return "\n".join([*head, *body, "</body></html>"]) + "\n"


def _verdict(status: Status, text: str) -> str:
    colour, words = _HEADLINES[status]
    return f'<p class="verdict {colour}">{safe(text)}: {words}</p>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int, peak: int = -1) -> str:
    """A table of texts; all columns but the first ``left`` hold numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = ["" if i < left else ' class="n"' for i in range(len(cells))]
        made = zip(kinds, cells, strict=True)
        return "".join(f"<{tag}{kind}>{safe(cell)}</{tag}>" for kind, cell in made)

    lines = [f"<table><thead><tr>{line(head, 'th')}</tr></thead><tbody>"]
    for i, row in enumerate(rows):
        kind = ' class="peak"' if i == peak else ""
        lines.append(f"<tr{kind}>{line(row, 'td')}</tr>")
    return "\n".join([*lines, "</tbody></table>"])


def _decided(budget: Budget, look: Look) -> str:
    model, target = budget.model, budget.target
    title = f"{model.name} on {target.name}"
    body = [
        _verdict(budget.verdict.status, title),
        *_findings(budget.verdict.findings),
        "<h2>Memory</h2>",
        *(_region(region) for region in budget.regions),
        *(f"<p>{safe(line)}</p>" for line in _sums(budget)),
        "<h2>Memory map</h2>",
        picture(budget),
        *_levels(budget),
        f"<h2>{counted(len(budget.layers), 'step')}</h2>",
        _layers(budget),
        f'<p class="faint">{safe(model.name)}, sha256 <code>{safe(model.sha256)}</code>, '
        f"mcuplan {safe(budget.tool_version)}, {safe(budget.command)}; {safe(target.core)} at "
        f"{format_si(target.clock_hz, 'Hz')}</p>",
    ]
    return _page(f"mcuplan: {title}", body)


def _undecided(report: Undecided, look: Look) -> str:
    verdict = report.verdict
    body = [_verdict(verdict.status, report.model.name), *_findings(verdict.findings)]
    return _page(f"mcuplan: {report.model.name}", body)


def _findings(findings: Sequence[Finding]) -> list[str]:
    lines = ["<ul>"]
    for f in findings:
        where = f" ({safe(f.where)})" if f.where else ""
        hint = f'<br><span class="faint">{safe(f.hint)}</span>' if f.hint else ""
        lines.append(f"<li>{f.severity} <code>{f.code}</code>: {safe(f.message)}{where}{hint}</li>")
    return [*lines, "</ul>"] if findings else []


def _region(region: RegionUse) -> str:
    room = region.bytes - region.reserved_bytes
    share = f"{100 * region.used_bytes / room:.0f} %" if room else "no room"
    text = (
        f"{region.name}: {format_bytes(region.used_bytes)} of {format_bytes(room)}, {share}, "
        f"{format_bytes(region.left_bytes)} left"
    )
    most = max(room, 1)
    bar = f'<meter max="{most}" high="{most}" value="{min(region.used_bytes, most)}"></meter>'
    return f"<p>{bar} {safe(text)}</p>"


def _sums(budget: Budget) -> list[str]:
    ram, flash, latency, peak = budget.ram, budget.flash, budget.latency, budget.peak
    lines = [
        f"RAM {ram.total_bytes:,} B = {ram.arena_bytes:,} arena + {ram.io_bytes:,} I/O + "
        f"{ram.static_bytes:,} static + {ram.stack_bytes:,} stack ({ram.stack_origin})",
        f"flash {flash.total_bytes:,} B = {flash.weights_bytes:,} weights + "
        f"{flash.tables_bytes:,} tables + {flash.code_bytes:,} code ({flash.code_origin})",
    ]
    for name, bill in (("--max-ram", ram), ("--max-flash", flash)):
        if bill.budget_from == "limit":
            lines.append(f"{name} {format_bytes(bill.budget_bytes)}")
    arena = "arena proved minimal" if peak.optimal_arena else "arena not proved minimal"
    order = "order proved best" if peak.optimal_order else "order not proved best"
    lines.append(
        f"peak at {peak.moment}, {peak.layer}: {peak.live_bytes:,} B live, lower bound "
        f"{peak.lower_bound_bytes:,} B: {arena}, {order}"
    )
    lines.append(
        f"{format_si(latency.cycles)} cycles, {format_si(latency.seconds, 's')} "
        f"({how_known(latency)})"
    )
    if latency.wait_cycles:
        waiting = format_si(latency.wait_cycles)
        lines.append(f"of these cycles {waiting} are wait states of RAM (modelled)")
    if budget.selection is not None:
        lines.append(f"kernels {budget.selection.objective}: {budget.selection.statement}")
    for run in budget.verification:
        same = "equal to the reference" if run.equal_to_reference else "DIFFERS"
        place = f"{run.on} {run.core}".strip()
        lines.append(f"verified on {place}: {counted(run.samples, 'sample')}, {same}")
    return lines


def _levels(budget: Budget) -> list[str]:
    if not budget.levels:
        return []
    rows = [(level.name, level.note, f"{level.arena_bytes:,}") for level in budget.levels]
    head = ("level", "what it does", "arena B")
    return ["<h2>What each level of planning bought</h2>", _table(head, rows, 2)]


def _layers(budget: Budget) -> str:
    head = ("step", "op", "output", "in B", "out B", "scratch B", "live B", "flash B", "MACs")
    rows = []
    for row in budget.layers:
        figures = (
            row.input_bytes,
            row.output_bytes,
            row.scratch_bytes,
            row.live_bytes,
            row.weights_bytes,
            row.macs,
            row.cycles,
        )
        texts = (f"{row.index} {row.name}", row.op, shape_text(row.output_shape))
        rows.append((*texts, *(f"{n:,}" for n in figures), str(row.cycles_origin)))
    return _table((*head, "cycles", "origin"), rows, 3, budget.peak.step)


FORMAT = Format("html", "one page with the memory map, offline", _decided, _undecided)
