# SPDX-License-Identifier: Apache-2.0
"""Sums bytes and cycles once: a plan becomes a :class:`Budget`, which reports only render."""

from __future__ import annotations

from mcuplan.budget.advice import with_ram_advice
from mcuplan.budget.assess import Against, Evidence, Planned, Source, assess, undecided
from mcuplan.budget.code_model import BuildFigures
from mcuplan.budget.footprint import Limits
from mcuplan.budget.growth import compare, compared_from_report, read_report
from mcuplan.budget.prices import with_frontier
from mcuplan.budget.record import (
    SCHEMA,
    Accuracy,
    Baseline,
    Budget,
    ChannelError,
    ElfFigures,
    OutputError,
    StackFigures,
    Status,
    Undecided,
    Verification,
)

__all__ = [
    "SCHEMA",
    "Accuracy",
    "Against",
    "Baseline",
    "Budget",
    "BuildFigures",
    "ChannelError",
    "ElfFigures",
    "Evidence",
    "Limits",
    "OutputError",
    "Planned",
    "Source",
    "StackFigures",
    "Status",
    "Undecided",
    "Verification",
    "assess",
    "compare",
    "compared_from_report",
    "read_report",
    "undecided",
    "with_frontier",
    "with_ram_advice",
]
