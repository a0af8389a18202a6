# SPDX-License-Identifier: Apache-2.0
"""Commands for whoever assesses a firmware: evidence, reproduce."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcuplan.cli._console import log, reported, say, voice_of
from mcuplan.cli._files import check_folder, write_tree
from mcuplan.cli._given import Asking, command_words
from mcuplan.cli._reporting import outputs_of, reporting
from mcuplan.errors import EXIT_FITS, EXIT_OVER
from mcuplan.options import MODEL, evidencing
from mcuplan.options.values import FILE
from mcuplan.progress import Voice

if TYPE_CHECKING:
    from mcuplan.record import Budget

__all__ = ["COMMANDS"]


@click.command(cls=Asking)
@MODEL
@evidencing
@reporting
@click.option("--output", "-o", type=FILE, required=True, help="Folder for the evidence.")
def evidence(model: Path, output: Path, **options: Any) -> int:
    """Write all that an assessor asks for into a folder.

    Model, data, plan, sources, what the operators mean, the trace from layers
    to addresses, coverage of statements and branches, MISRA C:2012, bounds of
    stack and loops, limits, hashes. Exit status 1 also where a required rule
    is broken without a deviation record.
    """
    gaps: list[str] = []
    outputs = outputs_of(options)
    words = command_words()[2:]  # without command and model

    def make() -> Budget:
        from mcuplan.evidence import make_evidence

        made = make_evidence(model, options, words, voice_of(outputs))
        write_tree(output, {Path(path): data for path, data in made.files.items()})
        gaps.extend(made.gaps)
        if outputs.verbosity >= 0:
            log(f"{len(made.files)} files in {output}; begin with README.md")
        return made.report

    check_folder(output, generated=False)
    status = reported("evidence", str(model), outputs, make)
    for gap in gaps:
        log(f"open: {gap}")
    return EXIT_OVER if status == EXIT_FITS and gaps and not outputs.exit_zero else status


@click.command()
@click.argument("folder", type=FILE)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def reproduce(folder: Path, quiet: bool) -> int:
    """Make a folder of evidence again and compare every byte.

    Exit status 1 names the first difference. Nothing in the folder is run or
    changed.
    """
    from mcuplan.evidence import reproduce as again

    answer = again(folder, Voice() if quiet else Voice(log))
    for tool in answer.tools:
        log(f"another version: {tool}")
    if not quiet:
        same = f"yes: {answer.files} files, the same byte for byte"
        say((f"no: {answer.first}" if answer.first else same) + "\n")
    return EXIT_OVER if answer.first else EXIT_FITS


COMMANDS = (evidence, reproduce)
