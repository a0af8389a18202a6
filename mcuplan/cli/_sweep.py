# SPDX-License-Identifier: Apache-2.0
"""The command that takes many models: sweep."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mcuplan.cli._console import log, watched
from mcuplan.cli._files import check_writable, write_file
from mcuplan.cli._given import Configuration
from mcuplan.cli._process import Stopped
from mcuplan.errors import EXIT_FITS, EXIT_OVER, EXIT_UNDECIDED, UsageError
from mcuplan.options.sweeping import OptionSet, option_sets, sweeping
from mcuplan.options.values import FILE, SECONDS
from mcuplan.tempfiles import temporary_folder

if TYPE_CHECKING:
    from mcuplan.sweep.cache import Rows
    from mcuplan.sweep.engines import Engine
    from mcuplan.sweep.rows import Row

__all__ = ["sweep"]

_STATED = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
_SHOWN_EVERY_S = 0.2


@click.command(short_help="Many models on many targets: a table of what check says.")
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--targets",
    metavar="all|NAMES|FILES",
    multiple=True,
    help="Chips and boards, several with commas; by default the configured one.",
)
@sweeping
@click.option(
    "--output", "-o", type=FILE, required=True, help="Table to write: .csv, .jsonl or .parquet."
)
@click.option(
    "--engine",
    type=click.Choice(["local", "dask", "ray"]),
    default="local",
    show_default=True,
    help="What runs: processes of this machine, or a cluster's own client.",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="Of the cluster; without it one is started here."
)
@click.option("--jobs", type=click.IntRange(1, 4096), help="Processes at once; one for each core.")
@click.option(
    "--timeout",
    type=SECONDS,
    default=300.0,
    show_default=True,
    metavar="S",
    help="Seconds that a row may take.",
)
@click.option("--cache", type=FILE, help="Folder of known rows; OUTPUT.cache by default.")
@click.option("--no-cache", is_flag=True, help="Neither read nor leave known rows.")
@click.option(
    "--fail-on",
    "failing",
    type=click.Choice(["over", "error"]),
    multiple=True,
    help="Exit with 1 if a model does not fit, with 3 if there is no answer for one.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def sweep(models: tuple[str, ...], output: Path, **options: Any) -> int:
    """Check many models on many targets, and write a table.

    MODELS are files or quoted patterns such as 'models/**/*.onnx'. Options are those of `check`.
    One that `check` takes once may be given several times: each model is checked with every
    combination. What stands in the way of an answer is a row, too, with its code.

    A sweep that was interrupted goes on where it was when it is started again: known rows lie
    beside the output, by the contents of model, target and options.
    """
    from mcuplan.sweep.cases import cases_of, models_of, targets_of
    from mcuplan.sweep.run import Sweep
    from mcuplan.sweep.table import table_of

    ctx, written = click.get_current_context(), table_of(output)
    files, sets = models_of(models), _sets(ctx)
    check_writable(output, *map(Path, files))
    targets = targets_of(options["targets"] or _configured_target(ctx))
    with ExitStack() as stack:
        known = stack.enter_context(_known(output, options))
        made = Sweep(list(cases_of(files, targets, sets)), known)
        engine = _engine(options)
        left = made.left()
        with _progress(made.total, left.rows, quiet=options["quiet"]) as heard:
            made.run(left, engine, heard)
        counted: Counter[str] = Counter()
        write_file(output, written(_counting(made.rows(), counted)))
    if not options["quiet"]:
        log(f"{output}: {_said(counted)}")
    return _status(counted, options["failing"])


def _cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _engine(options: dict[str, Any]) -> Engine:
    """What runs tasks: processes of this machine, or a cluster."""
    name, address = options["engine"], options["scheduler"] or ""
    jobs, timeout_s = options["jobs"] or _cores(), options["timeout"]
    if name == "dask":
        from mcuplan.sweep.on_dask import Dask

        return Dask(address, jobs, timeout_s)
    if name == "ray":
        from mcuplan.sweep.on_ray import Ray

        return Ray(address, jobs, timeout_s)
    from mcuplan.sweep.local import Local

    if address:
        raise UsageError("processes of this machine have none", "--scheduler", "--engine dask")
    return Local(jobs, timeout_s)


def _sets(ctx: click.Context) -> Callable[[str], list[OptionSet]]:
    """Sets of options of a model: what was given, else what is configured for it."""
    stated = {name for name in ctx.params if ctx.get_parameter_source(name) in _STATED}
    made: dict[str, list[OptionSet]] = {}

    def sets_of(model: str) -> list[OptionSet]:
        configured = ctx.obj.of(Path(model)) if isinstance(ctx.obj, Configuration) else {}
        key = repr(configured)
        if key not in made:
            made[key] = list(option_sets(ctx.params, stated, configured))
        return made[key]

    return sets_of


def _configured_target(ctx: click.Context) -> tuple[str, ...]:
    configured = ctx.obj.of(None) if isinstance(ctx.obj, Configuration) else {}
    if "target" not in configured:
        raise UsageError("no targets are given", "", "--targets all, or names with commas")
    return (str(configured["target"]),)


@contextmanager
def _known(output: Path, options: dict[str, Any]) -> Iterator[Rows]:
    """Rows that are known, and a place for more."""
    from mcuplan.sweep.cache import Rows
    from mcuplan.sweep.keys import tool_digest

    with ExitStack() as stack:
        if options["no_cache"]:
            folder = stack.enter_context(temporary_folder())
        else:
            folder = options["cache"] or output.with_name(f"{output.name}.cache")
        known = Rows(folder, tool_digest())
        stack.callback(known.close)
        try:
            yield known
        except (KeyboardInterrupt, Stopped):
            if not options["no_cache"]:
                log(f"rows so far are in {folder}: the same command goes on from there")
            raise


@contextmanager
def _progress(total: int, left: int, *, quiet: bool) -> Iterator[Callable[[Row], None]]:
    """Takes rows, and says on a terminal how far a sweep is, how fast, and how long it takes."""
    shown = not quiet and watched() and left > 0
    begun = last = monotonic()
    done = errors = 0

    def heard(row: Row) -> None:
        nonlocal done, errors, last
        done += 1
        errors += row.verdict == "error"
        now = monotonic()
        if shown and now - last > _SHOWN_EVERY_S:
            last = now
            rate = done / (now - begun)
            text = f"{total - left + done:,} of {total:,} rows, {rate:,.1f}/s"
            text += f", {_duration((left - done) / rate)} left"
            text += f", {errors:,} errors" if errors else ""
            sys.stderr.write(f"\r\x1b[K{text[:79]}")
            sys.stderr.flush()

    try:
        yield heard
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _counting(rows: Iterator[Row], counted: Counter[str]) -> Iterator[Row]:
    for row in rows:
        counted[row.verdict] += 1
        yield row


def _said(counted: Counter[str]) -> str:
    """How many rows there are of each verdict."""
    words = {"fits": "fit", "does-not-fit": "do not fit", "unproven": "unproven", "error": "errors"}
    parts = [f"{counted[verdict]:,} {word}" for verdict, word in words.items() if counted[verdict]]
    return f"{counted.total():,} rows" + (f": {', '.join(parts)}" if parts else "")


def _status(counted: Counter[str], failing: tuple[str, ...]) -> int:
    """A sweep that came to its end is no failure, whatever it found, unless that was asked for."""
    if "error" in failing and counted["error"] + counted["unproven"]:
        return EXIT_UNDECIDED
    return EXIT_OVER if "over" in failing and counted["does-not-fit"] else EXIT_FITS
