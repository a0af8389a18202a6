# SPDX-License-Identifier: Apache-2.0
"""Builds the counting plugin for the plugin interface of the emulator that is there.

The interface changed with QEMU 9.0, 9.1 and 11 (``codegen/harness/qemu_plugin.h``). The emulator
itself says which version it has, so that a newer one than those is tried with the newest form.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path, PurePosixPath

from mcuplan.errors import ToolFailed
from mcuplan.prove.toolchain import (
    Compiler,
    compile_sources,
    find_tool,
    link,
    run_tool,
    said,
)
from mcuplan.resources import codegen_dir

__all__ = ["build_counter", "build_plugin", "plugin_api"]

_SOURCES = (
    "beats.c",
    "board.c",
    "count.c",
    "issue.c",
    "issue_m33.c",
    "issue_m7.c",
    "memory.c",
    "operands.c",
    "operands16.c",
    "plugin.c",
    "tally.c",
    "timing.c",
)
_PROBE = "plugin_probe.c"
_HEADERS = (
    "beats.h",
    "board.h",
    "issue.h",
    "issue_cores.h",
    "memory.h",
    "operands.h",
    "operands_make.h",
    "plugin.h",
    "qemu_plugin.h",
    "tally.h",
    "timing.h",
)
_FLAGS = ("-std=c99", "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror")
_NEWEST = re.compile(r"supports only up to version (\d+)")
_PROBE_SECONDS = 60.0


def build_counter(work: Path, compiler: Compiler) -> Path:
    """Compile the counting plugin below ``work`` with the host compiler; returns its path.

    Raises:
        ToolMissing: the emulator is not installed.
        ToolFailed: the plugin does not compile, or the emulator takes none.
    """
    return build_plugin(work, compiler, plugin_api(work, compiler))


def plugin_api(work: Path, compiler: Compiler) -> int:
    """The newest version of the plugin interface that the emulator has.

    Raises:
        ToolMissing: the emulator is not installed.
        ToolFailed: it takes no plugins.
    """
    folder = _source_folder(work / "probe", (_PROBE,))
    probe = _shared(compiler, folder, (_PROBE,), "probe.so", api=0)
    command = [find_tool("qemu-system-arm"), "-M", "none", "-display", "none", "-monitor", "none"]
    command += ["-serial", "none", "-plugin", f"./{probe.name}"]
    done = run_tool(command, folder, timeout_s=_PROBE_SECONDS, check=False)
    if found := _NEWEST.search(done.stdout + done.stderr):
        return int(found[1])
    raise ToolFailed(
        f"qemu-system-arm takes no plugin, which counts instructions:\n{said(done)}",
        hint="a QEMU built with plugins (6.0 or newer), as in `apt-get install qemu-system-arm`;"
        " or `verify --on host`",
    )


def build_plugin(work: Path, compiler: Compiler, api: int) -> Path:
    """Compile the counting plugin for one version of the plugin interface; returns its path.

    Raises:
        ToolFailed: it does not compile.
    """
    folder = _source_folder(work / "counter", _SOURCES)
    return _shared(compiler, folder, _SOURCES, "count.so", api)


def _source_folder(folder: Path, sources: tuple[str, ...]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*sources, *_HEADERS):
        shutil.copyfile(codegen_dir() / "harness" / name, folder / name)
    return folder


def _shared(
    compiler: Compiler, folder: Path, sources: tuple[str, ...], name: str, api: int
) -> Path:
    paths = [PurePosixPath(source) for source in sources]
    objects = compile_sources(compiler, paths, folder, (*_FLAGS, f"-DPLUGIN_API={api}"))
    return folder / link(compiler, objects, PurePosixPath(name), folder, ("-shared",))
