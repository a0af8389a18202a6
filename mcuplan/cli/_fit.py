# SPDX-License-Identifier: Apache-2.0
"""`mcuplan fit`: what makes a model fit, and the command that shows it."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from mcuplan import options as known
from mcuplan.cli._console import bar, log, say
from mcuplan.cli._files import check_writable, write_file
from mcuplan.cli._given import Asking, words_by_name
from mcuplan.cli._reporting import showing
from mcuplan.errors import EXIT_FITS, EXIT_OVER, EXIT_UNDECIDED
from mcuplan.options import MODEL
from mcuplan.options.values import FILE
from mcuplan.progress import Voice

if TYPE_CHECKING:
    from mcuplan.record import Fit

__all__ = ["fit"]


@click.command(cls=Asking)
@MODEL
@known.fitting
@click.option("--output", "-o", type=FILE, help="Model of another form to write, if that fits.")
@showing
def fit(model: Path, output: Path | None, form: str, quiet: bool, **options: Any) -> int:
    """What makes a model fit: options, other types, other forms.

    Every way is planned; the first that fits ends the search, and the command that shows it is
    printed. Where no way in the list fits, that is said with what each is over by. Another form
    of the model is to be trained: its weights are placeholders.

    Exit status: 0 where the trained model fits, as it is asked for or as the printed command has
    it; 1 where nothing in the list does, or only a form that is still to be trained; 3 where
    there was no time for all.
    """
    from mcuplan import fitting
    from mcuplan.report import fit_json, fit_text

    if output is not None:
        check_writable(output)
    given = {name: words for name, words in words_by_name().items() if name != "model"}
    voice = Voice(log, bar=bar(quiet=quiet), clock=perf_counter)
    made = fitting.fit(model, options, given, output, voice)
    if output is not None and made.model is not None:
        write_file(output, made.model.SerializeToString(deterministic=True))
        made = fitting.rechecked(made, output)
    if not quiet:
        say(fit_json(made.report) if form == "json" else fit_text(made.report))
    return _status(made.report)


def _status(report: Fit) -> int:
    """What the program ends with: a form that is still to be trained is no model that fits."""
    from mcuplan.record import Needs

    if report.status == "fits":
        return EXIT_OVER if report.needs is Needs.RETRAINING else EXIT_FITS
    return EXIT_OVER if report.status == "over" else EXIT_UNDECIDED
