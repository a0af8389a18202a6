# SPDX-License-Identifier: Apache-2.0
"""Makes test images: a bundle, a description of it as C, and the fixed runner around both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from string import Template

from mcuplan.errors import ToolFailed
from mcuplan.prove import cmsis_nn
from mcuplan.prove.api import BundleApi, DeadBytes, KeptBytes, TensorDump
from mcuplan.prove.cores import Core
from mcuplan.prove.glue import glue_source
from mcuplan.prove.toolchain import (
    BUNDLE_FLAGS,
    Compiler,
    compile_sources,
    link,
    write_files,
)
from mcuplan.resources import codegen_dir

__all__ = [
    "OPTIMIZE",
    "SANITIZE",
    "STACK_BYTES",
    "CoreImage",
    "Hook",
    "Image",
    "build_application",
    "build_for_core",
    "build_for_host",
]

OPTIMIZE = "-O2"
"""Optimization of a bundle that is measured, unless told otherwise."""

STACK_BYTES = 64 * 1024
"""Stack of an emulated image; a model that wants more than this is stopped."""

_BUNDLE = PurePosixPath("bundle")
_HARNESS = PurePosixPath("harness")
_KERNELS = "mplan"
_LIBRARIES = (_KERNELS, cmsis_nn.FOLDER.name)
_COMMON = ("runner.c", "harness.h", "hook.h")
_APPLICATION = ("app.c", "app.h")
_WARNINGS = ("-Wall", "-Wextra", "-Werror")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1")
"""Flags of a build that stops at the first wrong address or undefined operation.

It names the line; what variables would add, nobody reads, and it takes a third of the time.
"""

# How a core without files counts branches: GCC, "Freestanding Environments".
_COUNTING = ("io_coverage.c",)
_COUNTED = ("--coverage", "-fprofile-info-section")
_COUNTED_LINK = ("-Wl,--wrap=harness_exit", "-lgcov")

# How a library of the user's is compiled: its warnings are not ours.
_LIBRARY_FLAGS = ("-std=gnu11", "-w", "-ffunction-sections", "-fdata-sections")

# The harness calls no library function, so that library code in an image is the model's.
_FREESTANDING = (
    "-std=c99",
    "-O2",
    "-ffreestanding",
    "-fno-tree-loop-distribute-patterns",
    "-fno-merge-constants",  # or newer linkers count its strings for the model's
    "-ffunction-sections",
    "-fdata-sections",
)


class Hook(StrEnum):
    """What an image does after each step."""

    NONE = "none"
    COUNT = "count"
    DUMP = "dump"


@dataclass(frozen=True, slots=True)
class Image:
    """A linked test image; paths are relative to ``work``.

    Attributes:
        work: folder of everything that was built, and of the files of a run.
        bundle_objects: objects of the bundle.
        machine_objects: objects that stand for the machine, without runner and description.
        flags: how the test's own sources are compiled, and how programs are linked.
    """

    api: BundleApi
    compiler: Compiler
    work: Path
    program: PurePosixPath
    bundle_objects: tuple[PurePosixPath, ...]
    hook: Hook
    dumps: tuple[TensorDump, ...]
    machine_objects: tuple[PurePosixPath, ...]
    flags: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class CoreImage(Image):
    """A test image for an emulated core; ``link_map`` is the linker's."""

    core: Core
    link_map: PurePosixPath


def build_for_host(
    files: Mapping[PurePosixPath, str],
    api: BundleApi,
    work: Path,
    compiler: Compiler,
    *,
    dumps: tuple[TensorDump, ...] = (),
    dead: tuple[DeadBytes, ...] = (),
    kept: tuple[KeptBytes, ...] = (),
    sanitize: bool = True,
    optimize: str = "-O1",
    counted: bool = False,
) -> Image:
    """Build a bundle as a program of this computer, by default with sanitizers.

    Args:
        files: the bundle, paths relative to its folder.
        api: its names.
        work: empty folder; everything is written below it.
        compiler: from :func:`~mcuplan.prove.toolchain.host_compiler`.
        dumps: bytes to keep after steps.
        dead: bytes to overwrite after steps.
        kept: bytes to watch during steps.
        sanitize: stop at the first wrong address or undefined operation.
        optimize: optimization level.
        counted: a run leaves how often every branch was taken, for ``gcov``.

    Raises:
        ToolFailed: the bundle does not compile without warnings, or does not link.
    """
    hook = Hook.DUMP if dumps or dead or kept else Hook.NONE
    checks = (*(SANITIZE if sanitize else ()), *(("--coverage",) if counted else ()))
    glue = glue_source(api, dumps, dead, kept)
    sources = _write_sources(files, glue, work, ("io_host.c", *_hook_source(hook)))
    bundle = _compile_bundle(files, compiler, work, hook, (optimize, *checks))
    flags = ("-std=c99", optimize, *_WARNINGS, *checks, *_includes())
    rest = compile_sources(compiler, sources, work, flags)
    program = link(compiler, (*bundle, *rest), PurePosixPath("image"), work, checks)
    machine, how = _machine(rest), (flags, checks)
    return Image(api, compiler, work, program, bundle, hook, dumps, machine, how)


def build_for_core(
    files: Mapping[PurePosixPath, str],
    api: BundleApi,
    work: Path,
    core: Core,
    compiler: Compiler,
    *,
    hook: Hook = Hook.NONE,
    dumps: tuple[TensorDump, ...] = (),
    dead: tuple[DeadBytes, ...] = (),
    kept: tuple[KeptBytes, ...] = (),
    optimize: str = OPTIMIZE,
    counted: bool = False,
) -> CoreImage:
    """Build a bundle as a bare-metal image of an emulated core.

    Args:
        files: the bundle, paths relative to its folder.
        api: its names.
        work: empty folder; everything is written below it.
        core: processor flags and memory addresses.
        compiler: from :func:`~mcuplan.prove.toolchain.cross_compiler`.
        hook: what to do after each step; sizes and stack are those of the product only with
            ``Hook.NONE``.
        dumps: bytes to keep after steps, with ``Hook.DUMP``.
        dead: bytes to overwrite after steps, with any hook; not counted.
        kept: bytes to watch during steps, likewise.
        optimize: optimization level of the bundle.
        counted: a run leaves how often every branch was taken, in ``coverage.bin``.

    Raises:
        ToolFailed: no emulated machine for the core; the bundle does not compile without
            warnings, or does not fit the machine.
    """
    if not core.machine:
        raise ToolFailed(f"no emulated machine for {core.name}", hint="verify on another core")
    extra = ("start.c", "io_semihosting.c", *_hook_source(hook), *(_COUNTING if counted else ()))
    glue = glue_source(api, dumps, dead, kept, sections=True)
    sources = _write_sources(files, glue, work, extra)
    (work / "image.ld").write_text(_linker_script(core, api), encoding="utf-8")
    own = (optimize, *core.flags, *_frames(work), *(_COUNTED if counted else ()))
    bundle = _compile_bundle(files, compiler, work, hook, own)
    flags = (*_FREESTANDING, *_WARNINGS, *core.flags, *_includes())
    rest = compile_sources(compiler, sources, work, flags)
    link_map = PurePosixPath("image.map")
    link_flags = (
        *core.flags,
        "-nostdlib",
        "-Wl,-T,image.ld",
        "-Wl,--gc-sections",
        *(_COUNTED_LINK if counted else ()),
        "-Wl,--start-group,-lc,-lgcc,--end-group",
    )
    mapped = (f"-Wl,-Map={link_map}", *link_flags)
    program = link(compiler, (*bundle, *rest), PurePosixPath("image.elf"), work, mapped)
    machine, how = _machine(rest), (flags, link_flags)
    return CoreImage(
        api, compiler, work, program, bundle, hook, dumps, machine, how, core, link_map
    )


def build_application(image: Image, glue: str) -> PurePosixPath:
    """Build ``app.c`` with a description of a bundle, around the objects of an image.

    Raises:
        ToolFailed: the description does not fit the bundle's header.
    """
    folder = codegen_dir() / "harness"
    texts = {_HARNESS / name: (folder / name).read_text(encoding="utf-8") for name in _APPLICATION}
    texts[_HARNESS / "app_glue.c"] = glue
    write_files(texts, image.work)
    compiling, linking = image.flags
    sources = [path for path in texts if path.suffix == ".c"]
    mine = compile_sources(image.compiler, sources, image.work, compiling)
    objects = (*image.bundle_objects, *image.machine_objects, *mine)
    return link(image.compiler, objects, PurePosixPath("app.elf"), image.work, linking)


def _machine(objects: tuple[PurePosixPath, ...]) -> tuple[PurePosixPath, ...]:
    """Those of files and start-up."""
    return tuple(path for path in objects if path.stem == "start" or path.stem.startswith("io_"))


def _hook_source(hook: Hook) -> tuple[str, ...]:
    return () if hook is Hook.NONE else (f"hook_{hook}.c",)


def _includes() -> tuple[str, ...]:
    return (f"-I{_BUNDLE}", f"-I{_BUNDLE}/mplan", f"-I{_HARNESS}")


def _write_sources(
    files: Mapping[PurePosixPath, str], glue: str, work: Path, extra: tuple[str, ...]
) -> tuple[PurePosixPath, ...]:
    """Write bundle and harness below ``work``; returns the harness's sources."""
    folder = codegen_dir() / "harness"
    texts = {_BUNDLE / path: text for path, text in files.items()}
    for name in (*_COMMON, *extra):
        texts[_HARNESS / name] = (folder / name).read_text(encoding="utf-8")
    texts[_HARNESS / "glue.c"] = glue
    write_files(texts, work)
    return tuple(path for path in texts if path.parts[0] == "harness" and path.suffix == ".c")


def _compile_bundle(
    files: Mapping[PurePosixPath, str],
    compiler: Compiler,
    work: Path,
    hook: Hook,
    flags: tuple[str, ...],
) -> tuple[PurePosixPath, ...]:
    sources = [path for path in files if path.suffix == ".c"]
    library = [_BUNDLE / path for path in sources if path.parts[0] == cmsis_nn.FOLDER.name]
    kernels = [_BUNDLE / path for path in sources if path.parts[0] == _KERNELS]
    own = [_BUNDLE / path for path in sources if path.parts[0] not in _LIBRARIES]
    hooked = () if hook is Hook.NONE else ("-include", f"{_HARNESS}/hook.h")
    include = (f"-I{_BUNDLE}", f"-I{_BUNDLE}/mplan")
    if library:
        found = ("-isystem", f"{_BUNDLE / cmsis_nn.FOLDER}/Include", cmsis_nn.SINGLE_ROUNDING)
        flags = (*flags, *found)
    asked = (*BUNDLE_FLAGS, *flags, *include)
    mine = compile_sources(compiler, own, work, (*asked, *hooked))
    theirs = compile_sources(compiler, library, work, (*_LIBRARY_FLAGS, *flags))
    kept = compile_sources(compiler, kernels, work, asked)
    return (*sorted((*mine, *kept)), *theirs)  # linked in one order, whatever is compiled how


def _frames(work: Path) -> tuple[str, ...]:
    """Call-frame information, which bounds the stack; code, constants and data stay the same.

    It comes with debugging information, which must not know the folder.
    """
    return "-g1", f"-fdebug-prefix-map={work.resolve()}=."


def _linker_script(core: Core, api: BundleApi) -> str:
    """The memory map of a core; every region of the target lies in its one RAM."""
    template = (codegen_dir() / "harness" / "image.ld.in").read_text(encoding="utf-8")
    return Template(template).substitute(
        core.memory,
        stack_bytes=hex(STACK_BYTES),
        aliases="".join(f'REGION_ALIAS("{memory}", RAM)\n' for _, memory in api.sections),
        fragment=f"INCLUDE {_BUNDLE}/{api.name}.ld" if api.sections else "",
    )
