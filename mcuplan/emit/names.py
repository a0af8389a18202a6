# SPDX-License-Identifier: Apache-2.0
"""Names in generated C: identifiers that we choose, and model names inside comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

__all__ = ["c_prefix", "comment_text", "identifier", "unique"]

_KEYWORDS = (
    " auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while asm class new delete this template namespace operator "
    "private protected public virtual try catch throw bool true false main "
)
_LONGEST = 48
_HEADERS = (
    " assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal "
    "stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath "
    "threads time uchar wchar wctype unistd cmsis "
)


def identifier(text: str, fallback: str = "x") -> str:
    """Lower-case C identifier made of a name that may hold anything."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:_LONGEST].strip("_")
    if not name:
        name = fallback
    if name[0].isdigit():
        name = f"{fallback}_{name}"
    return f"{name}_" if f" {name} " in _KEYWORDS else name


def c_prefix(name: str) -> str:
    """Prefix of every public symbol and file of a model; no name of the library or of C."""
    prefix = identifier(name, "model").rstrip("_")
    taken = prefix == "mplan" or prefix.startswith(("mplan_", "str", "mem"))
    taken = taken or f" {prefix} " in _KEYWORDS or f" {prefix} " in _HEADERS
    return f"model_{prefix}" if taken else prefix


def unique(
    names: Iterable[str], reserved: Iterable[str] = (), endings: Sequence[str] = ()
) -> Mapping[str, str]:
    """A distinct identifier for each name, in order, and none of those ``reserved``.

    ``endings``: what C appends to them for further names, which are distinct, too.
    """
    taken = set(reserved)
    chosen: dict[str, str] = {}
    for name in names:
        stem = candidate = identifier(name)
        k = 1
        while not taken.isdisjoint(made := [candidate + ending for ending in ("", *endings)]):
            k += 1
            candidate = f"{stem}_{k}"
        taken.update(made)
        chosen[name] = candidate
    return MappingProxyType(chosen)


def comment_text(text: str, longest: int = 60) -> str:
    """Text of a model inside a C comment: printable ASCII that cannot end or open one."""
    safe = re.sub(r"[^A-Za-z0-9 _.,:;+=()<>@%/-]", "_", text)
    safe = re.sub(r"/(?=/)|/$", "_", safe).strip()
    return safe if len(safe) <= longest else f"..{safe[-(longest - 2) :]}"
