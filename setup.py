# SPDX-License-Identifier: Apache-2.0
"""The packages, the compiled cores, and a build backend that finds a compiler for them.

Without a C compiler on the machine the build asks the package registry for one: ``ziglang``
brings clang with the headers and libraries of every system.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from setuptools import Extension, build_meta, find_packages, setup
from setuptools.command.build_ext import build_ext

# What a build frontend calls, as setuptools answers it but for the requirements.
build_editable, build_sdist, build_wheel = (
    build_meta.build_editable,
    build_meta.build_sdist,
    build_meta.build_wheel,
)
prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable
prepare_metadata_for_build_wheel = build_meta.prepare_metadata_for_build_wheel
get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist

_ZIG_TARGETS = {"win-amd64": "x86_64", "win32": "x86", "win-arm64": "aarch64"}
_VC_TOOLS = "Microsoft.VisualStudio.Component.VC.Tools.*"


def get_requires_for_build_wheel(config_settings=None):
    """What setuptools needs, and a compiler where there is none."""
    needed = build_meta.get_requires_for_build_wheel(config_settings)
    return needed if has_compiler() else [*needed, "ziglang>=0.13"]


get_requires_for_build_editable = get_requires_for_build_wheel


def has_compiler() -> bool:
    """Whether setuptools would find a C compiler that works."""
    if os.name == "nt":
        return which("cl") is not None or _has_visual_studio()
    if sys.platform == "darwin" and not _succeeds("xcode-select", "-p"):
        return False  # /usr/bin/cc is there all the same, and opens a window
    command = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    with TemporaryDirectory() as folder:
        source = Path(folder, "empty.c")
        source.write_text("int empty;\n", encoding="ascii")
        return _succeeds(*command, "-c", str(source), "-o", str(source.with_suffix(".o")))


def _has_visual_studio() -> bool:
    program_files = os.environ.get("PROGRAMFILES(X86)", "")
    finder = Path(program_files, "Microsoft Visual Studio", "Installer", "vswhere.exe")
    wanted = ("-products", "*", "-requires", _VC_TOOLS, "-property", "installationPath")
    return bool(_output(str(finder), *wanted).strip())


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout


class BuildCores(build_ext):
    """Builds with the machine's compiler, else with zig."""

    def build_extension(self, ext: Extension) -> None:
        """Build one core."""
        if has_compiler():
            super().build_extension(ext)
            return
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        cache = str(Path(self.build_temp, "zig").absolute())
        env = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
        # -P: a folder of sources is no place to look for packages.
        command = [sys.executable, "-P", "-m", "ziglang", "cc", *self._options(), *ext.sources]
        done = subprocess.run([*command, "-o", str(target)], env=env, check=False)
        if done.returncode != 0:
            raise SystemExit(
                "mcuplan needs a C compiler to build: none was found, and `python -m ziglang cc` "
                "failed; pip install ziglang, or install a compiler"
            )

    def _options(self) -> list[str]:
        options = ["-shared", "-O2", "-std=c11", "-fno-sanitize=all"]
        options += [f"-I{folder}" for folder in self.include_dirs]
        if os.name == "nt":
            machine = _ZIG_TARGETS[sysconfig.get_platform()]
            defined = [] if machine == "x86" else ["-DMS_WIN64"]
            libs = Path(sys.base_prefix, "libs")
            return [*options, f"--target={machine}-windows-gnu", *defined, f"-L{libs}", "-lpython3"]
        if sys.platform == "darwin":
            return [*options, "-Wl,-undefined,dynamic_lookup"]
        return [*options, "-fPIC"]


def _core(room: str, name: str, modules: str, headers: str) -> Extension:
    folder = Path("mcuplan", "solvers", room, "csrc")
    return Extension(
        f"mcuplan.solvers.{room}.{name}",
        sources=[str(folder / f"{module}.c") for module in modules.split()],
        depends=[
            "mcuplan/solvers/csrc/python_abi.h",
            *(str(folder / f"{header}.h") for header in headers.split()),
        ],
        py_limited_api=True,
    )


if __name__ == "__main__":
    setup(
        packages=[
            *find_packages(include=["mcuplan", "mcuplan.*"]),
            "mcuplan._data.codegen",
            "mcuplan._data.targets",
        ],
        ext_modules=[
            _core(
                "packing",
                "_packcore",
                "best_fit climb eject fit module search setup state wheel",
                "fit packcore state",
            ),
            _core("rows", "_rowcore", "least module search store ways", "rowcore store"),
        ],
        cmdclass={"build_ext": BuildCores},
        options={"bdist_wheel": {"py_limited_api": "cp311"}},
    )
