# SPDX-License-Identifier: Apache-2.0
"""Commands for the shell and the project around it: completion, init."""

from __future__ import annotations

from pathlib import Path

import click

from mcuplan.cli._console import log, say
from mcuplan.cli._files import write_new
from mcuplan.errors import EXIT_FITS, UsageError
from mcuplan.options import target

__all__ = ["COMMANDS", "VARIABLE"]

VARIABLE = "_MCUPLAN_COMPLETE"
"""Set by the shell when it asks for what may follow."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print what makes a shell complete commands and targets.

    Put `eval "$(mcuplan completion bash)"` into ~/.bashrc, the same with zsh
    into ~/.zshrc; fish: `mcuplan completion fish | source` in its config.fish.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(ctx.find_root().command, {}, "mcuplan", VARIABLE)
    say((made.source_template % made.source_vars()).strip() + "\n")
    return EXIT_FITS


@click.command()
@target
@click.option(
    "--ci",
    "hosts",
    type=click.Choice(["github", "gitlab", "none"]),
    multiple=True,
    help="Host to write a job for; by default those whose files are there.",
)
def init(target: str | None, hosts: tuple[str, ...]) -> int:
    """Write a commented mcuplan.toml, and a job for the CI.

    Looks for models, samples and a board of platformio.ini below the working
    folder. Files that are there stay as they are.
    """
    from mcuplan.cli._project import found_project, project_files
    from mcuplan.targets import load_target

    project = found_project(Path.cwd(), target)
    if project.target:
        load_target(project.target)
    files = project_files(project, hosts)
    for path in files:
        if not path.parent.resolve().is_relative_to(Path.cwd().resolve()):
            raise UsageError("leads out of the working folder", str(path.parent), "remove the link")
    for path, text in files.items():
        written = write_new(path, text.encode("utf-8"))
        log(f"{path}: {'written' if written else 'is there, and stays as it is'}")
    for line in project.advice(hosts):
        log(line)
    return EXIT_FITS


COMMANDS = (completion, init)
