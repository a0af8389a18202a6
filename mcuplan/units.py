# SPDX-License-Identifier: Apache-2.0
"""Numbers with their origin, and how numbers are printed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Estimate", "Origin", "align_up", "counted", "format_bytes", "format_si"]


class Origin(StrEnum):
    """Where a number comes from."""

    EXACT = "exact"
    MEASURED = "measured"
    MODELLED = "modelled"
    DATASHEET = "datasheet"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its unit and origin; ``note`` says how, for readers."""

    value: float
    unit: str
    origin: Origin
    note: str = ""


def align_up(value: int, alignment: int) -> int:
    """Smallest multiple of ``alignment`` (> 0) that is at least ``value``."""
    return -(-value // alignment) * alignment


def counted(count: int, noun: str) -> str:
    """``1 note``, ``2 notes``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def format_bytes(value: int) -> str:
    """Exact bytes with thousands separators: ``86,400 B``."""
    return f"{value:,} B"


def format_si(value: float, unit: str = "") -> str:
    """Three significant digits with an SI prefix (powers of 1000): ``12.5 M``, ``3.2 ms``."""
    if value == 0:
        return f"0 {unit}".rstrip()
    steps = [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u")]
    steps += [(1e-9, "n"), (1e-12, "p")]
    for factor, prefix in steps:
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.3g} {prefix}{unit}".rstrip()
    return f"{value:.3g} {unit}".rstrip()
