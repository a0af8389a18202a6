# SPDX-License-Identifier: Apache-2.0
"""Defaults from `mcuplan.toml` or `[tool.mcuplan]` in `pyproject.toml`.

Flags beat environment variables, these beat the file. Paths in a file are relative to it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mcuplan.config.keys import KEYS
from mcuplan.errors import ConfigError, McuplanError, Problems, did_you_mean

__all__ = ["KEYS", "find_config", "read_config"]

_MAX_FILE_BYTES = 1 << 20
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


def read_config(path: Path) -> Mapping[str, Any]:
    """Checked values by key, as the options of the command line take them.

    Raises:
        ConfigError, Problems: every mistake of the file at once.
    """
    try:
        document = tomllib.loads(_read(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not valid TOML: {str(error)[:160]}", path.name) from None
    values = document
    if path.name == "pyproject.toml":
        tool = document.get("tool", {})
        values = tool.get("mcuplan", {}) if isinstance(tool, dict) else tool
    if not isinstance(values, dict):
        raise ConfigError("tool.mcuplan is not a table", path.name, "write [tool.mcuplan]")
    errors: list[McuplanError] = []
    found: dict[str, Any] = {}
    for key, value in values.items():
        where = f"{path.name}: {key}"
        if key not in KEYS:
            hint = did_you_mean(key.replace("_", "-"), KEYS)
            errors.append(ConfigError(f"unknown key {key!r}", path.name, hint))
            continue
        try:
            found[key] = _placed(key, KEYS[key](value), path)
        except ValueError as error:
            errors.append(ConfigError(str(error), where))
    Problems.raise_if_any(errors)
    return MappingProxyType(found)


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
