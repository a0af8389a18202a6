# SPDX-License-Identifier: Apache-2.0
"""Figures by the words that people use for them, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mcuplan.errors import UsageError
from mcuplan.record.front import Objective
from mcuplan.safe_text import shown
from mcuplan.spelling import did_you_mean

__all__ = ["column_of", "objective"]

_ENDS = ("_bytes", "_s", "_j", "_percent")
_UNITS: Mapping[str, str] = MappingProxyType(
    {"_bytes": "B", "_s": "s", "_j": "J", "_percent": "%", "_hz": "Hz"}
)
_WORDS: Mapping[str, str] = MappingProxyType({"ram": "RAM", "macs": "MACs", "loss": "loss"})
_MOST = ("accuracy", "auc", "f1", "precision", "recall", "throughput", "top1")
"""What is better the more of it there is, unless somebody says otherwise."""


def column_of(name: str, names: Sequence[str], option: str) -> str:
    """The column that a word stands for: ram for ram_bytes, latency for latency_s.

    Raises:
        UsageError: there is none.
    """
    word = name.replace("-", "_")
    found = next((n for n in (name, *(f"{word}{end}" for end in ("", *_ENDS))) if n in names), "")
    if not found:
        known = [_short(each) for each in names]
        hint = did_you_mean(name, known)
        if word in _MOST:
            hint = "--join FILE.csv, with the columns model and accuracy"
        raise UsageError(f"the table has no column {shown(name)!r}", option, hint)
    return found


def objective(column: str, most: Sequence[str] = (), least: Sequence[str] = ()) -> Objective:
    """A column as what models are compared by.

    Args:
        column: of the table.
        most: columns of which the most is best.
        least: those of which the least is, whatever they are called.
    """
    end = next((end for end in _UNITS if column.endswith(end)), "")
    word = column.removesuffix(end)
    unit = "cycles" if column == "cycles" else _UNITS.get(end, "")
    wanted = column in most or (word.lower() in _MOST and column not in least)
    return Objective(_WORDS.get(word, word.replace("_", " ")), column, unit, wanted)


def _short(column: str) -> str:
    end = next((end for end in _ENDS if column.endswith(end)), "")
    return column.removesuffix(end)
