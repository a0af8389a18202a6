# SPDX-License-Identifier: Apache-2.0
"""What a report was asked for, as a command that asks for it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import click
from click.core import ParameterSource

__all__ = ["Asking", "Configuration", "OfModel", "command_words", "words_by_name"]

_GIVEN, _WHOLE = f"{__name__}.given", f"{__name__}.whole"
_FILES = frozenset({"model", "target", "calibration", "inputs", "baseline"})
_LOOKS = frozenset({"form", "every_layer", "exit_zero", "verbose", "quiet", "dump_after"})
_RESULTS = frozenset({"reports", "output", "save"})
_STATED = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Defaults of options for a model, by the names of parameters, and the file they stand in."""

    path: Path
    of: Callable[[Path | None], dict[str, Any]]


class OfModel(click.Command):
    """A command whose options have defaults for the model it is given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with what the configuration says of the model."""
        written, _, _ = self.make_parser(ctx).parse_args(list(args))
        if isinstance(ctx.obj, Configuration) and written.get("model"):
            ctx.default_map = ctx.obj.of(Path(str(written["model"])))
        return super().parse_args(ctx, args)


class Asking(OfModel):
    """A command that keeps its options as they were written, wherever they come from."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and keep the values before they are converted."""
        written, _, _ = self.make_parser(ctx).parse_args(list(args))
        rest, words = super().parse_args(ctx, args), [str(self.name)]
        whole: dict[str, tuple[str, ...]] = {}
        for param in self.params:
            value, source = param.consume_value(ctx, written)
            if source in _STATED and param.name not in _LOOKS | _RESULTS:
                words += _words(param, value)
                whole[str(param.name)] = tuple(_words(param, value, whole=True))
        ctx.meta[_GIVEN], ctx.meta[_WHOLE] = tuple(words), whole
        return rest


def command_words() -> tuple[str, ...]:
    """Command, model and options of the running command that decide what is in its report."""
    context = click.get_current_context(silent=True)
    return tuple(context.meta.get(_GIVEN, ())) if context is not None else ()


def words_by_name() -> Mapping[str, tuple[str, ...]]:
    """The same by parameter, with whole paths: what the command is run again with."""
    context = click.get_current_context(silent=True)
    return dict(context.meta.get(_WHOLE, {})) if context is not None else {}


def _words(param: click.Parameter, value: Any, *, whole: bool = False) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    short = param.name in _FILES and not whole
    texts = [_file_name(str(one)) if short else str(one) for one in values]
    if isinstance(param, click.Argument):
        return texts
    name = max(param.opts, key=len)
    if isinstance(param, click.Option) and param.is_flag:
        return [name] if value in (True, "true", "1") else []
    return [word for text in texts for word in (name, text)]


def _file_name(text: str) -> str:
    """The last part: where a file lies is no part of a report."""
    return PurePath(text).name or text
