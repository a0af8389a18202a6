# SPDX-License-Identifier: Apache-2.0
"""Reads TOML that nobody has vouched for, and takes tables apart key by key.

Used for target files. Nothing here knows what a target is: :func:`read_toml` bounds
what a file may cost, :class:`Table` turns values into checked Python values and
collects every mistake instead of stopping at the first.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcuplan.errors import (
    TargetError,
    TargetMissingKey,
    TargetNotFound,
    TargetUnknownKey,
    TargetUnreadable,
)
from mcuplan.safe_text import quoted
from mcuplan.spelling import did_you_mean
from mcuplan.units import Estimate, Origin

__all__ = ["TomlTable", "read_toml"]

# A target file is a page of text. The bounds keep the parser's worst case (dotted keys are
# quadratic in their length, nested brackets recurse) far below a second.
MAX_FILE_BYTES = 64 * 1024
MAX_LINE_CHARS = 1000
MAX_TEXT_CHARS = 300


def read_toml(path: Path) -> dict[str, Any]:
    """The document in a TOML file of at most ``MAX_FILE_BYTES`` bytes.

    Raises:
        TargetNotFound: there is no such file.
        TargetUnreadable: not a regular file, not readable, too large, not UTF-8, not TOML.
    """
    where = quoted(str(path))
    try:
        data = _read_regular(path)
    except FileNotFoundError:
        raise TargetNotFound("no such file", where, "check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise TargetUnreadable(f"cannot be read: {reason}", where, "give a TOML file") from None
    if len(data) > MAX_FILE_BYTES:
        message = f"larger than {MAX_FILE_BYTES:,} B; a target file is about a page"
        raise TargetUnreadable(message, where, "give a target file")
    return _parse(data, where)


def _read_regular(path: Path) -> bytes:
    """At most ``MAX_FILE_BYTES + 1`` bytes; never waits on a pipe or reads a device."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        kind = "a directory" if path.is_dir() else "not a regular file"
        raise OSError(0, kind)
    with path.open("rb") as stream:
        return stream.read(MAX_FILE_BYTES + 1)


def _parse(data: bytes, where: str) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 (byte {error.start})"
        raise TargetUnreadable(message, where, "save the file as UTF-8") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE_CHARS:
            message = f"line {number} is longer than {MAX_LINE_CHARS:,} characters"
            raise TargetUnreadable(message, where, "break the line")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TargetUnreadable("nested too deeply", where, "flatten the tables") from None
    except ValueError as error:  # TOMLDecodeError, and integers of thousands of digits
        reason = quoted(str(error), 160).strip("'\"")
        raise TargetUnreadable(f"not valid TOML: {reason}", where, "mend that line") from None


@dataclass(slots=True)
class TomlTable:
    """One table of a file. Takes values out by key; what is wrong goes into ``errors``.

    A method returns a usable stand-in where the value is wrong, so that reading goes on
    and finds the other mistakes; the caller must drop the result if ``errors`` grew.
    """

    file: str
    prefix: str
    values: Mapping[str, Any]
    errors: list[TargetError]
    known: list[str] = field(default_factory=list)

    def where(self, key: str) -> str:
        """``file: region[1].bytes``."""
        name = key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}|", key) else quoted(key)
        return f"{self.file}: {'.'.join(part for part in (self.prefix, name) if part)}"

    def bad(self, key: str, message: str, hint: str = "") -> None:
        """Note a wrong value."""
        self.errors.append(TargetError(message, self.where(key), hint))

    def missing(self, key: str, hint: str) -> None:
        """Note a missing key."""
        self.errors.append(TargetMissingKey(f'"{key}" is missing', self.where(key), hint))

    def get(self, key: str, required: str = "") -> Any:
        """The raw value or None; ``required`` is the hint shown when it is missing."""
        self.known.append(key)
        if key not in self.values and required:
            self.missing(key, required)
        return self.values.get(key)

    def text(self, key: str, required: str = "", *, pattern: str = "", rule: str = "") -> str:
        """A printable one-line string; ``pattern`` must match all of it, ``rule`` says so."""
        value = self.get(key, required)
        if value is None:
            return ""
        problem = ""
        if not isinstance(value, str):
            problem = f"{quoted(value)} is not a string"
        elif not value.strip():
            problem = "is empty"
        elif len(value) > MAX_TEXT_CHARS:
            problem = f"is longer than {MAX_TEXT_CHARS} characters"
        elif not (value.isascii() and value.isprintable()):
            problem = f"{quoted(value)} has characters other than printable ASCII"
        elif pattern and not re.fullmatch(pattern, value):
            problem = f"{quoted(value)} is not {rule}"
        if problem:
            self.bad(key, problem, f"write {rule or 'one line of text'}")
            return ""
        return str(value)

    def choice(self, key: str, choices: Iterable[str], required: str = "") -> str:
        """One of ``choices``."""
        value = self.text(key, required)
        if value and value not in choices:
            self.bad(key, f"unknown {key} {quoted(value)}", did_you_mean(value, choices))
            return ""
        return value

    def flag(self, key: str) -> bool:
        """True or false; false where absent."""
        value = self.get(key)
        if value is not None and not isinstance(value, bool):
            self.bad(key, f"{quoted(value)} is not true or false", "write true or false")
        return value is True

    def integer(self, key: str, low: int, high: int, required: str = "") -> int:
        """An integer in ``[low, high]``; ``low`` where it is absent or wrong."""
        value = self.get(key, required)
        if value is None:
            return low
        if isinstance(value, bool) or not isinstance(value, int):
            self.bad(key, f"{quoted(value)} is not a whole number", _integer_hint(value))
            return low
        if not low <= value <= high:
            self.bad(key, f"{quoted(value)} is outside {low:,} to {high:,}", "a plain number")
            return low
        return value

    def texts(self, key: str, pattern: str, rule: str) -> tuple[str, ...]:
        """An array of distinct strings that match ``pattern``."""
        value = self.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.bad(key, f"{quoted(value)} is not an array", 'write ["...", "..."]')
            return ()
        found: list[str] = []
        for item in value:
            if not isinstance(item, str) or not re.fullmatch(pattern, item):
                self.bad(key, f"{quoted(item)} is not {rule}", f"write {rule}")
            elif item in found:
                self.bad(key, f"{quoted(item)} stands twice", "remove one")
            else:
                found.append(item)
        return tuple(found)

    def table(self, key: str, required: str = "") -> TomlTable | None:
        """The table under ``key``, to be read in the same way; None where there is none."""
        value = self.get(key, required)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.bad(key, f"{quoted(value)} is not a table", f"write [{key}]")
            return None
        prefix = self.where(key).removeprefix(f"{self.file}: ")
        return TomlTable(self.file, prefix, value, self.errors)

    def figure(
        self, key: str, unit: str, required: str = "", *, zero: bool = False
    ) -> Estimate | None:
        """A ``{ value, unit, origin, source }``, positive, or also 0 where ``zero`` allows it."""
        inner = self.table(key, required)
        if inner is None:
            return None
        number = inner.get("value", "the number itself")
        if number is not None and not _is_amount(number, zero):
            rule = "a number >= 0" if zero else "a number > 0"
            inner.bad("value", f"{quoted(number)} is not {rule}", f"write {rule}")
            number = None
        given = inner.text("unit", f'add unit = "{unit}"')
        if given and given != unit:
            inner.bad("unit", f"unit {quoted(given)}, but {key} is in {unit}", f'unit = "{unit}"')
        origin = inner.choice("origin", list(Origin), 'add origin = "measured"')
        source = inner.text("source", 'add source = "document and table, or how it was measured"')
        inner.close()
        if number is None or not origin:
            return None
        return Estimate(float(number), unit, Origin(origin), source)

    def close(self) -> None:
        """Note every key that was never asked for."""
        for key in self.values:
            if key not in self.known:
                hint = did_you_mean(key, self.known)
                self.errors.append(TargetUnknownKey("unknown key", self.where(key), hint))


def _is_amount(value: object, zero: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value < 1e12 and (zero or value > 0)  # also false for nan and infinity


def _integer_hint(value: object) -> str:
    """What ``"128 KiB"`` is in plain bytes, where the text is a size."""
    units = {"": 1, "k": 1024, "m": 1024 * 1024}
    text = value if isinstance(value, str) else ""
    size = re.fullmatch(r"(\d{1,9})\s*([kKmM]?)(?:i?[bB])?", text, re.ASCII)
    if size is None:
        return "a plain number, e.g. 131_072"
    return f"write {int(size[1]) * units[size[2].lower()]:_}"
