# SPDX-License-Identifier: Apache-2.0
"""The report as one page that needs no network and no script, on a screen and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcuplan.findings import Finding
from mcuplan.record import Budget, Status, Undecided
from mcuplan.report._format import Format, Look
from mcuplan.report._map import picture
from mcuplan.report._markup import STYLE, safe
from mcuplan.report._names import distinct
from mcuplan.report._proof import noise_of
from mcuplan.report._speed import how_known
from mcuplan.report._text import counted, shape_text
from mcuplan.units import format_bytes, format_si

__all__ = ["FORMAT"]

_HEADLINES = {
    Status.FITS: ("good", "fits"),
    Status.OVER: ("bad", "over budget or limit"),
    Status.UNPROVEN: ("unsure", "unproven"),
    Status.UNSUPPORTED: ("unsure", "unsupported"),
    Status.DAMAGED: ("bad", "damaged"),
}
_PAGE_STYLE = """body { background: var(--back); color: var(--ink); font: 15px/1.45 system-ui,
  sans-serif; max-width: 76rem; margin: 1.5rem auto; padding: 0 1rem; }
.verdict { border-left: .5rem solid; padding: .3rem 1rem; font-size: 1.3rem; font-weight: 600; }
.good { border-color: var(--good); } .bad { border-color: var(--bad); }
.unsure { border-color: var(--unsure); }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; }
th, td { text-align: left; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
td.note { white-space: normal; min-width: 14rem; }
p, li, summary { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.peak { font-weight: 600; }
meter { width: 12rem; max-width: 100%; }
meter.over::-webkit-meter-optimum-value { background: var(--bad); }
meter.over::-moz-meter-bar { background: var(--bad); }
.faint { color: var(--faint); } code { overflow-wrap: anywhere; }
svg.map { width: 100%; min-width: 40rem; height: auto; max-width: none; }
@media print { .wide { overflow: visible; } svg.map { min-width: 0; } }
thead { display: table-header-group; } tr, svg.map { break-inside: avoid; }
"""
_NAME = 32  # columns of a layer's name
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
    lines = []
    for i, row in enumerate(rows):
        cells = [f'<td class="n">{safe(c)}</td>' for c in row[left:]]
        lines.append(_row([*(f"<td>{safe(c)}</td>" for c in row[:left]), *cells], i == peak))
    return _framed(head, lines, left)


def _row(cells: Iterable[str], peak: bool = False) -> str:
    kind = ' class="peak"' if peak else ""
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _framed(head: Sequence[str], rows: Iterable[str], left: int) -> str:
    """Rows under a head, in a frame that scrolls where the screen is too narrow."""
    kinds = ["" if i < left else ' class="n"' for i in range(len(head))]
    cells = [f"<th{kind}>{safe(text)}</th>" for kind, text in zip(kinds, head, strict=True)]
    top = f"<thead>{_row(cells)}</thead>"
    return "\n".join(
        ['<div class="wide"><table>' + top + "<tbody>", *rows, "</tbody></table></div>"]
    )


def _decided(budget: Budget, look: Look) -> str:
    model, target = budget.model, budget.target
    title = f"{model.name} on {target.name}"
    body = [
        _verdict(budget.verdict.status, title),
        *_findings(budget.verdict.findings),
        "<h2>Memory</h2>",
        *_bars(budget),
        *(f"<p>{safe(line)}</p>" for line in _sums(budget)),
        "<h2>Memory map</h2>",
        f'<div class="wide">{picture(budget)}</div>',
        *_levels(budget),
        f"<h2>{counted(len(budget.layers), 'step')}</h2>",
        *_layers(budget),
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


def _bars(budget: Budget) -> list[str]:
    """What is used of every region, and of the user's own limits."""
    bars = []
    for region in budget.regions:
        room = region.bytes - region.reserved_bytes
        bars.append(_bar(region.name, region.used_bytes, room, region.left_bytes))
    for name, bill in (("--max-ram", budget.ram), ("--max-flash", budget.flash)):
        if bill.budget_from == "limit":
            left = bill.budget_bytes - bill.total_bytes
            bars.append(_bar(name, bill.total_bytes, bill.budget_bytes, left))
    return bars


def _bar(name: str, used: int, room: int, left: int) -> str:
    share = f"{100 * used / room:.0f} %" if room else "no room"
    text = (
        f"{name}: {format_bytes(used)} of {format_bytes(room)}, {share}, {format_bytes(left)} left"
    )
    most = max(room, 1)
    over = ' class="over"' if used > room else ""
    bar = f'<meter{over} max="{most}" high="{most}" value="{min(used, most)}"></meter>'
    return f"<p>{bar} {safe(text)}</p>"


def _sums(budget: Budget) -> list[str]:
    ram, flash, latency, peak = budget.ram, budget.flash, budget.latency, budget.peak
    lines = [
        f"RAM {ram.total_bytes:,} B = {ram.arena_bytes:,} arena + {ram.io_bytes:,} I/O + "
        f"{ram.static_bytes:,} static + {ram.stack_bytes:,} stack ({ram.stack_origin})",
        f"flash {flash.total_bytes:,} B = {flash.weights_bytes:,} weights + "
        f"{flash.tables_bytes:,} tables + {flash.code_bytes:,} code ({flash.code_origin})",
    ]
    arena = "arena proved minimal" if peak.optimal_arena else "arena not proved minimal"
    order = "order proved best" if peak.optimal_order else "order not proved best"
    lines.append(
        f"peak at {peak.moment}, {_peak_layer(budget)}: {peak.live_bytes:,} B live, lower bound "
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
        facts = [counted(run.samples, "sample"), same, *filter(None, [noise_of(run)])]
        lines.append(f"verified on {place}: {', '.join(facts)}")
    return lines


def _peak_layer(budget: Budget) -> str:
    step = budget.peak.step
    return _names(budget)[step] if 0 <= step < len(budget.layers) else budget.peak.layer


def _names(budget: Budget) -> list[str]:
    """Short names of the layers, different for different layers."""
    return distinct([row.name for row in budget.layers], _NAME)


def _levels(budget: Budget) -> list[str]:
    if not budget.levels:
        return []
    rows = [
        _row(
            [
                f"<td>{safe(level.name)}</td>",
                f'<td class="note">{safe(level.note)}</td>',
                f'<td class="n">{level.arena_bytes:,}</td>',
            ]
        )
        for level in budget.levels
    ]
    head = ("level", "what it does", "arena B")
    return ["<h2>What each level of planning bought</h2>", _framed(head, rows, 2)]


def _layers(budget: Budget) -> list[str]:
    """A row per step; long names stand in whole under the pointer, and in a list below."""
    head = ("step", "layer", "op", "kernel", "output", "in B", "out B", "scratch B", "live B")
    lines = []
    names = _names(budget)
    for name, row in zip(names, budget.layers, strict=True):
        figures = (
            row.input_bytes,
            row.output_bytes,
            row.scratch_bytes,
            row.live_bytes,
            row.weights_bytes,
            row.macs,
            row.cycles,
        )
        whole = f' title="{safe(row.name)}"' if name != row.name else ""
        kernel = row.kernel.removeprefix("mplan_")
        texts = (row.op, kernel, shape_text(row.output_shape))
        cells = [f"<td>{row.index}</td>", f"<td{whole}>{safe(name)}</td>"]
        cells += [f"<td>{safe(text)}</td>" for text in texts]
        cells += [f'<td class="n">{n:,}</td>' for n in figures]
        cells.append(f'<td class="n">{row.cycles_origin}</td>')
        lines.append(_row(cells, row.index == budget.peak.step))
    made = [_framed((*head, "flash B", "MACs", "cycles", "origin"), lines, 5)]
    cut = [
        (row.index, row.name) for n, row in zip(names, budget.layers, strict=True) if n != row.name
    ]
    if cut:
        items = [f'<li value="{index}">{safe(name)}</li>' for index, name in cut]
        made += ["<details><summary>whole names</summary><ol>", *items, "</ol></details>"]
    return made


FORMAT = Format("html", "one page with the memory map, offline", _decided, _undecided)
