# SPDX-License-Identifier: Apache-2.0
"""The report in a terminal: verdict first, then the number that breaks it, then why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcuplan.record import Baseline, Budget, Latency, LayerRow, Status, Undecided, Verification
from mcuplan.report._advice import advice_lines
from mcuplan.report._format import Format, Look
from mcuplan.report._growth import change_text
from mcuplan.report._loss import idle_lines, near_dead_lines, type_lines
from mcuplan.report._memory import HEADLINES, coloured, headline, region_lines, sum_lines
from mcuplan.report._proof import classes_of, noise_cells, noise_of
from mcuplan.report._speed import cycle_lines, cycle_sum, how_known
from mcuplan.report._text import clip, finding_lines, shape_text, summary, table
from mcuplan.safe_text import plain
from mcuplan.units import Origin, counted, format_bytes, format_si
from mcuplan.words import states_in

__all__ = ["FORMAT"]

_QUIET = "model/note"
_FOLD_ABOVE, _SHOWN_WHEN_FOLDED = 14, 9
_GROWN_SHOWN = 8
_NAME_WIDTH, _OP_WIDTH = 16, 15


def _decided(budget: Budget, look: Look) -> str:
    full = look.verbose or look.every_layer or budget.command == "plan"
    over = budget.verdict.status is not Status.FITS
    bills = budget.ram, budget.flash
    blocks = [_head(budget, look), headline(budget.verdict, *bills, look)]
    blocks.append(region_lines(budget.regions, *bills))
    blocks.append([*sum_lines(budget.regions, *bills, look), *_proof(budget, look)])
    if full or over:
        blocks.append(_figures(budget, look))
        blocks.append(_levels(budget, look))
        blocks.append(_frontier(budget, look))
        blocks.append(type_lines(budget, look))
        blocks.append(_layers(budget, look))
        blocks.append(near_dead_lines(budget, look))
        blocks.append(idle_lines(budget, look) if full else [])
    else:
        blocks.append([*_speed(budget, look), *_kernels(budget, look)])
        blocks.append(type_lines(budget, look))
    if full or over or budget.command == "verify":
        blocks.append(cycle_lines(budget, look))
    if budget.baseline is not None:
        blocks.append(_growth(budget.baseline, look))
    blocks.append(advice_lines(budget.advice, look))
    blocks.append(_findings(budget, look))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _undecided(report: Undecided, look: Look) -> str:
    findings = report.verdict.findings
    name = look.plain(report.model.name)
    word = coloured(*HEADLINES[report.verdict.status], look)
    lines = [f" {word}   {clip(name, 50)}   {counted(len(findings), 'problem')}"]
    for finding in () if look.brief else findings:
        lines += ["", *finding_lines(finding, unicode=look.unicode, width=look.width)]
    return "\n".join(lines) + "\n"


def _head(budget: Budget, look: Look) -> list[str]:
    model, target = budget.model, budget.target
    steps = f"{counted(model.nodes, 'node')} -> {counted(model.steps, 'step')}"
    generic = "   (generic)" if target.generic else ""
    facts = f"{model.dtype}   {steps}   sha256 {model.sha256[:8]}"
    rows = [
        [clip(look.plain(model.name), max(12, min(32, look.width - 3 - len(facts)))), facts],
        [target.name, f"{target.core}   {format_si(target.clock_hz, 'Hz')}{generic}"],
    ]
    return table(rows, (), "   ")


def _proof(budget: Budget, look: Look) -> Iterator[str]:
    if budget.build is not None:
        built = plain(f"built with {budget.build.compiler} {budget.build.flags}")
        yield from look.wrap(built, " ", "   ")
    for run in budget.verification:
        yield from _run(run, look, budget.latency)


def _run(run: Verification, look: Look, latency: Latency) -> list[str]:
    """One run; its cycles where those of the whole report are not the ones counted there."""
    facts = [counted(run.samples, "sample")]
    facts.append("equal to the reference" if run.equal_to_reference else "DIFFERS")
    if run.layer_max_lsb is not None:
        facts.append(f"every layer within {run.layer_max_lsb} LSB of ONNX Runtime")
    if run.exact_share is not None and run.max_lsb is not None:
        off = f"others up to {run.max_lsb} LSB off" if run.max_lsb else "none off"
        facts.append(f"end to end {100 * run.exact_share:.2f} % of outputs equal, {off}")
    if run.top1_agreement is not None:
        facts.append(f"same decision on {100 * run.top1_agreement:.2f} %")
    if run.ties:
        facts.append(f"{counted(run.ties, 'tie')} of scores (the first counts)")
    if run.accuracy is not None:
        score = run.accuracy
        before = f"of the model {score.float_:.4g}, " if score.float_ is not None else ""
        facts.append(f"{plain(score.metric)} {before}of the code {score.integer:.4g}")
    if noise := noise_of(run):
        facts.append(noise)
    if look.every_layer:
        facts += classes_of(run)
    if run.elf is not None:
        facts.append("ELF agrees with the plan" if run.elf.agrees else "ELF DRIFTS")
    if run.stack is not None and run.stack.measured_bytes is not None:
        facts.append(f"stack {run.stack.measured_bytes:,} B of {run.stack.bound_bytes:,} B")
    if run.cycles is not None and latency.origin is not Origin.MEASURED:
        waited = run.stall_cycles.flash if run.stall_cycles else 0
        core = f" ({format_si(run.cycles)} of the core)" if run.stall_cycles else ""
        facts.append(f"{format_si(run.cycles + waited)} cycles{core}")
    elif run.cycles is None and run.instructions is not None:
        facts.append(f"{format_si(run.instructions)} instructions")
    place = plain(" ".join(dict.fromkeys((run.on, run.core))))
    return look.wrap(f"{place}: {', '.join(facts)}", " ", "   ")


def _figures(budget: Budget, look: Look) -> list[str]:
    peak, totals, ram = budget.peak, budget.totals, budget.ram
    lines = []
    if 0 <= peak.step < len(budget.layers):
        row = budget.layers[peak.step]
        name = look.names([row.name for row in budget.layers], 24)[peak.step]
        label = plain(row.op)[:16]
        which = f" row {peak.row}" if peak.row is not None else ""
        sizes = f"in {row.input_bytes:,} + out {row.output_bytes:,}"
        head = f" peak   step {peak.step}{which}  {name} [{label}]   "
        lines += look.wrap(head + sizes, rest=" " * 8)
        scratch = f", {row.scratch_bytes:,} of it scratch" if row.scratch_bytes else ""
        moment = "at that row" if which else "at that step"
        lines.append(f" live   {peak.live_bytes:,} B held {moment}{scratch}{states_in(ram)}")
    elif peak.row is not None:
        name = clip(look.plain(peak.layer), 24)
        lines.append(f" peak   row {peak.row} of {name} arrives   {peak.live_bytes:,} B held")
    lines += _plan(budget, look)
    lines += _streams(budget)
    size = f"FP32 {format_bytes(totals.model_bytes_fp32)}, INT8 {totals.model_bytes_int8:,} B"
    lines.append(f" model  {totals.parameters:,} parameters ({size})")
    field = f"{totals.receptive_field[0]} x {totals.receptive_field[1]}"
    work = f"{format_si(totals.macs)} MACs, {format_si(totals.ops)} other ops"
    lines.append(f"        {work}, receptive field {field}")
    model = budget.model
    if (model.parameters, model.macs) != (totals.parameters, totals.macs):
        whole = f"{model.parameters:,} parameters, {format_si(model.macs)} MACs"
        lines.append(f"        without dead channels; with them {whole}")
    lines += [*_speed(budget, look), *_kernels(budget, look)]
    if budget.energy is not None:
        e = budget.energy
        parts = f"{format_si(e.compute_joules, 'J')} arithmetic, {format_si(e.memory_joules, 'J')}"
        covers = "run current" if e.whole_chip else "operations alone"
        lines.append(f" energy {format_si(e.joules, 'J')} ({e.origin}, {covers}): {parts} memory")
    return lines


def _plan(budget: Budget, look: Look) -> list[str]:
    """What buffers take, states with them, and how good that is known to be."""
    peak, ram = budget.peak, budget.ram
    arena = "proved minimal" if peak.optimal_arena else "not proved minimal"
    order = "order proved best" if peak.optimal_order else "order not proved best"
    needs = format_bytes(ram.arena_bytes + (ram.state_bytes or 0))
    if ram.state_bytes:
        needs += f" = {ram.arena_bytes:,} arena + {ram.state_bytes:,} state"
    bound = f"lower bound {format_bytes(peak.lower_bound_bytes)}"
    return look.wrap(f"{needs}, {bound}: {arena}, {order}", " plan   ", "        ")


def _speed(budget: Budget, look: Look) -> list[str]:
    latency = budget.latency
    limit = ""
    if latency.budget_seconds is not None:
        limit = f", limit {format_si(latency.budget_seconds, 's')}"
    about = "about " if latency.origin is Origin.MODELLED else ""
    made = cycle_sum(latency, budget.target.clock_hz, " = ")
    text = f"{about}{made} ({how_known(latency)}{limit})"
    if rate := latency.throughput_hz:
        text += f", {format_si(rate) if rate >= 1 else f'{rate:.3g}'} per second"
    if latency.wait_cycles and latency.stall_cycles is None:
        text += f"; {format_si(latency.wait_cycles)} of them wait states of RAM (modelled)"
    return look.wrap(text, " speed  ", "        ") + _fed_rows(budget, look)


def _fed_rows(budget: Budget, look: Look) -> list[str]:
    """The calls that feed rows of the input."""
    feed = budget.latency.feed
    if feed is None:
        return []
    limit = feed.budget_seconds
    within = f", limit {format_si(limit, 's')}" if limit is not None else ""
    slowest = f"{format_si(feed.slowest_cycles)} cycles = {format_si(feed.slowest_seconds, 's')}"
    last = f"{format_si(feed.last_cycles)} cycles = {format_si(feed.last_seconds, 's')}"
    text = f"row {feed.slowest_row} takes longest, {slowest}{within}; from the last row on {last}"
    if feed.finish is not None:
        most = format_si(feed.finish.slowest_cycles), format_si(feed.finish.slowest_seconds, "s")
        text += f" in {feed.finish.calls + 1} calls of at most {most[0]} = {most[1]}"
    return look.wrap(text, " fed    ", "        ")


def _kernels(budget: Budget, look: Look) -> list[str]:
    """What the kernels were chosen for."""
    if budget.selection is None:
        return []
    chosen = f"{budget.selection.objective}: {budget.selection.statement}"
    return look.wrap(look.plain(chosen), " chosen ", "        ")


def _layers(budget: Budget, look: Look) -> list[str]:
    layers = budget.layers
    if not layers:
        return []
    shown: Sequence[LayerRow] = layers
    every = look.every_layer or budget.command == "plan"
    if len(layers) > _FOLD_ABOVE and not every:
        biggest = sorted(layers, key=lambda row: (row.index != budget.peak.step, -row.live_bytes))
        shown = sorted(biggest[:_SHOWN_WHEN_FOLDED], key=lambda row: row.index)
    dead = any(row.removed_channels for row in layers)
    noisy = look.every_layer and any(row.noise is not None for row in layers)
    rows = [["", "#", "layer", "op", "output", "live B", "flash B", "MACs", "dead" * dead]]
    rows[0] += ["dB", "alone", "cut %"] if noisy else []
    names = look.names([row.name for row in layers], _NAME_WIDTH)
    for row in shown:
        rows.append(
            [
                ">" if row.index == budget.peak.step else "",
                str(row.index),
                names[row.index],
                plain(row.op)[:_OP_WIDTH],
                clip(shape_text(row.output_shape[1:] or row.output_shape), 11),
                f"{row.live_bytes:,}",
                f"{row.weights_bytes:,}",
                format_si(row.macs),
                f"-{row.removed_channels:,}" if row.removed_channels else "",
                *(noise_cells(row) if noisy else ()),
            ]
        )
    lines = [f" {line}" for line in table(rows, (1, 5, 6, 7, 8, 9, 10, 11), " ")]
    if len(shown) < len(layers):
        kept = {row.index for row in shown}
        most = max(row.live_bytes for row in layers if row.index not in kept)
        left = counted(len(layers) - len(shown), "more step")
        lines.append(f"     {left}, none above {format_bytes(most)}   (--all)")
    return lines


def _streams(budget: Budget) -> list[str]:
    """What runs row by row, and what feeding the rows of the input changes."""
    lines = []
    for stream in budget.streams:
        first, last = min(stream.layers), max(stream.layers)
        which = f"step {first} runs" if first == last else f"steps {first} to {last} run"
        held = f"at most {stream.bytes:,} B held"
        lines.append(f" rows   {which} row by row, {stream.rows:,} rows, {held}")
    resident, fed = budget.ram.arena_input_resident_bytes, budget.ram.arena_input_fed_bytes
    if resident is not None and fed is not None:
        lines.append(
            f" input  arena {resident:,} B with the whole input held, {fed:,} B fed row by row"
        )
    return lines


def _levels(budget: Budget, look: Look) -> list[str]:
    """What each level of planning bought: the arena after it."""
    lines = [f" {'level':9} {'arena':>10}  {'saved':>10}"] if budget.levels else []
    before = budget.levels[0].arena_bytes if budget.levels else 0
    for level in budget.levels:
        saved = f"{before - level.arena_bytes:,} B" if level.arena_bytes != before else "-"
        head = f" {plain(level.name):9} {format_bytes(level.arena_bytes):>10}  {saved:>10}  "
        lines += look.wrap(head + look.plain(level.note), "", " " * 35)
        before = level.arena_bytes
    return lines


def _frontier(budget: Budget, look: Look) -> list[str]:
    """What recompute would buy, if asked for."""
    if not budget.frontier:
        return []
    rows = [["MACs up to", "live bytes", "MACs", "factor", "how"]]
    for price in budget.frontier:
        how = "as planned"
        if price.layers:
            first, last = price.layers[0], price.layers[-1]
            which = f"layers {first} to {last}" if first < last else f"layer {first}"
            how = f"{which} in {price.tiles} column tiles"
        figures = [format_bytes(price.ram_bytes), format_si(price.macs), f"{price.factor:.2f}"]
        rows.append([f"x {price.limit:.1f}", *figures, how])
    said = "modelled: live bytes, the arena needs as much or more; code for tiles is not generated"
    return [f" {line}" for line in table(rows, (0, 1, 2, 3))] + look.wrap(said, " ", " ")


def _growth(baseline: Baseline, look: Look) -> list[str]:
    file = clip(look.plain(baseline.file), 32)
    lines = [f" since {file}   RAM {baseline.ram_delta:+,} B   flash {baseline.flash_delta:+,} B"]
    parts = []
    for part in baseline.parts:
        why = f" ({plain(part.because)})" if part.because else ""
        parts.append(f"{part.name} {part.ram_delta + part.flash_delta:+,} B{why}")
    lines += look.wrap(", ".join(parts), "   ", "     ") if parts else []
    for change in baseline.changes[:_GROWN_SHOWN]:
        lines += look.wrap(f"because {change_text(change)}", "   ", "     ")
    names = look.names([row.name for row in baseline.layers], 24)
    for name, row in zip(names, baseline.layers[:_GROWN_SHOWN], strict=False):
        deltas = f"live {row.ram_delta:+,} B, flash {row.flash_delta:+,} B"
        lines += look.wrap(f"{name}: {deltas}: {plain(row.because)}", "   ", "     ")
    if len(baseline.layers) > _GROWN_SHOWN:
        lines.append(f"   {counted(len(baseline.layers) - _GROWN_SHOWN, 'more layer')}")
    return lines


def _findings(budget: Budget, look: Look) -> list[str]:
    findings = budget.verdict.findings
    shown = [f for f in findings if look.verbose or f.code != _QUIET]
    lines = []
    for finding in shown:
        lines += finding_lines(finding, unicode=look.unicode, indent=" ", width=look.width)
    if len(shown) < len(findings):
        hidden = counted(len(findings) - len(shown), "note")
        lines.append(f" {hidden} on how the model was read (-v)")
    return [*lines, "", f" {summary(findings)}   more: mcuplan explain CODE"] if findings else []


FORMAT = Format("text", _decided, _undecided)
