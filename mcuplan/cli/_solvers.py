# SPDX-License-Identifier: Apache-2.0
"""Commands that solve a table on its own: pack, order."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import click

from mcuplan.cli._console import say
from mcuplan.cli._files import check_writable, write_file
from mcuplan.errors import EXIT_FITS, EXIT_OVER
from mcuplan.options.forms import time_limit
from mcuplan.options.values import FILE, SIZE

__all__ = ["order", "pack"]


@click.command()
@click.argument("file", type=FILE)
@click.option("--capacity", type=SIZE, help="Stop as soon as it fits this many bytes.")
@time_limit(50.0, "Seconds to search.")
@click.option("--output", "-o", type=FILE, help="CSV of offsets to write.")
def pack(file: Path, capacity: int | None, time_limit: float, output: Path | None) -> int:
    """Place the buffers of a CSV table in an arena.

    Columns: id,lower,upper,size. A buffer lives from step LOWER to before step UPPER.
    Exit status: 0, or 1 where more than --capacity is needed.
    """
    from mcuplan.solvers.packing import pack as place
    from mcuplan.solvers.packing.csv_table import offsets_csv, read_csv
    from mcuplan.words import placement

    if output is not None:
        check_writable(output)
    problem = read_csv(file)
    begun = perf_counter()
    plan = place(problem, capacity=capacity, time_limit_s=time_limit)
    seconds = perf_counter() - begun
    if output is not None:
        write_file(output, offsets_csv(plan).encode("utf-8"))
    say(f"arena {plan.arena_bytes:,} B, lower bound {plan.lower_bound_bytes:,} B\n")
    say(f"{'optimal' if plan.optimal else 'not proved optimal'}: {placement(plan)}\n")
    say(f"{seconds:.2f} s\n")
    fits = capacity is None or plan.arena_bytes <= capacity
    return EXIT_FITS if fits else EXIT_OVER


@click.command()
@click.argument("file", type=FILE)
@click.option("--rows", is_flag=True, help="Of layers that run row by row, not of whole steps.")
@click.option("--output", "-o", type=FILE, help="CSV of the order to write.")
def order(file: Path, rows: bool, output: Path | None) -> int:
    """Order the steps of a CSV table for the least peak.

    Columns: id,bytes,reads; with --rows id,rows,row_bytes,reads,kernel,stride. READS are the
    ids of the steps that are read, with spaces between.
    """
    from mcuplan.solvers.rows.csv_table import row_order_csv
    from mcuplan.solvers.steps.csv_table import order_csv

    if output is not None:
        check_writable(output)
    if rows:
        table, found = row_order_csv(file)
        peak, bound = found.peak_bytes, found.lower_bound_bytes
    else:
        table, peak, bound = order_csv(file)
    if output is not None:
        write_file(output, table.encode("utf-8"))
    say(f"peak {peak:,} B, {'optimal' if peak == bound else f'every order needs {bound:,} B'}\n")
    return EXIT_FITS
