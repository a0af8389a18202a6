# SPDX-License-Identifier: Apache-2.0
"""What values of the record are beside their type; a whole number is 0 or more unless said."""

from __future__ import annotations

from typing import Annotated, Any, Final

__all__ = [
    "LEFT_OUT",
    "FromMinusOne",
    "FromOne",
    "Magnitude",
    "Ratio",
    "Sha256",
    "Signed",
    "limit",
    "one_of",
]

LEFT_OUT: Final = "left out"
"""Of a field that a report does not have where it is None or an empty tuple."""


def limit(**keywords: Any) -> tuple[tuple[str, Any], ...]:
    """Keywords of JSON schema on top of those of the type; None takes one away."""
    return tuple(keywords.items())


def one_of(*values: str) -> tuple[tuple[str, Any], ...]:
    """Of a text whose type does not say which ones there are."""
    return limit(type=None, enum=values)


Signed = Annotated[int, limit(minimum=None)]
FromOne = Annotated[int, limit(minimum=1)]
FromMinusOne = Annotated[int, limit(minimum=-1)]
Ratio = Annotated[float, limit(minimum=1)]
Magnitude = Annotated[float, limit(minimum=0)]
Sha256 = Annotated[str, limit(pattern="^[0-9a-f]{64}$")]
