# SPDX-License-Identifier: Apache-2.0
"""Names in a narrow column: what they share is left out first, what tells them apart stays."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from mcuplan.report._text import clip

__all__ = ["distinct"]

_GAP = ".."
_PART = re.compile(r"(?<=[^_/.:])(?=[_/.:])")  # where a name may be taken apart


def distinct(names: Sequence[str], width: int) -> list[str]:
    """Each name in at most ``width`` columns (>= 8), different ones differently where that can be.

    Of a converter's list of aliases the first is taken; what half of the names begin or end with
    is left out of those that are too long; then the front goes, or the middle, or the end.
    """
    made = _without_aliases([name.lstrip("/") or name for name in names])
    made = _without_common_head(made, width)
    made = _without_common_tails(made, width)
    best = max(_CUTS, key=lambda cut: len({cut(name, width) for name in made}))
    short = [best(name, width) for name in made]
    seen = Counter(short)
    return [
        text if seen[text] == 1 else _around_difference(i, made, short, width)
        for i, text in enumerate(short)
    ]


def _without_aliases(names: Sequence[str]) -> list[str]:
    first = [name.split(";")[0] or name for name in names]
    seen = Counter(first)
    return [one if seen[one] == 1 else name for one, name in zip(first, names, strict=True)]


def _without_common_head(names: Sequence[str], width: int) -> list[str]:
    """Without the first folder where all names have it; too long ones where half of them do."""
    heads = Counter(name.split("/")[0] for name in names if "/" in name)
    head, count = heads.most_common(1)[0] if heads else ("", 0)
    if len(names) < 2 or 2 * count < len(names):
        return list(names)
    made = []
    for name in names:
        rest = name.removeprefix(f"{head}/")
        goes = rest and (count == len(names) or len(name) > width) and rest not in names
        made.append(rest if goes else name)
    return made


def _without_common_tails(names: Sequence[str], width: int) -> list[str]:
    """Too long ones without the last part, as long as half of all names end with it."""
    made = list(names)
    while True:
        tails = Counter(_PART.split(name)[-1] for name in made)
        common = {tail for tail, n in tails.items() if 2 * n >= max(4, len(made))}
        taken = set(made)
        changed = False
        for i, name in enumerate(made):
            parts = _PART.split(name)
            kept = "".join(parts[:-1])
            if len(name) > width and parts[-1] in common and kept and kept not in taken:
                made[i], changed = kept, True
                taken.add(kept)
        if not changed:
            return made


def _middle(name: str, width: int) -> str:
    """Both ends of a name."""
    if len(name) <= width:
        return name
    head = (width - len(_GAP)) // 2
    return name[:head] + _GAP + name[len(name) - (width - len(_GAP) - head) :]


def _front(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - len(_GAP)] + _GAP


_CUTS: tuple[Callable[[str, int], str], ...] = (clip, _middle, _front)


def _around_difference(index: int, names: Sequence[str], short: Sequence[str], width: int) -> str:
    """A name that others look like once cut: the part where it differs from one of them."""
    name = names[index]
    others = [o for o, text in zip(names, short, strict=True) if text == short[index] and o != name]
    if not others:
        return short[index]
    at = max(_first_difference(name, other) for other in others)
    room = width - 2 * len(_GAP)
    start = min(max(0, at - room // 2), max(0, len(name) - room))
    return (_GAP + name[start : start + room] + _GAP)[:width]


def _first_difference(one: str, two: str) -> int:
    pairs = enumerate(zip(one, two, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(two)))
