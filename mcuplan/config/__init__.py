# SPDX-License-Identifier: Apache-2.0
"""Defaults from `mcuplan.toml` or `[tool.mcuplan]` in `pyproject.toml`.

Flags beat environment variables, these beat the file. Paths in a file are relative to it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mcuplan.config.keys import BUDGET_KEYS, KEYS
from mcuplan.config.lines import line_of, lines_of
from mcuplan.errors import ConfigError, McuplanError, Problems
from mcuplan.spelling import did_you_mean

__all__ = ["KEYS", "find_config", "read_config"]

_MAX_FILE_BYTES = 1 << 20
_MOST_PROBLEMS = 100  # nobody reads more, and a file of a megabyte may have a hundred thousand
_TABLES = ("budget", "models")
_PATHS = frozenset({"calibration", "baseline", "inputs"})


def find_config(start: Path) -> Path | None:
    """The nearest configuration, from a folder upwards to the root of its repository.

    `mcuplan.toml` wins over `pyproject.toml` beside it, which counts only with a table
    ``[tool.mcuplan]``. Outside a repository only ``start`` itself is looked at.
    """
    for folder in _folders(start.resolve()):
        own = folder / "mcuplan.toml"
        if own.is_file():
            return own
        shared = folder / "pyproject.toml"
        if shared.is_file() and b"[tool.mcuplan" in _read(shared):
            return shared
    return None


def _folders(start: Path) -> Iterator[Path]:
    chain = (start, *start.parents)
    root = next((folder for folder in chain if (folder / ".git").exists()), start)
    for folder in chain:
        yield folder
        if folder == root:
            return


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ConfigError("is not a regular file", path.name)
        with path.open("rb") as stream:
            return stream.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", path.name) from None


def read_config(path: Path, model: Path | None = None) -> Mapping[str, Any]:
    """Checked values by key, as the options of the command line take them.

    Args:
        path: the file.
        model: whose table in ``[models]`` counts on top: named by its path from the file, else by
            its last part.

    Raises:
        ConfigError, Problems: every mistake of the file at once, up to a hundred.
    """
    raw = _read(path)
    try:
        text = raw.decode("utf-8")
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not valid TOML: {str(error)[:160]}", path.name) from None
    tables = ("tool", "mcuplan") if path.name == "pyproject.toml" else ()
    values: Any = document
    for table in tables:
        values = values.get(table, {}) if isinstance(values, dict) else values
    if not isinstance(values, dict):
        raise ConfigError("tool.mcuplan is not a table", path.name, "write [tool.mcuplan]")
    reading = _Reading(path, text, tables)
    found = reading.values(values, (), (*KEYS, *_TABLES))
    models = {
        name: reading.values(table, ("models", name), (*KEYS, "budget"))
        for name, table in reading.table(values, "models").items()
    }
    Problems.raise_if_any(reading.errors)
    return MappingProxyType({**found, **_of_model(models, path, model)})


def _of_model(models: Mapping[str, dict[str, Any]], path: Path, model: Path | None) -> Any:
    if model is None:
        return {}
    try:
        inside = model.resolve().relative_to(path.parent.resolve()).as_posix()
    except (ValueError, OSError):
        inside = ""
    return models.get(inside) or models.get(model.name) or {}


class _Reading:
    """One file; problems are collected with the line they stand in."""

    def __init__(self, path: Path, text: str, tables: tuple[str, ...]) -> None:
        self.errors: list[McuplanError] = []
        self._path, self._text, self._tables = path, text, tables

    @cached_property
    def _lines(self) -> Mapping[tuple[str, ...], int]:
        return lines_of(self._text)

    def values(self, given: Any, at: tuple[str, ...], known: Sequence[str]) -> dict[str, Any]:
        """Checked values of a table and of ``[budget]`` in it."""
        found: dict[str, Any] = {}
        if not isinstance(given, dict):
            self._wrong("must be a table", at)
            return found
        for key, value in given.items():
            where = (*at, key)
            if len(self.errors) >= _MOST_PROBLEMS:
                break
            if key not in known:
                self._wrong(f"unknown key {key!r}", where, did_you_mean(_spelt(key), known))
            elif key == "budget":
                found |= self._budget(given, value, where)
            elif key in KEYS:
                found |= self._value(key, value, where)
        return found

    def table(self, given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """A table of tables; empty where there is none."""
        found = given.get(key, {})
        if not isinstance(found, dict):
            self._wrong('must be a table: [models."kws.onnx"]', (key,))
            return {}
        return found

    def _budget(self, around: Any, value: Any, where: tuple[str, ...]) -> dict[str, Any]:
        for key in value if isinstance(value, dict) else ():
            if key in BUDGET_KEYS and key in around:
                self._wrong(f"{key} stands outside of the table, too", (*where, key), "leave one")
        return self.values(value, where, BUDGET_KEYS)

    def _value(self, key: str, value: Any, where: tuple[str, ...]) -> dict[str, Any]:
        try:
            return {key: _placed(key, KEYS[key](value), self._path)}
        except ValueError as error:
            self._wrong(str(error), where)
            return {}

    def _wrong(self, what: str, where: tuple[str, ...], hint: str = "") -> None:
        line = line_of(self._lines, (*self._tables, *where))
        place = f"{self._path.name}:{line}" if line else self._path.name
        self.errors.append(ConfigError(what, f"{place}: {'.'.join(where)}", hint))


def _spelt(key: str) -> str:
    return key.replace("_", "-")


def _placed(key: str, value: Any, path: Path) -> Any:
    """Paths relative to the file; a target file too, where the text is a path."""
    if key == "calibration" and value == "random":
        return value
    if key in _PATHS or (key == "target" and re.search(r"[/\\]|\.toml$", value)):
        return str(path.parent / value)
    if key == "report":
        split = [text.split("=", 1) for text in value]
        return tuple(f"{form}={path.parent / name}" for form, name in split)
    return value
