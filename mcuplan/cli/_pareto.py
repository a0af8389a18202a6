# SPDX-License-Identifier: Apache-2.0
"""`mcuplan pareto`: of the rows of a table those that no other beats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcuplan.cli._console import say, terminal
from mcuplan.cli._files import check_writable, write_file
from mcuplan.cli._reporting import showing
from mcuplan.errors import EXIT_FITS, EXIT_OVER
from mcuplan.options.values import FILE

__all__ = ["pareto"]


@click.command()
@click.argument("table", type=FILE)
@click.option("--x", required=True, metavar="COLUMN", help="What to compare by: ram, flash, ...")
@click.option("--y", required=True, metavar="COLUMN", help="The other: latency, accuracy, ...")
@click.option(
    "--max",
    "most",
    metavar="COLUMN",
    multiple=True,
    help="Most of it is best, as of accuracy anyway; one that is neither x nor y is compared, too.",
)
@click.option(
    "--min",
    "least",
    metavar="COLUMN",
    multiple=True,
    help="Least of it is best, as of all that is not known to be like accuracy; likewise.",
)
@click.option("--color", "colour", default="", metavar="COLUMN", help="What colours the points.")
@click.option(
    "--join",
    type=FILE,
    metavar="FILE",
    help="A table with columns to add, as accuracy, by model; and by target, width and the like"
    " where it has such columns.",
)
@click.option("--target", "-t", "targets", multiple=True, help="Rows of this target alone.")
@click.option("--by", default="", metavar="COLUMN", help="A front for each value, as of target.")
@click.option("--all", "every", is_flag=True, help="Also rows that do not fit.")
@click.option("--output", "-o", type=FILE, help="A page with a scatter of all rows.")
@showing
def pareto(table: Path, output: Path | None, form: str, quiet: bool, **options: Any) -> int:
    """Models that no other beats, in a table of `mcuplan sweep`.

    TABLE is .parquet, .csv or .jsonl. Columns are called ram, flash, latency, cycles, energy, or
    as the table calls them. A row is on the front if no other is at least as good in all that is
    compared, and better in one.

    Exit status: 0, or 1 where no row is left to compare.
    """
    from mcuplan.pareto import Asked, front_of
    from mcuplan.report import render_front

    if output is not None:
        check_writable(output)
    found = front_of(table, Asked(**options))
    if output is not None:
        write_file(output, render_front("html", found).encode("ascii"))
    if not quiet:
        say(render_front(form, found, terminal()))
    return EXIT_FITS if found.groups else EXIT_OVER
