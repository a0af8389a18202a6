# SPDX-License-Identifier: Apache-2.0
"""The program and its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcuplan import __version__
from mcuplan.cli import _evidence, _fit, _models, _shell, _tables
from mcuplan.cli._bundle import bundle
from mcuplan.cli._examples import with_examples
from mcuplan.cli._given import Configuration
from mcuplan.cli._pareto import pareto
from mcuplan.cli._sweep import sweep
from mcuplan.config import find_config, read_config

__all__ = ["app"]

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 80}


class _Program(click.Group):
    """Lists commands in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Program, context_settings=_SETTINGS)
@click.version_option(__version__, "-V", "--version", message="mcuplan %(version)s")
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read this file instead of the nearest mcuplan.toml or pyproject.toml.",
)
@click.pass_context
def app(ctx: click.Context, config_file: Path | None) -> None:
    """From a trained ONNX model to proven firmware code.

    Does it run on this microcontroller, and with which bytes? Start with
    `mcuplan check MODEL --target T`.

    Exit status: 0 fits, 1 over a budget or limit, 2 wrong usage, 3 the model
    cannot be decided, 4 an external tool is missing or failed.
    """
    path = config_file or _nearest_config()
    if path is None:
        return

    def values(model: Path | None = None) -> dict[str, Any]:
        return {_parameter(key): value for key, value in read_config(path, model).items()}

    ctx.obj = Configuration(path, values)
    taking = (*_models.COMMANDS, _fit.fit, bundle, _evidence.evidence)
    ctx.default_map = {str(command.name): values() for command in taking}


def _nearest_config() -> Path | None:
    """The configuration around the working folder; none where that is gone."""
    try:
        return find_config(Path.cwd())
    except FileNotFoundError:
        return None


def _parameter(key: str) -> str:
    """The parameter of the option that a key of the configuration stands for."""
    options = (option for command in _models.COMMANDS for option in command.params)
    return next(str(option.name) for option in options if f"--{key}" in option.opts)


_COMMANDS = (
    *_models.COMMANDS,
    _fit.fit,
    bundle,
    sweep,
    pareto,
    *_evidence.COMMANDS,
    *_tables.COMMANDS,
    *_shell.COMMANDS,
)
for _command in _COMMANDS:
    app.add_command(_command)
with_examples(app)
