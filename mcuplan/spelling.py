# SPDX-License-Identifier: Apache-2.0
"""What somebody meant who wrote a word that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean"]

_MOST_KNOWN = 30


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown word: ``did you mean "x"?`` for the nearest one, else the first 30."""
    choices = list(known)
    near = difflib.get_close_matches(word[:100].lower(), choices, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    shown = choices[:_MOST_KNOWN] if len(choices) > _MOST_KNOWN + 1 else choices
    more = f" and {len(choices) - len(shown)} more" if len(shown) < len(choices) else ""
    return f"known: {', '.join(shown)}{more}"
