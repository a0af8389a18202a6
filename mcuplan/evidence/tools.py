# SPDX-License-Identifier: Apache-2.0
"""Versions of everything that has a say in the bytes of the folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from mcuplan import __version__
from mcuplan.prove.toolchain import cross_compiler, find_tool, host_compiler, run_tool

__all__ = ["other_tools", "tool_versions"]

_PACKAGES = ("numpy", "onnx", "onnxruntime", "pyelftools")


def tool_versions(checker: str) -> Mapping[str, str]:
    """By name of the tool; ``checker``: what that of the MISRA rules says of itself.

    Raises:
        ToolMissing, ToolFailed: one is missing, or says nothing.
    """
    return {
        "mcuplan": __version__,
        "python": ".".join(map(str, sys.version_info[:2])),
        **{name: version(name) for name in _PACKAGES},
        "gcc": host_compiler("gcc").version,
        "arm-none-eabi-gcc": cross_compiler().version,
        "gcov": _first_line("gcov"),
        "qemu-system-arm": _first_line("qemu-system-arm"),
        "cppcheck": checker,
    }


def _first_line(program: str) -> str:
    text = run_tool([find_tool(program), "--version"], Path.cwd()).stdout
    return next(iter(text.splitlines()), "").strip()


def other_tools(there: Mapping[str, object], here: Mapping[str, str]) -> Iterator[str]:
    """Which tools made a folder in other versions, in words."""
    for name, own in here.items():
        theirs = there.get(name, "missing")
        if theirs != own:
            yield f"{name} was {theirs}, is {own}"
