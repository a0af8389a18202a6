# SPDX-License-Identifier: Apache-2.0
"""Finds compilers and runs them in a folder that the caller gives.

All paths on a command line are relative to that folder, so that objects, link maps and
messages are the same wherever it lies.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcuplan.errors import ToolFailed, ToolMissing

__all__ = [
    "BUNDLE_FLAGS",
    "Compiler",
    "compile_sources",
    "cross_compiler",
    "find_tool",
    "host_compiler",
    "link",
    "run_tool",
    "write_files",
]

_ARM = "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
_ARM_OR_HOST = f"{_ARM}; or `verify --on host`, which needs gcc alone"
_INSTALL = {
    "gcc": "apt-get install gcc",
    "clang": "apt-get install clang",
    "qemu-system-arm": _ARM_OR_HOST,
}
_TAIL_LINES = 25
_JOBS = 4

BUNDLE_FLAGS = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-Wundef",
    "-Werror",
    "-ffunction-sections",
    "-fdata-sections",
    "-fstack-usage",
)
"""How every source of a bundle is compiled, besides the optimization level."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler: its path, its version line, and the path of the disassembler beside it."""

    path: str
    version: str
    objdump: str


def find_tool(program: str) -> str:
    """Path of an external program.

    Raises:
        ToolMissing: it is not installed; the hint is the command that installs it.
    """
    path = shutil.which(program)
    if path is None:
        raise ToolMissing(f"{program} is not installed", hint=_INSTALL.get(program, _ARM_OR_HOST))
    return path


def host_compiler(program: str = "gcc") -> Compiler:
    """The computer's own compiler, ``gcc`` or ``clang``.

    Raises:
        ToolMissing: it is not installed.
    """
    path = find_tool(program)
    return Compiler(path, _version(path), "objdump")


def cross_compiler() -> Compiler:
    """The compiler for Cortex-M, with its C library.

    Raises:
        ToolMissing: one of them is not installed.
    """
    path = find_tool("arm-none-eabi-gcc")
    library = run_tool([path, "-print-file-name=libc.a"], Path.cwd()).stdout.strip()
    if not Path(library).is_absolute():
        raise ToolMissing("arm-none-eabi-gcc has no C library", hint=_ARM)
    return Compiler(path, _version(path), find_tool("arm-none-eabi-objdump"))


def _version(path: str) -> str:
    return run_tool([path, "--version"], Path.cwd()).stdout.splitlines()[0]


def run_tool(
    command: Sequence[str], work: Path, *, timeout_s: float = 300.0, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program in ``work`` and keep what it prints.

    Raises:
        ToolFailed: it took too long, or (with ``check``) its exit status is not 0; the message
            ends with what it said.
    """
    name = PurePosixPath(command[0]).name
    try:
        done = subprocess.run(
            list(command),
            cwd=work,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as stopped:
        raise ToolFailed(
            f"{name} did not end within {timeout_s:g} s", hint="use fewer samples"
        ) from stopped
    if check and done.returncode != 0:
        raise ToolFailed(f"{name} failed (exit status {done.returncode}):\n{said(done)}")
    return done


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The last lines of what a program printed."""
    return "\n".join((done.stdout + done.stderr).strip().splitlines()[-_TAIL_LINES:])


def write_files(files: Mapping[PurePosixPath, str], folder: Path) -> None:
    """Write text files below ``folder``."""
    for path in sorted(files):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(files[path], encoding="utf-8")


def compile_sources(
    compiler: Compiler, sources: Iterable[PurePosixPath], work: Path, flags: Sequence[str]
) -> tuple[PurePosixPath, ...]:
    """Compile each source to ``obj/SOURCE.o`` (``.c`` dropped); all paths relative to ``work``.

    Raises:
        ToolFailed: the compiler refused the first of the sources that the message shows.
    """

    def compile_one(source: PurePosixPath) -> PurePosixPath:
        target = "obj" / source.with_suffix(".o")
        (work / target).parent.mkdir(parents=True, exist_ok=True)
        run_tool([compiler.path, *flags, "-c", str(source), "-o", str(target)], work)
        return target

    with ThreadPoolExecutor(_JOBS) as pool:
        return tuple(pool.map(compile_one, sorted(sources)))


def link(
    compiler: Compiler,
    objects: Iterable[PurePosixPath],
    output: PurePosixPath,
    work: Path,
    flags: Sequence[str],
) -> PurePosixPath:
    """Link objects; all paths relative to ``work``.

    Raises:
        ToolFailed: the linker found something missing or too large.
    """
    run_tool([compiler.path, *map(str, objects), *flags, "-o", str(output)], work)
    return output
