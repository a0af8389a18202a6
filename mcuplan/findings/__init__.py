# SPDX-License-Identifier: Apache-2.0
"""What a report can find in a model that could be read: codes, what they mean, what to do.

Errors that stop a run are classes (:mod:`mcuplan.errors`); findings stand in a report. Both
share one list of codes, and :func:`explanations` is that list.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from mcuplan.errors import all_error_classes
from mcuplan.findings.finding import DEFECT_HINT, Explanation, Finding, Severity
from mcuplan.findings.grids import GRIDS
from mcuplan.findings.plans import PLANS
from mcuplan.findings.proofs import PROOFS

__all__ = [
    "BUDGETS",
    "DEFECT_HINT",
    "FINDINGS",
    "UNCOUNTED",
    "Explanation",
    "Finding",
    "Severity",
    "explanations",
]

BUDGETS = frozenset({"ram/over-budget", "flash/over-budget", "latency/over-budget"})
"""Findings that say that the model is too large or too slow, not that something is wrong."""

UNCOUNTED = "flash/library"
"""The finding without which nothing would say that a figure is not whole."""

FINDINGS: Mapping[str, Explanation] = {entry.code: entry for entry in (*PLANS, *GRIDS, *PROOFS)}
"""By code, in the order of documentation."""


def explanations() -> Mapping[str, Explanation]:
    """Every code of errors and findings, sorted by code."""
    found = dict(FINDINGS)
    for cls in all_error_classes():
        text = inspect.cleandoc(cls.__doc__ or "")
        meaning, _, action = text.partition("\n\nWhat to do:")
        found.setdefault(cls.code, Explanation(cls.code, _line(meaning), _line(action)))
    return dict(sorted(found.items()))


def _line(text: str) -> str:
    return " ".join(text.split())
