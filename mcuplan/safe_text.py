# SPDX-License-Identifier: Apache-2.0
"""Text of models and files made safe for where it goes: messages, terminals, reports, C."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

__all__ = [
    "annotation",
    "annotation_property",
    "apart",
    "arguments",
    "c_prefix",
    "comment_text",
    "identifier",
    "lines",
    "markdown",
    "no_command",
    "plain",
    "quoted",
    "shown",
    "unique",
]

_KEYWORDS = (
    " auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while asm class new delete this template namespace operator "
    "private protected public virtual try catch throw bool true false main "
)
_LONGEST = 48
_MARK_OF_HOST = re.compile(r"[@#!~$%&^](?=[\w\"{])|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
_HEADERS = (
    " assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal "
    "stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath "
    "threads time uchar wchar wctype unistd cmsis "
)


# -- messages and terminals -----------------------------------------------------------------


def plain(text: str, *, unicode: bool = False) -> str:
    """One line without control characters; ASCII unless ``unicode``, the rest as escapes.

    Nor does it hold ``##[command]``, which logs of some CIs obey anywhere in a line.
    """
    made = []
    for char in text:
        safe = char.isprintable() if unicode else " " <= char <= "~"
        made.append(char if safe else char.encode("unicode_escape", "backslashreplace").decode())
    return re.sub(r"##(\w*)\[", r"##\1\\x5b", "".join(made))


def lines(text: str, *, unicode: bool = False) -> str:
    """The same of what a tool said: its lines stay lines, all but the first indented."""
    first, *more = (plain(line, unicode=unicode) for line in text.split("\n"))
    return "\n    ".join([first, *map(no_command, more)])


def no_command(line: str) -> str:
    """A line that does not begin with ``::``, which is a command to the log of a CI."""
    return re.sub(r"^(\s*)::", r"\1\\x3a:", line)


def shown(name: str) -> str:
    """A name of the model as it may stand in a message: one line, at most 200 characters."""
    line = plain(name, unicode=True)
    return line if len(line) <= 200 else f"{line[:197]}..."


def arguments(options: Iterable[str]) -> str:
    """Options, each ``--flag`` or ``--flag VALUE``, as a shell takes them whatever names hold."""
    return shlex.join(word for option in options for word in option.split(" ", 1))


def quoted(value: object, limit: int = 60) -> str:
    """A value of a file for a message: one line of ASCII, bounded, whatever the value is."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 128:
        return "a huge number"
    if isinstance(value, (str, int, float)):
        text = ascii(value)
        return text if len(text) <= limit else f"{text[:limit]}..."
    if isinstance(value, dict):
        return "a table"
    return "an array" if isinstance(value, list) else f"a {type(value).__name__}"


# -- reports; templates and XML elements escape by themselves what is plain -----------------


def markdown(text: str) -> str:
    """Text that Markdown shows as it is: no links, mentions, tables, tags or line breaks.

    Hosts look for mentions and addresses in what a page shows, where an escape is the character
    again: a space of no width parts the mark from the name.
    """
    parted = _MARK_OF_HOST.sub("\\g<0>\u200b", plain(text, unicode=True))
    made = []
    for char in parted:
        made.append(f"&#{ord(char)};" if char in "\\`*_{}[]()<>#+!|@&~$\u200b" else char)
    return "".join(made)


def annotation(text: str) -> str:
    """The message of an annotation of a GitHub Actions run."""
    return plain(text, unicode=True).replace("%", "%25")


def annotation_property(text: str) -> str:
    """A property of one."""
    return annotation(text).replace(":", "%3A").replace(",", "%2C")


# -- generated C ----------------------------------------------------------------------------


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


def apart(names: Iterable[str]) -> tuple[str, ...]:
    """A prefix for each of some models, of which none begins a name that has another.

    ``kws`` and ``kws_input`` would both have ``kws_input_...``: the second becomes ``kwsinput``.
    """
    taken: list[str] = []
    for name in names:
        stem = candidate = c_prefix(name)
        k = 1
        while any(one.startswith(other) for one, other in _both_ways(candidate, taken)):
            flat = stem.replace("_", "")[: _LONGEST // 2]
            candidate = c_prefix(flat if k == 1 and flat != stem else f"{flat}{max(k, 2)}")
            k += 1
        taken.append(candidate)
    return tuple(taken)


def _both_ways(name: str, others: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each pair of prefixes, ended as in the names that they begin."""
    for other in others:
        yield f"{name}_", f"{other}_"
        yield f"{other}_", f"{name}_"


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
