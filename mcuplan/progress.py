# SPDX-License-Identifier: Apache-2.0
"""How work that takes long says how far it is, to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

__all__ = ["Bar", "no_bar"]

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
"""Begins some work: what it is and how many parts it has; then each call says how many are done."""


def no_bar(label: str, parts: int) -> AbstractContextManager[Callable[[int], object]]:
    """Shows nothing."""
    return nullcontext(lambda done: None)
