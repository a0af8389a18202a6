# SPDX-License-Identifier: Apache-2.0
"""How files become samples: windows of a series, and pixels of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from mcuplan.errors import DataError
from mcuplan.ir.types import Array

__all__ = ["FILTERS", "Preprocess", "Reading", "Windows", "parse_preprocess"]

FILTERS = ("nearest", "bilinear", "bicubic", "box")
"""Ways to resize an image."""

_MOST_PIXELS = 1 << 14  # along an edge
_LARGEST = float(np.finfo(np.float32).max)
_WAYS = "KEY=VALUE,...: size layout order mean scale filter, e.g. size=96x96,scale=1/255"


@dataclass(frozen=True, slots=True)
class Preprocess:
    """From what a file holds to an input: ``(value - mean) * scale``, one each or one a channel.

    ``size``: width and height to which an image is resized, one number for its shorter edge; what
    is larger than the input is cut off around the centre. None: that of the input. ``layout``,
    ``order``: of axes and of channels. ``stated``: keys that were given.
    """

    size: tuple[int, int] | int | None = None
    layout: str | None = None
    order: str = "rgb"
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    filter: str = "bilinear"
    stated: frozenset[str] = frozenset()

    def values(self, channels_last: Array) -> Array:
        """The input's values of an array [..., channels], in float32.

        Raises:
            DataError: there are other channels than means or scales, or values beyond float32.
        """
        many = channels_last.shape[-1]
        for key, given in (("mean", self.mean), ("scale", self.scale)):
            if len(given) not in (1, many):
                what = f"{len(given)} values of {key} for {many} channels"
                raise DataError(what, f"--preprocess {key}", "one value, or one for each channel")
        mean, scale = np.array(self.mean), np.array(self.scale)
        with np.errstate(over="ignore"):  # refused below
            made: Array = (channels_last.astype(np.float64) - mean) * scale
        if np.abs(made).max(initial=0.0) > _LARGEST:
            raise DataError("values beyond float32", "--preprocess scale", "a smaller scale")
        return made.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Windows:
    """How rows of a table become samples.

    ``rows``: in a window; None: as many as the input takes. ``hop``: rows from one window to the
    next; None: windows follow one another. ``columns``: by name or number from 1; none: all.
    """

    rows: int | None = None
    hop: int | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What the user says of files that hold no arrays."""

    windows: Windows = field(default_factory=Windows)
    preprocess: Preprocess = field(default_factory=Preprocess)


def parse_preprocess(text: str) -> Preprocess:
    """``KEY=VALUE,...`` as of ``--preprocess``.

    Raises:
        ValueError: it is not.
    """
    made = Preprocess()
    for part in filter(None, text.split(",")):
        key, sign, value = (each.strip() for each in part.partition("="))
        if not sign or key not in _PARSERS or key in made.stated:
            raise ValueError(f"{part[:40]!r}: write {_WAYS}")
        try:
            found = _PARSERS[key](value)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise ValueError(f"{part[:40]!r}: {error}") from None
        made = replace(made, stated=made.stated | {key}, **{key: found})
    if not made.stated:
        raise ValueError(f"write {_WAYS}")
    return made


def _size(text: str) -> tuple[int, int] | int:
    edges = [int(part) for part in text.lower().split("x")]
    if len(edges) > 2 or not all(1 <= edge <= _MOST_PIXELS for edge in edges):
        raise ValueError(f"write size=WIDTHxHEIGHT, or the shorter edge, to {_MOST_PIXELS}")
    return (edges[0], edges[1]) if len(edges) == 2 else edges[0]


def _numbers(text: str) -> tuple[float, ...]:
    """``1/255`` or ``123.7:116.3:103.5``."""
    found = []
    for part in text.split(":"):
        above, _, below = part.partition("/")
        found.append(float(above) / float(below or 1.0))
    if not all(map(math.isfinite, found)):
        raise ValueError("write finite numbers")
    return tuple(found)


def _scales(text: str) -> tuple[float, ...]:
    found = _numbers(text)
    if 0.0 in found:
        raise ValueError("a scale of 0 leaves nothing")
    return found


def _one_of(*known: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return text.lower()

    return parse


_PARSERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "size": _size,
        "layout": _one_of("nhwc", "nchw"),
        "order": _one_of("rgb", "bgr"),
        "mean": _numbers,
        "scale": _scales,
        "filter": _one_of(*FILTERS),
    }
)
