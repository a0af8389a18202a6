# SPDX-License-Identifier: Apache-2.0
"""Text of models and files made safe for where it goes."""

from __future__ import annotations

__all__ = ["shown"]


def shown(name: str) -> str:
    """A name of the model as it may stand in a message: one line, no control characters."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return line if len(line) <= 200 else f"{line[:197]}..."
