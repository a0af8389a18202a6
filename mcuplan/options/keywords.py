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

__all__ = ["complete", "from_keywords", "params_of"]


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
    known = {
        _name(text): p for p in _command(declared).params for text in p.opts if text[:2] == "--"
    }
    values = {}
    for name, value in given.items():
        if name not in known:
            raise UsageError(f"no option {name!r}", "", did_you_mean(name, known))
        if value is not None:
            values[str(known[name].name)] = _value(name, known[name], value, hint)
    return complete(declared, values, hint)


def complete(
    declared: Callable[[Any], Any], written: Mapping[str, Any], hint: str
) -> Mapping[str, Any]:
    """All options by parameter, converted, of those that are written by parameter.

    Raises:
        UsageError: a value that an option does not take.
    """
    try:
        return _command(declared).make_context(None, [], default_map=dict(written)).params
    except click.UsageError as error:
        said = error.format_message().rstrip(".")
    # Not in the handler: click's error as context cannot be pickled, as clusters do with errors.
    raise UsageError(said, "", hint)


def params_of(declared: Callable[[Any], Any]) -> list[click.Option]:
    """Options of a stack, in their order; new ones with every call."""

    @declared
    def nothing() -> None:
        """Never called."""

    return list(reversed(nothing.__click_params__))


@cache
def _command(declared: Callable[[Any], Any]) -> click.Command:
    """Nothing but its options, which ask no environment."""
    params = params_of(declared)
    for param in params:
        param.envvar = None
    return click.Command(None, params=list(params))


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
