# SPDX-License-Identifier: Apache-2.0
"""What a finding is, and what explains its code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

__all__ = ["DEFECT_HINT", "Explanation", "Finding", "Severity"]

DEFECT_HINT = "keep the folder and report it"
"""What to do about a finding that only a defect of mcuplan, or of a compiler, can cause."""


class Severity(StrEnum):
    """How much a finding weighs: only an error changes the exit status."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a report says about the model, beyond its figures."""

    code: Annotated[str, (("pattern", "^[a-z]+/[a-z0-9-]+$"),)]
    severity: Severity
    message: str
    where: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means and what to do about it."""

    code: str
    meaning: str
    action: str
