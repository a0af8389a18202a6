# SPDX-License-Identifier: Apache-2.0
"""What build systems call a board: the table ``[boards]`` of a target file."""

from __future__ import annotations

from collections.abc import Mapping

from mcuplan.target_file import TomlTable

__all__ = ["BOARDS", "read_boards"]

BOARDS = ("zephyr", "platformio", "platform", "arduino")
"""Build systems with a name for a board; `platform` is what PlatformIO's board belongs to."""

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.:/@=,-]{0,95}"
_RULE = "a board's name of letters, digits and _ . : / @ = , -"


def read_boards(top: TomlTable) -> Mapping[str, str]:
    """Names of the board by build system; those that are not stated are not there."""
    inner = top.table("boards")
    if inner is None:
        return {}
    stated = [key for key in BOARDS if key in inner.values]
    found = {key: inner.text(key, pattern=_NAME, rule=_RULE) for key in stated}
    if "source" in inner.values:
        inner.text("source")
    inner.known += [*BOARDS, "source"]
    inner.close()
    return found
