# SPDX-License-Identifier: Apache-2.0
"""Sizes, times, names and the like, as they are written in options and in a configuration."""

from __future__ import annotations

import math
import re

__all__ = [
    "FAILING",
    "parse_block",
    "parse_columns",
    "parse_count",
    "parse_failing",
    "parse_layer",
    "parse_observer",
    "parse_percent",
    "parse_range",
    "parse_region",
    "parse_seconds",
    "parse_size",
    "parse_state",
    "parse_weights",
]

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
FAILING = ("budget", "growth", "warning")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


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


def parse_region(text: str) -> tuple[str, int]:
    """``NAME=SIZE``: what a memory of the target may hold at most.

    Raises:
        ValueError: it is not.
    """
    name, sign, size = text.rpartition("=")
    if not (sign and name):
        raise ValueError(f"{text[:60]!r}: write NAME=SIZE, e.g. sram=48K")
    return name, parse_size(size)


def parse_failing(text: str) -> tuple[str, int]:
    """``budget``, ``warning``, ``growth`` or ``growth=BYTES``: what fails, and from what on.

    Raises:
        ValueError: it is none of them.
    """
    what, sign, size = text.partition("=")
    if what not in FAILING or (sign and what != "growth"):
        raise ValueError(f"{text[:60]!r}: write {', '.join(FAILING)} or growth=BYTES")
    return what, parse_size(size) if sign else 0


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


def parse_block(text: str | int) -> int:
    """How many weights of 4 bits share a scale: a multiple of 8 up to 4096.

    Raises:
        ValueError: it is not.
    """
    written = str(text).strip()
    size = int(written) if re.fullmatch(r"[0-9]{1,4}", written) else 0
    if not 8 <= size <= 4096 or size % 8:
        raise ValueError(f"{written[:40]!r}: write a multiple of 8, e.g. 32")
    return size


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
