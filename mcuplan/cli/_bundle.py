# SPDX-License-Identifier: Apache-2.0
"""The command that takes several models: bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from mcuplan.cli._console import bar, exit_status, log, progress, say, screen
from mcuplan.cli._files import check_folder, write_tree
from mcuplan.cli._given import Asking
from mcuplan.cli._reporting import outputs_of, reporting
from mcuplan.errors import UsageError
from mcuplan.options import bundling
from mcuplan.options.values import FILE
from mcuplan.progress import Voice

__all__ = ["bundle"]


@click.command(cls=Asking)
@click.argument("models", type=FILE, nargs=-1, required=True)
@bundling
@reporting
@click.option("--output", "-o", type=FILE, required=True, help="Folder for the code.")
def bundle(models: tuple[Path, ...], output: Path, **options: Any) -> int:
    """Write several models as one: one budget, shared arenas.

    Models are called by their files; options apply to all of them.
    """
    from mcuplan import commands
    from mcuplan.report import JOINT_FORMATS, render_joint

    check_folder(output)
    outputs = outputs_of(options)
    if outputs.form not in JOINT_FORMATS or outputs.reports:
        hint = "--format json; the folder has a report of each model, and of all"
        raise UsageError("several models have a report as text or json, on stdout", "", hint)
    voice = Voice(log, progress(outputs), bar(quiet=outputs.verbosity < 0))
    folder = os.path.basename(os.path.realpath(output))
    made = commands.bundle(models, folder, options, voice)
    write_tree(output, made.files)
    if outputs.verbosity >= 0:
        log(f"{len(made.files)} files in {output}: {made.name}.h, mplan/, ...")
        say(render_joint(outputs.form, made.report, screen(outputs)))
    return exit_status(made.report.verdict, outputs)
