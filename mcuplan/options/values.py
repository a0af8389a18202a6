# SPDX-License-Identifier: Apache-2.0
"""Types of the values that options take."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcuplan.config.parse import (
    parse_block,
    parse_columns,
    parse_count,
    parse_failing,
    parse_layer,
    parse_observer,
    parse_percent,
    parse_range,
    parse_region,
    parse_seconds,
    parse_size,
    parse_state,
    parse_weights,
)

if TYPE_CHECKING:
    from mcuplan.calibrate import Preprocess

__all__ = [
    "BLOCK",
    "CHANGE",
    "COLUMNS",
    "DIM",
    "FAIL_ON",
    "FILE",
    "FORMATS",
    "GRID",
    "LAYER",
    "OBSERVER",
    "PACKAGE",
    "PACKAGES",
    "PERCENT",
    "PREPROCESS",
    "RANGE",
    "REGION",
    "REPORT",
    "ROWS",
    "SECONDS",
    "SIZE",
    "STATE",
    "TIME",
    "WEIGHTS",
    "Factor",
]

FORMATS = (
    *("text", "json", "markdown", "junit", "sarif", "github", "gitlab", "metrics", "svg", "html"),
)

PACKAGES = ("arduino", "cmake", "cmsis-pack", "esp-idf", "make", "platformio", "zephyr")


class _Parsed(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A value read by one of the parsers of the configuration."""

    def __init__(self, name: str, parse: Callable[[str], Any], done: type) -> None:
        self.name, self._parse, self._done = name, parse, done

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, self._done):
            return value
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Factor(click.FloatRange):
    """A number in a range, which NaN is not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; NaN fails."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number", param, ctx)
        return number


def _parse_preprocess(text: str) -> Preprocess:
    from mcuplan.calibrate import parse_preprocess

    return parse_preprocess(text)


def _parse_change(text: str) -> tuple[str, str]:
    from mcuplan.passes.template import parse_change

    return parse_change(text)


def _parse_axis(text: str) -> tuple[str, tuple[str, ...]]:
    from mcuplan.options.grids import parse_axis

    return parse_axis(text)


def _parse_report(text: str) -> tuple[str, Path]:
    form, sign, path = text.partition("=")
    if not sign or not path or form not in FORMATS:
        raise ValueError(f"{text[:60]!r}: write FORMAT=PATH, FORMAT one of {', '.join(FORMATS)}")
    return form, Path(path)


def _parse_packages(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    wrong = [name for name in names if name not in PACKAGES]
    if wrong:
        raise ValueError(f"{wrong[0][:60]!r} is not one of {', '.join(PACKAGES)}")
    return names


SIZE = _Parsed("SIZE", parse_size, int)
REGION = _Parsed("NAME=SIZE", parse_region, tuple)
FAIL_ON = _Parsed("WHAT", parse_failing, tuple)
TIME = _Parsed("TIME", parse_seconds, float)
DIM = _Parsed("NAME=VALUE", parse_count, tuple)
RANGE = _Parsed("NAME=LOW:HIGH", parse_range, tuple)
REPORT = _Parsed("FORMAT=PATH", _parse_report, tuple)
BLOCK = _Parsed("N", parse_block, int)
STATE = _Parsed("IN=OUT", parse_state, tuple)
LAYER = _Parsed("NAME=TYPE", parse_layer, tuple)
WEIGHTS = _Parsed("[NAME=]int4", parse_weights, tuple)
OBSERVER = _Parsed("[NAME=]OBSERVER", parse_observer, tuple)
PERCENT = _Parsed("PERCENT", parse_percent, float)
PACKAGE = _Parsed("A,B,..", _parse_packages, tuple)
COLUMNS = _Parsed("A,B,C", parse_columns, tuple)
CHANGE = _Parsed("CHANGE", _parse_change, tuple)
GRID = _Parsed("KEY=A,B,..", _parse_axis, tuple)
PREPROCESS = _Parsed("KEY=VALUE,...", _parse_preprocess, tuple)
ROWS = click.IntRange(1, 1 << 24)
SECONDS = Factor(0.0, 1e6)


class _File(click.Path):
    """A path; an empty one, as of a variable that is not set, is none, and not this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("is empty: give a path", param, ctx)
        return super().convert(value, param, ctx)


FILE = _File(path_type=Path)
