# SPDX-License-Identifier: Apache-2.0
"""What all errors have: a code, a place, a hint, and an exit status; and several at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "EXIT_FITS",
    "EXIT_OVER",
    "EXIT_TOOL",
    "EXIT_UNDECIDED",
    "EXIT_USAGE",
    "McuplanError",
    "Problems",
]

EXIT_FITS, EXIT_OVER, EXIT_USAGE, EXIT_UNDECIDED, EXIT_TOOL = range(5)


@dataclass(eq=False)  # not frozen: raising sets __traceback__
class McuplanError(Exception):
    """One thing a user can act on.

    ``where`` names the place in the user's own names (model node, TOML key, file);
    ``hint`` is an action: a flag, a command, an edit.
    """

    message: str
    where: str = ""
    hint: str = ""
    code: ClassVar[str] = "internal/error"
    exit_status: ClassVar[int] = EXIT_USAGE
    verdict: ClassVar[str] = "unproven"  # of a model that nothing else is known of

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        return f"{self.message}{place}"


@dataclass(eq=False)
class Problems(Exception):
    """Several problems found in one run; never empty."""

    errors: tuple[McuplanError, ...]

    @property
    def exit_status(self) -> int:
        """The status of the gravest problem: 4 before 3 before 2."""
        return max(error.exit_status for error in self.errors)

    def __str__(self) -> str:
        return "\n".join(f"{error.code}: {error}" for error in self.errors)

    @staticmethod
    def raise_if_any(errors: Iterable[McuplanError]) -> None:
        """Raise what was collected: nothing, the one error, or all together."""
        found = tuple(errors)
        if len(found) == 1:
            raise found[0]
        if found:
            raise Problems(found)
