# SPDX-License-Identifier: Apache-2.0
"""Tools that are missing, and cores that do not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcuplan.errors import EXIT_TOOL, ToolFailed, ToolMissing, UsageError
from mcuplan.prove.cores import core_named
from mcuplan.prove.toolchain import cross_compiler, find_tool, host_compiler, run_tool


@pytest.mark.parametrize(
    ("program", "package"),
    [
        ("gcc", "gcc"),
        ("clang", "clang"),
        ("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi"),
        ("qemu-system-arm", "qemu-system-arm"),
    ],
)
def test_missing_tool(program: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that is not installed is exit status 4 with the one command that installs it."""
    monkeypatch.setenv("PATH", "")

    with pytest.raises(ToolMissing) as caught:
        find_tool(program)

    assert EXIT_TOOL == caught.value.exit_status
    assert caught.value.hint.startswith("apt-get install ")
    assert package in caught.value.hint


def test_missing_compilers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both compilers are looked for when asked for."""
    monkeypatch.setenv("PATH", "")

    for wanted in (host_compiler, cross_compiler):
        with pytest.raises(ToolMissing):
            wanted()


def test_missing_c_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cross compiler that is installed without its C library is a missing tool, too."""
    program = tmp_path / "arm-none-eabi-gcc"
    program.write_text("#!/bin/sh\n[ $1 = --version ] && echo gcc 12.2 || echo libc.a\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ToolMissing, match="no C library") as caught:
        cross_compiler()

    assert "libnewlib-arm-none-eabi" in caught.value.hint


def test_failed_tool_says_why(tmp_path: Path) -> None:
    """A failing tool's message ends with what it said."""
    with pytest.raises(ToolFailed, match="exit status 7") as caught:
        run_tool(["/bin/sh", "-c", "echo reason >&2; exit 7"], tmp_path)

    assert caught.value.message.endswith("reason")


def test_unknown_core() -> None:
    """An unknown core is wrong usage and the hint lists the known ones."""
    with pytest.raises(UsageError) as caught:
        core_named("cortex-m99")

    assert "cortex-m0plus" in caught.value.hint
