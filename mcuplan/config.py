# SPDX-License-Identifier: Apache-2.0
"""Defaults from `mcuplan.toml` or `[tool.mcuplan]` in `pyproject.toml`, and sizes in words.

Flags beat environment variables, these beat the file. Paths in a file are relative to it.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mcuplan.errors import ConfigError, McuplanError, Problems, did_you_mean

__all__ = [
    "KEYS",
    "find_config",
    "parse_columns",
    "parse_count",
    "parse_layer",
    "parse_observer",
    "parse_percent",
    "parse_range",
    "parse_seconds",
    "parse_size",
    "parse_state",
    "parse_weights",
    "read_config",
]

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_MAX_FILE_BYTES = 1 << 20


def parse_size(text: str | int) -> int:
    """Bytes of ``65536``, ``64K``, ``64KB``, ``64KiB``, ``1.5M``: units of 1024.

    Raises:
        ValueError: the text is no such size, or the size is no whole number of bytes.
    """
    found = re.fullmatch(
        r"([0-9][0-9_]*(?:\.[0-9]+)?)\s*([kmg]?)(?:i?b)?", str(text).strip().lower()
    )
    if found is None:
        raise ValueError(f"{str(text)[:40]!r} is no size: write 65536, 64K or 64KiB")
    value = float(found[1].replace("_", "")) * _UNITS[found[2]]
    if value > 1 << 40 or value != int(value):
        raise ValueError(f"{str(text)[:40]!r} is no whole number of bytes in reach")
    return int(value)


def parse_seconds(text: str | float) -> float:
    """Seconds of ``50ms``, ``0.05s``, ``50 us``; a unit is required.

    Raises:
        ValueError: the text is no such time, not above 0, or without end.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(s|ms|us|ns)", str(text).strip().lower())
    if found is None or not 0 < float(found[1]) < 1e12:
        raise ValueError(f"{str(text)[:40]!r} is no time: write 50ms, 0.05s or 800us")
    return float(found[1]) * _SECONDS[found[2]]


def parse_percent(text: str) -> float:
    """Percent of ``1%``, ``0.5 %`` or ``0.5``; ValueError where it is not from 0 to 100."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%?", str(text).strip())
    if found is None or float(found[1]) > 100:
        raise ValueError(f"{str(text)[:40]!r} is no percentage: write 1% or 0.5%")
    return float(found[1])


def parse_count(text: str) -> tuple[str, int]:
    """``NAME=VALUE`` with a whole value of at least 1.

    Raises:
        ValueError: it is not.
    """
    name, sign, value = text.rpartition("=")
    if not sign or not name or not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        ways = "NAME=VALUE or INPUT:AXIS=VALUE, of 1 or more, e.g. batch=1"
        raise ValueError(f"{text[:60]!r}: write {ways}")
    return name, int(value)


def parse_range(text: str) -> tuple[str, tuple[float, float]]:
    """``NAME=LOW:HIGH``, or ``LOW:HIGH`` with an empty name for the only input.

    Raises:
        ValueError: it is not, or LOW is not below HIGH.
    """
    name, sign, ends = text.rpartition("=")
    low, _, high = ends.partition(":")
    try:
        found = float(low), float(high)
    except ValueError:
        found = math.nan, math.nan
    if (sign and not name) or not found[0] < found[1] or math.inf in map(abs, found):
        raise ValueError(f"{text[:60]!r}: write NAME=LOW:HIGH, e.g. image=0:255")
    return name, found


def parse_state(text: str) -> tuple[str, str]:
    """``IN=OUT``: a model input, and the output that it is in the next call; ``none``: no state.

    Raises:
        ValueError: it is not.
    """
    if text == "none":
        return "", ""
    read, sign, written = text.partition("=")
    if not (sign and read and written):
        raise ValueError(f"{text[:60]!r}: write IN=OUT, e.g. cache_in=cache_out")
    return read, written


def parse_layer(text: str) -> tuple[str, str]:
    """``NAME=float32`` or ``NAME=int16``: what a layer of an int8 model computes in.

    Raises:
        ValueError: it is not.
    """
    name, sign, dtype = text.rpartition("=")
    if not (sign and name and dtype in ("float32", "int16")):
        said = "write NAME=float32 or NAME=int16, the layer as the model names it"
        raise ValueError(f"{text[:60]!r}: {said}")
    return name, dtype


def parse_weights(text: str) -> tuple[str, str]:
    """``int4`` or ``int8``, or ``NAME=int4`` for one layer; all others have the empty name.

    Raises:
        ValueError: it is not.
    """
    name, sign, dtype = text.rpartition("=")
    if (sign and not name) or dtype not in ("int4", "int8"):
        raise ValueError(f"{text[:60]!r}: write int4, or NAME=int4 or NAME=int8 for one layer")
    return name, dtype


def parse_observer(text: str) -> tuple[str, str]:
    """``OBSERVER``, or ``NAME=OBSERVER`` for a tensor or layer; all others have the empty name.

    Raises:
        ValueError: there is no such observer.
    """
    from mcuplan.quant.named_observers import AUTO, observer_named

    name, sign, observer = text.rpartition("=")
    if (sign and not name) or (name and observer == AUTO):
        raise ValueError(f"{text[:60]!r}: write NAME=OBSERVER, e.g. logits=percentile")
    if observer != AUTO:
        observer_named(observer)
    return name, observer


def parse_columns(text: str) -> tuple[str, ...]:
    """``A,B,C``: columns of a table by name, or by number from 1.

    Raises:
        ValueError: one is named twice, or there is none.
    """
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(f"{text[:60]!r}: write A,B,C, each once")
    return names


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text in quotes")
    if "\0" in value:
        raise ValueError("holds a zero byte")
    return value


def _size(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError('must be a size, e.g. "64K" or 65536')
    return str(parse_size(value))


def _seconds(value: object) -> str:
    parse_seconds(_text(value))
    return _text(value)


def _dims(value: object) -> tuple[str, ...]:
    if not isinstance(value, dict):
        raise ValueError("must be a table: dim = { batch = 1 }")
    made = tuple(f"{name}={count}" for name, count in value.items())
    for text in made:
        parse_count(text)
    return made


def _ranges(value: object) -> tuple[str, ...]:
    made = (value,) if isinstance(value, str) else value
    if isinstance(made, dict):
        made = tuple(f"{name}={ends}" for name, ends in made.items())
    if not isinstance(made, tuple):
        raise ValueError('must be a table or a text: input-range = { image = "0:255" }')
    for text in made:
        parse_range(text)
    return made


def _names(value: object, like: str = 'cut-output = ["boxes", "scores"]') -> tuple[str, ...]:
    made = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) and name.strip() for name in made):
        raise ValueError(f"must be a text or a list of texts: {like}")
    return tuple(made)


def _parsed(parse: Callable[[str], object], example: str) -> Callable[[object], tuple[str, ...]]:
    """Reads texts, also as a table of names and values, each of which can be parsed."""

    def read(value: object) -> tuple[str, ...]:
        if isinstance(value, dict):
            value = [f"{name}={each}" for name, each in value.items()]
        made = _names(value, example)
        for text in made:
            parse(text)
        return made

    return read


def _reports(value: object) -> tuple[str, ...]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError('must be a table: report = { junit = "mcuplan.xml" }')
    if any("\0" in v for v in value.values()):
        raise ValueError("holds a zero byte")
    return tuple(f"{form}={path}" for form, path in value.items())


def _columns(value: object) -> str:
    each = value if isinstance(value, list) else [value]
    texts = [str(name) if type(name) is int else name for name in each]
    made = ",".join(_names(texts, 'columns = ["ax", "ay", 3]'))
    parse_columns(made)
    return made


def _preprocess(value: object) -> str:
    from mcuplan.calibrate import parse_preprocess

    if isinstance(value, dict):
        value = ",".join(f"{key}={each}" for key, each in value.items())
    parse_preprocess(_text(value))
    return str(value)


def _rows(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be a number of rows, 1 or more")
    return str(value)


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("must be a number")
    return str(value)


def _percent(value: object) -> str:
    return str(parse_percent(value if isinstance(value, str) else _number(value)))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


_PATHS = frozenset({"calibration", "baseline", "inputs"})
KEYS: Mapping[str, Any] = MappingProxyType(
    {
        "target": _text,
        "max-ram": _size,
        "max-flash": _size,
        "max-latency": _seconds,
        "max-row-latency": _seconds,
        "max-loss": _percent,
        "calibration": _text,
        "baseline": _text,
        "inputs": _text,
        "observer": _parsed(parse_observer, 'observer = ["mse", "logits=percentile"]'),
        "window": _rows,
        "hop": _rows,
        "columns": _columns,
        "preprocess": _preprocess,
        "close-gaps": _flag,
        "headroom": _number,
        "quantize-effort": _text,
        "min-sqnr": _number,
        "input-range": _ranges,
        "io-layout": _text,
        "effort": _text,
        "objective": _text,
        "streaming": _text,
        "keep-input": _flag,
        "keep-output": _flag,
        "dim": _dims,
        "cut-output": _names,
        "state": _parsed(parse_state, 'state = ["cache_in=cache_out"]'),
        "layer-dtype": _parsed(parse_layer, 'layer-dtype = ["logits=float32"]'),
        "weight-dtype": _parsed(parse_weights, 'weight-dtype = ["int4", "logits=int8"]'),
        "name": _text,
        "format": _text,
        "report": _reports,
        "exit-zero": _flag,
    }
)
"""Every key of the file with the function that checks its value; long options without ``--``."""


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
