# SPDX-License-Identifier: Apache-2.0
"""What made a model grow, in words."""

from __future__ import annotations

from mcuplan.record import Change
from mcuplan.safe_text import plain

__all__ = ["bytes_text", "cause_text", "change_text"]


def bytes_text(change: Change) -> str:
    """``RAM +5,120 B, flash +4,872 B``; RAM alone is left out where several changes made it."""
    ram = f"RAM {change.ram_delta:+,} B, " if change.ram_delta is not None else ""
    return f"{ram}flash {change.flash_delta:+,} B"


def cause_text(change: Change) -> str:
    """``conv2 output channels 56 -> 64``."""
    return plain(" ".join((*change.layers[:1], change.what)), unicode=True)


def change_text(change: Change) -> str:
    """The change and what it explains."""
    return f"{plain(cause_text(change))}: {bytes_text(change)}"
