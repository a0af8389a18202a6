# SPDX-License-Identifier: Apache-2.0
"""Options of how a report leaves the program."""

from __future__ import annotations

from typing import Any

import click

from mcuplan.cli._console import Outputs
from mcuplan.cli._given import command_words
from mcuplan.options import option, stack
from mcuplan.options.values import FORMATS, REPORT

__all__ = ["outputs_of", "reporting", "showing"]

reporting = stack(
    [
        option(
            "--format",
            "-f",
            "form",
            type=click.Choice(FORMATS),
            default="text",
            show_default=True,
            help="Format of the report on stdout.",
        ),
        option("--report", "reports", type=REPORT, multiple=True, help="Also write a report file."),
        click.option("--all", "every_layer", is_flag=True, help="Show every layer."),
        option("--exit-zero", is_flag=True, help="Exit with 0 even over budget."),
        click.option("-v", "--verbose", count=True, help="Say more."),
        click.option("-q", "--quiet", is_flag=True, help="No report on stdout."),
    ]
)

showing = stack(
    [
        click.option(
            "--format",
            "-f",
            "form",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="Format of the result.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Nothing on stdout."),
    ]
)
"""How a result leaves the program that is no report of one model."""


def outputs_of(options: dict[str, Any]) -> Outputs:
    """The options of ``reporting``, taken out of all options of a command.

    What a report has to say of them comes in: the command itself, and whether it is drawn.
    """
    quiet = options["quiet"]
    verbose = options.pop("verbose")
    outputs = Outputs(
        form=options.pop("form"),
        reports=tuple(options.pop("reports")),
        every_layer=options.pop("every_layer"),
        verbosity=-1 if quiet else verbose,
        exit_zero=options.pop("exit_zero"),
    )
    options["asked"], options["naive"] = command_words(), outputs.writes("html")
    return outputs
