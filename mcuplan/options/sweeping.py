# SPDX-License-Identifier: Apache-2.0
"""Options of `check` for many models: what is given several times makes several sets of options."""

from __future__ import annotations

import itertools
import math
import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from mcuplan.errors import UsageError
from mcuplan.options import checking, stack
from mcuplan.options.forms import grid
from mcuplan.options.grids import columns, points
from mcuplan.options.keywords import complete, params_of

__all__ = ["OptionSet", "option_sets", "sweeping"]

_NOT_OF_MANY = frozenset(
    {
        *("target", "name", "baseline", "failing", "dump_after"),  # are of one model, or of text
        *("build", "library", "advice", "time_limit"),  # take minutes, and no column shows them
        "frontier",
    }
)
_MOST = 10_000  # sets of options, as points of a grid
_COLUMNS = ("objective", "streaming", "dtype", "backend", "effort")


@dataclass(frozen=True, slots=True)
class OptionSet:
    """Options that one model is checked with.

    Attributes:
        values: converted and complete, but for the target; samples by their whole path.
        columns: of a row, that say them.
    """

    values: Mapping[str, Any]
    columns: Mapping[str, Any]


class _AsWritten(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A value that another type can convert, as it was written."""

    def __init__(self, read: Any) -> None:
        self.name, self._read = read.name, read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text; fails where the other type does."""
        self._read.convert(value, param, ctx)
        return str(value)


def _params() -> tuple[click.Option, ...]:
    """Options of `check` that one of many models can have."""
    return tuple(p for p in params_of(checking) if p.name not in _NOT_OF_MANY)


def _is_single(param: click.Option) -> bool:
    return not (param.multiple or param.is_flag)


def _declared(param: click.Option) -> Callable[[Any], Any]:
    """The same option, given as often as one likes."""
    named = [*param.opts, *param.secondary_opts, str(param.name)]
    settings: dict[str, Any] = {"help": param.help, "envvar": param.envvar}
    if param.is_flag:
        return click.option(*named, is_flag=True, **settings)
    chosen = isinstance(param.type, click.Choice | click.types.StringParamType)
    settings["type"] = param.type if chosen else _AsWritten(param.type)
    return click.option(*named, multiple=True, metavar=param.metavar, **settings)


sweeping = stack([*(_declared(param) for param in _params()), grid])


def option_sets(
    given: Mapping[str, Any], stated: Collection[str], configured: Mapping[str, Any]
) -> Iterator[OptionSet]:
    """Every combination of the values of options that `check` takes once, at each point of a grid.

    Args:
        given: values of ``sweeping`` by parameter, as they were written; axes of a grid are read.
        stated: parameters that were given; others are as configured, or by default.
        configured: values of a configuration by parameter.

    Raises:
        UsageError: a value that an option does not take, no grid, or too many combinations.
    """
    params, forms = _params(), list(points(given.get("axes", ()), given["changes"]))
    each: list[list[Any]] = []
    for param in params:
        name = str(param.name)
        values = given[name] if name in stated else configured.get(name)
        if values is None or values == ():
            each.append([None])
        elif _is_single(param):
            several = values if isinstance(values, list | tuple) else (values,)
            each.append(list(dict.fromkeys(str(one) for one in several)))
        else:
            each.append([values])
    count = math.prod(map(len, [*each, forms]))
    if count > _MOST:
        what = f"options have {count:,} combinations, {_MOST:,} are the most"
        raise UsageError(what, "", "fewer values, in several sweeps")
    for chosen in itertools.product(*each):
        for form in forms:
            yield _set(dict(zip(params, chosen, strict=True)), form)


def _set(chosen: Mapping[click.Option, Any], form: Sequence[str]) -> OptionSet:
    written = {str(p.name): v for p, v in chosen.items() if v not in (None, False)}
    if form:
        written["changes"] = (*written.get("changes", ()), *form)
    values = dict(complete(checking, written, "mcuplan sweep --help"))
    if values["calibration"] not in (None, "random"):
        values["calibration"] = os.path.abspath(values["calibration"])
    words = []
    for param in chosen:
        value = written.get(str(param.name))
        if value is None or str(value) == str(param.default):
            continue
        name = max(param.opts, key=len).removeprefix("--")
        if param.is_flag:
            words.append(name)
            continue
        several = value if isinstance(value, list | tuple) else (value,)
        words += [f"{name}={shlex.quote(str(one))}" for one in several]
    said: dict[str, Any] = {name: str(values[name]) for name in _COLUMNS}
    said["options"] = " ".join(words)
    said["reshape"] = " ".join(str(text) for text in written.get("changes", ()))
    return OptionSet(values, {**said, **columns(values["changes"])})
