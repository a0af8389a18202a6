# SPDX-License-Identifier: Apache-2.0
"""Where output goes: stdout for the result, stderr for the rest, reports to files."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from mcuplan.cli._files import check_outputs, write_file
from mcuplan.errors import EXIT_FITS, EXIT_OVER, EXIT_UNDECIDED, McuplanError, Problems
from mcuplan.safe_text import lines, plain

if TYPE_CHECKING:
    from mcuplan.progress import Bar, Voice
    from mcuplan.record import Budget, Undecided, Verdict
    from mcuplan.report import Look

__all__ = [
    "Outputs",
    "bar",
    "emit_report",
    "exit_status",
    "log",
    "print_errors",
    "progress",
    "reported",
    "say",
    "screen",
    "terminal",
    "voice_of",
    "watched",
]


@dataclass(frozen=True, slots=True)
class Outputs:
    """How a report leaves the program: one format to stdout, any to files."""

    form: str
    reports: tuple[tuple[str, Path], ...]
    every_layer: bool
    verbosity: int
    exit_zero: bool

    def writes(self, form: str) -> bool:
        """Whether one of them is in that format."""
        return form in (self.form, *(name for name, _ in self.reports))


def say(text: str) -> None:
    """Write to stdout, in UTF-8 where the terminal cannot say otherwise."""
    sys.stdout.write(text)


def log(text: str) -> None:
    """Write one line to stderr, where that takes any."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr)


def progress(outputs: Outputs) -> Callable[[str], None]:
    """Says what long work is at: lines with -v, one changing line on a terminal, else nothing.

    An empty text ends it.
    """
    if outputs.verbosity > 0:
        return lambda text: log(text) if text else None
    if outputs.verbosity < 0 or not watched():
        return lambda text: None

    def show(text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text[:79]}")
        sys.stderr.flush()

    return show


def watched() -> bool:
    """Whether somebody sees stderr as it changes: a terminal that is not the log of a CI."""
    return sys.stderr.isatty() and not os.environ.get("CI")


def bar(*, quiet: bool) -> Bar:
    """Shows on a terminal how far work is; nothing elsewhere."""
    from mcuplan.progress import no_bar

    if quiet or not watched():
        return no_bar

    @contextmanager
    def show(label: str, parts: int) -> Iterator[Callable[[int], object]]:
        with click.progressbar(length=parts, label=label, file=sys.stderr) as shown:
            yield shown.update

    return show


def voice_of(outputs: Outputs) -> Voice:
    """The terminal, as far as it is asked to show what a command is at."""
    from mcuplan.progress import Voice

    return Voice(log, progress(outputs), bar(quiet=outputs.verbosity < 0), perf_counter)


def print_errors(error: McuplanError | Problems) -> int:
    """All problems on stderr, in the form of every report; returns the exit status."""
    errors = error.errors if isinstance(error, Problems) else (error,)
    for one in errors:
        log(_error_text(one))
    return error.exit_status


def _error_text(error: McuplanError) -> str:
    unicode = _speaks_unicode(sys.stderr)
    said = [f"error[{error.code}]: {lines(error.message, unicode=unicode)}"]
    if error.where:
        said.append(f"  where: {plain(error.where, unicode=unicode)}")
    if error.hint:
        said.append(f"  hint: {plain(error.hint, unicode=unicode)}")
    if not sys.stderr.isatty():  # programs find a message in its line
        return "\n".join(said)
    from mcuplan.report import wrap

    return "\n".join(part for line in said for part in wrap(line, "", "    "))


def _speaks_unicode(stream: object) -> bool:
    encoding = str(getattr(stream, "encoding", "") or "").lower()
    is_terminal = getattr(stream, "isatty", lambda: False)()
    return bool(is_terminal) and encoding.replace("-", "") == "utf8"


def _look(outputs: Outputs, *, to_stdout: bool) -> Look:
    from mcuplan.report import WIDTH, Look

    terminal = to_stdout and sys.stdout.isatty()
    return Look(
        colour=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        unicode=to_stdout and _speaks_unicode(sys.stdout),
        every_layer=outputs.every_layer,
        verbose=outputs.verbosity > 0,
        brief=to_stdout,
        width=shutil.get_terminal_size().columns if terminal else WIDTH,
    )


def reported(command: str, model: str, outputs: Outputs, make: Callable[[], Budget]) -> int:
    """Make a report and put it out; a model that cannot be decided has one, too."""
    from mcuplan.budget import undecided

    check_outputs(path for _, path in outputs.reports)
    try:
        budget = make()
    except (McuplanError, Problems) as error:
        status = print_errors(error)
        if status == EXIT_UNDECIDED:
            errors = error.errors if isinstance(error, Problems) else (error,)
            emit_report(undecided(Path(model).name, errors, command), outputs)
        return status
    return emit_report(budget, outputs)


def emit_report(report: Budget | Undecided, outputs: Outputs) -> int:
    """Write the files, then stdout; returns the exit status of the verdict."""
    from mcuplan.report import render

    for form, path in outputs.reports:
        write_file(path, render(form, report, _look(outputs, to_stdout=False)).encode("utf-8"))
    if outputs.verbosity >= 0:
        say(render(outputs.form, report, screen(outputs)))
    return exit_status(report.verdict, outputs)


def screen(outputs: Outputs) -> Look:
    """How stdout is looked at."""
    return _look(outputs, to_stdout=True)


def terminal() -> Look:
    """How stdout is looked at where nothing else is asked for."""
    return screen(Outputs("text", (), every_layer=False, verbosity=0, exit_zero=False))


def exit_status(verdict: Verdict, outputs: Outputs) -> int:
    """What the program ends with."""
    status = {"fits": EXIT_FITS, "over": EXIT_OVER}
    known = status.get(verdict.status.value, EXIT_UNDECIDED)
    return EXIT_FITS if outputs.exit_zero else known
