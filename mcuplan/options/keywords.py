# SPDX-License-Identifier: Apache-2.0
"""Options given to a function, under the names of the command line, as a command takes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import click

from mcuplan.config import KEYS
from mcuplan.config.keys import flag
from mcuplan.errors import UsageError
from mcuplan.spelling import did_you_mean

__all__ = ["from_keywords"]


def from_keywords(
    declared: Callable[[Any], Any], given: Mapping[str, object], hint: str
) -> Mapping[str, Any]:
    """All options, converted and complete.

    Args:
        declared: a stack of options of :mod:`mcuplan.options`.
        given: by the long name without dashes in front, others as ``_``; values as in a
            configuration, or already converted. None is the default.
        hint: what lists the options.

    Raises:
        UsageError: no such option, or a value that it does not take.
    """
    command = _command(declared)
    known = {_name(text): p for p in command.params for text in p.opts if text[:2] == "--"}
    values = {}
    for name, value in given.items():
        if name not in known:
            raise UsageError(f"no option {name!r}", "", did_you_mean(name, known))
        if value is not None:
            values[str(known[name].name)] = _value(name, known[name], value, hint)
    try:
        return command.make_context(None, [], default_map=values).params
    except click.UsageError as error:
        raise UsageError(error.format_message().rstrip("."), "", hint) from None


@cache
def _command(declared: Callable[[Any], Any]) -> click.Command:
    """Nothing but its options, which ask no environment."""

    @declared
    def nothing() -> None:
        """Never called."""

    params = list(reversed(nothing.__click_params__))
    for param in params:
        param.envvar = None
    return click.Command(None, params=params)


def _name(text: str) -> str:
    return text[2:].replace("-", "_")


def _value(name: str, param: click.Parameter, value: Any, hint: str) -> Any:
    """A value as a configuration has it, checked where one has that key; else as text."""
    plain = os.fspath(value) if isinstance(value, os.PathLike) else value
    plain = list(plain) if isinstance(plain, tuple) else plain
    key = name.replace("_", "-")
    try:
        if key in KEYS:
            return KEYS[key](plain)
        if isinstance(plain, bool) or getattr(param, "is_flag", False):
            return flag(plain)
    except ValueError as error:
        raise UsageError(str(error), f"{name}={value!r}"[:80], hint) from None
    if param.multiple:
        return [str(each) for each in (plain if isinstance(plain, list) else [plain])]
    return str(plain)
