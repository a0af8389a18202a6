# SPDX-License-Identifier: Apache-2.0
"""Finds compilers and runs them in a folder that the caller gives.

All paths on a command line are relative to that folder, so that objects, link maps and
messages are the same wherever it lies.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcuplan.errors import ToolFailed, ToolMissing
from mcuplan.prove.children import CHILDREN
from mcuplan.prove.objects import OBJECTS, recipe
from mcuplan.resources import codegen_dir

__all__ = [
    "BUNDLE_FLAGS",
    "Compiler",
    "compile_sources",
    "cross_compiler",
    "cross_version",
    "ended",
    "find_tool",
    "host_compiler",
    "host_compilers",
    "lacks",
    "link",
    "made_by",
    "run_tool",
    "said",
    "write_files",
]

_ARM = "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
_ARM_OR_HOST = f"{_ARM}; or `verify --on host`, which needs gcc alone"
_INSTALL = {
    "gcc": "apt-get install gcc",
    "gcov": "apt-get install gcc",
    "cppcheck": "apt-get install cppcheck",
    "arm-none-eabi-gcov": "apt-get install gcc-arm-none-eabi",
    "clang": "apt-get install clang",
    "qemu-system-arm": _ARM_OR_HOST,
}
_CROSS = "arm-none-eabi-gcc"
_HOST_COMPILERS = ("gcc", "clang")
_NUMBER = re.compile(r"\d+\.\d+")
_VERSION_LENGTH = 200
_TAIL_LINES = 25
_JOBS = 4
_EMPTY_SECONDS = 30.0

BUNDLE_FLAGS = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-Wundef",
    "-Werror",
    "-ffp-contract=off",  # a product is rounded before it is added, on every core
    "-ffunction-sections",
    "-fdata-sections",
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


def host_compiler(program: str = "") -> Compiler:
    """The computer's own compiler: ``gcc`` or ``clang``, by default the first of them.

    Raises:
        ToolMissing: it is not installed.
    """
    if not program:
        program = next(iter(host_compilers()), _HOST_COMPILERS[0])
    path = find_tool(program)
    return Compiler(path, _version(path), "objdump")


def host_compilers() -> tuple[str, ...]:
    """Those that are installed, the preferred one first."""
    return tuple(program for program in _HOST_COMPILERS if shutil.which(program))


def cross_compiler() -> Compiler:
    """The compiler for Cortex-M, with its C library.

    Raises:
        ToolMissing: one of them is not installed.
        ToolFailed: it says no version.
    """
    path = find_tool(_CROSS)
    version = _version(path)
    library = run_tool([path, "-print-file-name=libc.a"], Path.cwd()).stdout.strip()
    if not Path(library).is_absolute():
        raise ToolMissing("arm-none-eabi-gcc has no C library", hint=_ARM)
    return Compiler(path, version, find_tool("arm-none-eabi-objdump"))


def cross_version() -> str:
    """The line with which the compiler for Cortex-M says what it is; empty where there is none.

    Raises:
        ToolFailed: it says no version.
    """
    path = shutil.which(_CROSS)
    return _version(path) if path is not None else ""


def _version(path: str) -> str:
    """The line with which a compiler says what it is."""
    text = run_tool([path, "--version"], Path.cwd()).stdout
    line = next(iter(text.splitlines()), "")
    if not (line.isprintable() and _NUMBER.search(line) and len(line) < _VERSION_LENGTH):
        name = PurePosixPath(path).name
        raise ToolFailed(f"{name} --version names no version", path, _another(name))
    return line


def run_tool(
    command: Sequence[str], work: Path, *, timeout_s: float = 300.0, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program in ``work`` and keep what it prints.

    Raises:
        ToolFailed: it cannot be started, it took too long, or (with ``check``) its exit status is
            not 0; the message ends with what it said.
    """
    name = PurePosixPath(command[0]).name
    try:
        done = CHILDREN.run(command, work, timeout_s)
    except subprocess.TimeoutExpired as stopped:
        raise ToolFailed(
            f"{name} did not end within {timeout_s:g} s", hint="use fewer samples"
        ) from stopped
    except OSError as error:
        raise ToolFailed(
            f"{name} cannot be started: {error.strerror}", command[0], _another(name)
        ) from error
    if check and done.returncode != 0:
        raise ToolFailed(f"{name} failed ({ended(done)}):\n{said(done)}")
    return done


def ended(done: subprocess.CompletedProcess[str]) -> str:
    """How a program ended that did not end well."""
    if done.returncode < 0:
        return f"killed by signal {-done.returncode}"
    return f"exit status {done.returncode}"


def _another(name: str) -> str:
    """The hint for a program that is not what its name says."""
    return f"`{name} --version` must work; {_INSTALL.get(name, _ARM_OR_HOST)}"


def made_by(path: Path, command: str) -> Path:
    """A file that a tool says it wrote.

    Raises:
        ToolFailed: it is not there, or empty.
    """
    name = PurePosixPath(command).name
    try:
        empty = path.stat().st_size == 0
    except OSError:
        empty = True
    if empty:
        raise ToolFailed(
            f"{name} ended well and did not write {path.name}", command, _another(name)
        )
    return path


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

    What this process compiled before, from the same text by the same flags, is written again.

    Raises:
        ToolFailed: the compiler refused the first of the sources that the message shows.
    """

    def compile_one(source: PurePosixPath) -> PurePosixPath:
        target = "obj" / source.with_suffix(".o")
        (work / target).parent.mkdir(parents=True, exist_ok=True)
        known_by = recipe((compiler.path, compiler.version), flags, source, work)
        known = OBJECTS.find(known_by) if known_by else None
        if known is not None:
            (work / target).write_bytes(known)
            return target
        run_tool([compiler.path, *flags, "-c", str(source), "-o", str(target)], work)
        made = made_by(work / target, compiler.path)
        if known_by:
            OBJECTS.keep(known_by, made.read_bytes())
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
    made_by(work / output, compiler.path)
    return output


def lacks(compiler: Compiler, flags: Sequence[str], work: Path) -> bool:
    """Whether an empty program runs when built without flags, and not when built with them.

    The runtime of sanitizers is a package of its own, and some systems do not let it start.
    """
    return _runs_empty(compiler, (), work) and not _runs_empty(compiler, flags, work)


def _runs_empty(compiler: Compiler, flags: Sequence[str], work: Path) -> bool:
    shutil.copyfile(codegen_dir() / "harness" / "empty.c", work / "empty.c")
    try:
        run_tool([compiler.path, *flags, "empty.c", "-o", "empty"], work)
        run_tool(["./empty"], work, timeout_s=_EMPTY_SECONDS)
    except ToolFailed:
        return False
    return True
