# SPDX-License-Identifier: Apache-2.0
"""Commands around the models: bench, diff, pack, order, targets, ops, explain."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcuplan import options
from mcuplan.cli._console import log, print_errors, say
from mcuplan.cli._solvers import order, pack
from mcuplan.errors import EXIT_FITS, EXIT_OVER, McuplanError, Problems, UsageError
from mcuplan.options.asked import with_backend, without_library
from mcuplan.options.pairs import dims_of
from mcuplan.options.values import FILE
from mcuplan.spelling import did_you_mean

if TYPE_CHECKING:
    from mcuplan.record import Baseline

__all__ = ["COMMANDS", "targets"]

_TABLE = click.option(
    "--format",
    "-f",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Format of the table.",
)


def _show(
    form: str,
    head: Sequence[str],
    rows: Sequence[Sequence[Any]],
    right: set[int],
    gap: str = "  ",
) -> None:
    """A table as aligned text, as JSON objects, or as Markdown."""
    from mcuplan.report import table
    from mcuplan.safe_text import plain

    if form == "json":
        objects = [dict(zip(head, row, strict=True)) for row in rows]
        say(json.dumps(objects, indent=2) + "\n")
        return
    cells = [[f"{c:,}" if isinstance(c, int) else plain(str(c)) for c in row] for row in rows]
    if form == "markdown":
        marks = ["---:" if i in right else ":---" for i in range(len(head))]
        lines = [f"| {' | '.join(row)} |" for row in (head, marks, *cells)]
    else:
        lines = table([list(head), *cells], sorted(right), gap)
    say("\n".join(lines) + "\n")


@click.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@_TABLE
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if the model grew.")
def diff(old: Path, new: Path, form: str, exit_zero: bool) -> int:
    """What grew between two reports, and because of which layer.

    OLD and NEW are written with --report json=FILE. Exit status: 0, or 1 where RAM or flash grew.
    """
    from mcuplan.budget import compare, compared_from_report, read_report

    before, after = (compared_from_report(read_report(p), p.name) for p in (old, new))
    made = compare(old.name, before, after)
    if form == "json":
        from mcuplan.report.json import as_plain

        say(json.dumps(as_plain(made), indent=2) + "\n")
    else:
        _show_diff(form, made)
    grew = made.ram_delta > 0 or made.flash_delta > 0
    return EXIT_OVER if grew and not exit_zero else EXIT_FITS


def _show_diff(form: str, made: Baseline) -> None:
    from mcuplan.report import clip, distinct
    from mcuplan.safe_text import plain

    changed = (*made.parts, *made.layers)
    names = [plain(row.name) for row in changed]
    names = names if form == "markdown" else distinct(names, 24)
    rows = [["total", f"{made.ram_delta:+,} B", f"{made.flash_delta:+,} B", ""]]
    for change in made.changes:
        ram = f"{change.ram_delta:+,} B" if change.ram_delta is not None else "-"
        name = plain(change.layers[0]) if change.layers else "asked"
        rows.append(
            [f"change {clip(name, 24)}", ram, f"{change.flash_delta:+,} B", plain(change.what)]
        )
    for name, row in zip(names, changed, strict=True):
        deltas = (f"{row.ram_delta:+,} B", f"{row.flash_delta:+,} B")
        rows.append([name, *deltas, plain(row.because)])
    _show(form, ("layer", "RAM", "flash", "because"), rows, {1, 2})


@click.command(short_help="Instructions and cycles per kernel and shape.")
@options.target
@options.backend
@click.option(
    "--fit", is_flag=True, help="Measure kernels anew; write their cycles, waits, code and stack."
)
@click.option(
    "--network",
    "networks",
    metavar="NAME=MODEL",
    multiple=True,
    help="With --fit: a network to state the error of, too.",
)
@_TABLE
def bench(target: str | None, backend: str, fit: bool, networks: tuple[str, ...], form: str) -> int:
    """Instructions and cycles per kernel and shape, counted on the emulator.

    They are the same on every run with the same compiler, which the last line names: keep the
    table, and a diff shows what became slower. On a board whose flash is described: cycles of the
    core, and with what they wait there.

    With --fit, in a checkout, what modelled figures rest on is written anew: cycles of the parts
    of each kernel (cycles.toml), what it waits on boards (board.toml), its code and stack
    (sizes.toml), of one kernel set or of all, then also what plans by rows take beside. That takes
    many minutes; review the diff as code.
    """
    from mcuplan.prove.bench import bench as count
    from mcuplan.prove.toolchain import cross_compiler
    from mcuplan.targets import load_target

    if fit:
        if target is not None:
            raise UsageError("kernels are fitted on their reference cores", "--target", "leave it")
        return _fit(backend, networks, form)
    if networks:
        raise UsageError("nothing is fitted", "--network", "--fit")
    without_library({"backend": backend}, "bench")
    wanted, rows = with_backend(load_target(target or "cortex-m4"), backend), []
    for row in count(wanted):
        board = round(row.cycles + row.stalls.cycles) if row.cycles is not None else None
        each = f"{(board or row.instructions) / row.work:.2f}/{row.unit}"
        cycles = row.cycles if row.cycles is not None else "-"
        counts = [cycles, board or "-"] if wanted.memory else [row.instructions, cycles]
        rows.append([row.op, row.shape, row.kernel.removeprefix("mplan_"), *counts, each])
    counted = "instr" if form == "text" else "instructions"  # 80 columns
    heads = ("cycles", "board") if wanted.memory else (counted, "cycles")
    _show(form, ("op", "shape", "kernel", *heads, "each"), rows, {3, 4, 5}, " ")
    if form == "text":
        say(f"\n{cross_compiler().version}\n")
    return EXIT_FITS


def _fit(backend: str, networks: Sequence[str], form: str) -> int:
    """Write the figures of one kernel set or of all, and say which files they are in."""
    from mcuplan.prove.fit import fit_calls, fit_set, kernel_sets
    from mcuplan.resources import codegen_dir, is_checkout

    if not is_checkout():
        raise UsageError("an installed mcuplan keeps its figures", "--fit", "run it in a checkout")
    if backend not in ("auto", *kernel_sets()):
        names = ", ".join(("auto", *kernel_sets()))
        raise UsageError(f"no backend named {backend}", "--backend", f"one of {names}")
    models = dict(_named_model(text) for text in networks)
    sets = kernel_sets() if backend == "auto" else (backend,)
    written = [file for name in sets for file in fit_set(name, models, codegen_dir())]
    written += [fit_calls(codegen_dir())] if backend == "auto" else []
    rows = [[file.path.relative_to(codegen_dir()).as_posix(), file.kernels] for file in written]
    _show(form, ("file", "kernels"), rows, {1})
    return EXIT_FITS


def _named_model(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not re.fullmatch(r"\w+", name, re.ASCII) or not path:
        raise UsageError(f"{text!r} names no network", "--network", "write NAME=MODEL.onnx")
    return name, Path(path)


@click.group()
def targets() -> None:
    """Chips and boards: list, show, lint, fit."""


@targets.command("list")
@_TABLE
def targets_list(form: str) -> None:
    """All built-in targets."""
    from mcuplan.targets import list_targets, load_target

    rows = []
    for name in list_targets():
        target = load_target(name)
        ram = sum(region.usable_bytes for region in target.ram)
        flash = sum(region.usable_bytes for region in target.flash)
        kind = "generic" if target.generic else "board"
        rows.append([name, target.core, target.clock_hz // 1_000_000, ram, flash, kind])
    head = ("target", "core", "MHz", "RAM B", "flash B", "kind")
    _show(form, head, rows, {2, 3, 4})


@targets.command("show")
@click.argument("target")
@_TABLE
def targets_show(target: str, form: str) -> None:
    """Every figure of a target and where it comes from."""
    from mcuplan.report import wrap
    from mcuplan.targets import describe, load_target

    rows = describe(load_target(target))
    if form != "text":
        _show(form, ("what", "figure", "source"), rows, set())
        return
    for what, figure, source in rows:
        say("\n".join(wrap(f"{what}: {figure}")) + "\n")
        if source:
            say("\n".join(wrap(source, "    ", "    ")) + "\n")


@targets.command("lint")
@click.argument("files", nargs=-1, required=True)
def targets_lint(files: tuple[str, ...]) -> int:
    """Every mistake of target files at once."""
    from mcuplan.targets import lint

    errors: list[McuplanError] = [error for file in files for error in lint(file)]
    if errors:
        return print_errors(Problems(tuple(errors)))
    log(f"{len(files)} checked, no mistakes")
    return EXIT_FITS


@targets.command("fit")
@options.MODEL
@options.dim
@options.cut_output
@_TABLE
def targets_fit(
    model: Path, dims: tuple[tuple[str, int], ...], cuts: tuple[str, ...], form: str
) -> int:
    """A row for each target: does the model fit, what is left.

    The roomiest first. Exit status 0, whatever fits.
    """
    from mcuplan.ways.on_targets import on_targets, room

    rows = []
    for budget in on_targets(model, dims_of(dims), cuts):
        ram, flash = budget.ram, budget.flash
        rows.append(
            [
                budget.target.name,
                budget.verdict.status.value,
                f"{math.floor(100 * room(budget))} %",
                ram.total_bytes,
                ram.budget_bytes - ram.total_bytes,
                flash.total_bytes,
                flash.budget_bytes - flash.total_bytes,
                f"{1000 * budget.latency.seconds:,.1f}",
            ]
        )
    head = ("target", "verdict", "room", "RAM B", "RAM left", "flash B", "flash left", "ms")
    _show(form, head, rows, {2, 3, 4, 5, 6, 7})
    return EXIT_FITS


@click.command()
@_TABLE
@click.option("--markdown", is_flag=True, help="Same as --format markdown.")
def ops(form: str, markdown: bool) -> None:
    """Operators that are read, and the kernels that run them.

    And how many of ONNX's own tests of each operator pass.
    """
    from mcuplan.backends import backend_kernels
    from mcuplan.ops import all_kernels, all_ops, all_readers, node_tests

    home: dict[str, list[str]] = {}
    for onnx_name, reader in all_readers().items():
        home.setdefault(reader.__module__, []).append(onnx_name)
    rows = []
    for op in all_ops():
        types = dict.fromkeys(k.types.name for k in all_kernels() if k.op is op)
        fast = [k for kernels in backend_kernels().values() for k in kernels if k.op is op]
        named = dict.fromkeys(f"{k.types.name} {k.backend}" for k in fast)
        read = ", ".join(sorted(home.get(op.__module__, ())))
        shown = ", ".join(types) or ("view" if op.is_view else "folded away")
        cases = sum(1 for _ in op.examples())
        rows.append([op.__name__, shown, ", ".join(named) or "-", cases, read or "-"])
    head = ("operator", "portable C", "fast kernels", "conformance cases", "its module reads ONNX")
    form = "markdown" if markdown else form
    _show(form, head, rows, {3})
    if form == "json":
        return
    tests = node_tests()
    say("\n")
    _show(form, (f"node tests of onnx {tests.onnx}", "core", "mcu"), tests.rows(), {1, 2})
    if reasons := tests.reasons():
        say("\n")
        _show(form, ("test that does not pass", "because"), reasons, set())


@click.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """What the code of an error or finding means.

    Without CODE every code there is; with the part before the slash (`ram`) those of that kind.
    """
    from mcuplan.findings import explanations
    from mcuplan.report import wrap

    known = explanations()
    kind = [entry for name, entry in known.items() if name.partition("/")[0] == (code or "")]
    if code is None or kind:
        for entry in kind or known.values():
            say("\n".join(wrap(f"{entry.code}  {entry.meaning}", "", "    ")) + "\n")
        return
    if code not in known:
        raise UsageError(f"no code {code!r}", "", did_you_mean(code, known))
    entry = known[code]
    say(f"{entry.code}\n\n" + "\n".join(wrap(entry.meaning, "  ", "  ")) + "\n")
    if entry.action:
        say("\n" + "\n".join(wrap(f"What to do: {entry.action}", "  ", "  ")) + "\n")


COMMANDS = (bench, diff, pack, order, targets, ops, explain)
