# SPDX-License-Identifier: Apache-2.0
"""Objects that all processes of a test run share, so that each is compiled once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile

from mcuplan.prove.objects import Objects
from mcuplan.prove.toolchain import Compiler, compile_sources
from mcuplan.resources import codegen_dir


class RunObjects(Objects):
    """Objects of this process, and files of a folder with those of all."""

    def __init__(self, folder: Path) -> None:
        """``folder``: exists; nothing else writes into it."""
        super().__init__()
        self._folder = folder

    def find(self, known_by: str) -> bytes | None:
        """An object that this process or another kept."""
        held = super().find(known_by)
        if held is not None:
            return held
        try:
            made = (self._folder / known_by).read_bytes()
        except FileNotFoundError:
            return None
        super().keep(known_by, made)
        return made

    def keep(self, known_by: str, made: bytes) -> None:
        """Keep an object; others see all of it, or nothing."""
        super().keep(known_by, made)
        with NamedTemporaryFile(dir=self._folder, delete=False) as file:
            file.write(made)
        os.replace(file.name, self._folder / known_by)


def kernel_objects(
    compiler: Compiler, backends: Mapping[str, str], folder: Path, flags: Sequence[str]
) -> list[str]:
    """Paths of compiled kernels.

    Args:
        compiler: of the computer or of a core.
        backends: the kernel set of each source, by its stem.
        folder: of the test; objects and a link to the sources come into it.
        flags: besides the folder of headers.
    """
    sources = folder / "codegen"
    if not sources.exists():
        sources.symlink_to(codegen_dir())
    kernels = PurePosixPath("codegen", "kernels")
    paths = [kernels / backend / f"{stem}.c" for stem, backend in backends.items()]
    made = compile_sources(compiler, paths, folder, [*flags, "-Icodegen/include"])
    return [str(folder / path) for path in made]
