# SPDX-License-Identifier: Apache-2.0
"""Keys of a configuration, and what checks the value of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

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

__all__ = ["BUDGET_KEYS", "KEYS", "flag"]


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


def _block(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return str(parse_block(value))


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("must be a number")
    return str(value)


def _percent(value: object) -> str:
    return str(parse_percent(value if isinstance(value, str) else _number(value)))


def flag(value: object) -> bool:
    """True or false; ValueError where it is neither."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


KEYS: Mapping[str, Any] = MappingProxyType(
    {
        "target": _text,
        "max-ram": _size,
        "max-flash": _size,
        "max-region": _parsed(parse_region, 'max-region = { sram = "48K" }'),
        "max-latency": _seconds,
        "max-row-latency": _seconds,
        "max-loss": _percent,
        "calibration": _text,
        "baseline": _text,
        "fail-on": _parsed(parse_failing, 'fail-on = ["growth=512", "warning"]'),
        "warn-at": _percent,
        "inputs": _text,
        "observer": _parsed(parse_observer, 'observer = ["mse", "logits=percentile"]'),
        "window": _rows,
        "hop": _rows,
        "columns": _columns,
        "preprocess": _preprocess,
        "close-gaps": flag,
        "headroom": _number,
        "quantize-effort": _text,
        "min-sqnr": _number,
        "input-range": _ranges,
        "io-layout": _text,
        "effort": _text,
        "objective": _text,
        "streaming": _text,
        "keep-input": flag,
        "keep-output": flag,
        "dim": _dims,
        "cut-output": _names,
        "state": _parsed(parse_state, 'state = ["cache_in=cache_out"]'),
        "layer-dtype": _parsed(parse_layer, 'layer-dtype = ["logits=float32"]'),
        "weight-dtype": _parsed(parse_weights, 'weight-dtype = ["int4", "logits=int8"]'),
        "weight-block": _block,
        "name": _text,
        "format": _text,
        "report": _reports,
        "exit-zero": flag,
    }
)
"""Every key of the file with the function that checks its value; long options without ``--``."""

BUDGET_KEYS = (
    *(key for key in KEYS if key.startswith("max-") and key != "max-loss"),
    *("baseline", "fail-on", "warn-at"),
)
"""Keys that may stand in ``[budget]``, too."""
