# SPDX-License-Identifier: Apache-2.0
"""The portable kernels as C: compilers, warnings, and whether a mistake would be seen."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mcuplan.ir.op import Example
from mcuplan.ops import all_kernels, kernels_of
from mcuplan.ops.unary import Lookup, UnaryFn
from mcuplan.resources import codegen_dir

from .c_program import WARNINGS, Program
from .cases import Case, make_case

SOURCES = sorted((codegen_dir() / "kernels" / "c99").glob("*.c"))
COMPILERS = {
    "gcc": ["gcc", "-O3"],
    "clang": ["clang", "-fsyntax-only"],
    "cortex-m0plus": ["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-mthumb", "-fsyntax-only"],
    "cortex-m4": ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O2"],
}


@pytest.mark.parametrize("name", COMPILERS)
def test_kernels_compile_without_a_warning(name: str, tmp_path: Path) -> None:
    """Every kernel is strict C99 for compilers of hosts and cores.

    What clang warns of, it knows before it optimizes; what GCC knows then alone, it says once for
    the host and once for a core.
    """
    command = COMPILERS[name]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    include = f"-I{codegen_dir() / 'include'}"
    done = subprocess.run(
        [*command, *WARNINGS, include, "-c", *map(str, SOURCES)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "" == done.stderr
    assert 0 == done.returncode


def test_every_kernel_has_a_source() -> None:
    """Kernels and source files are the same set, so that nothing in the folder is unused."""
    assert sorted({k.function for k in all_kernels()}) == [path.stem for path in SOURCES]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_kernels_need_nothing(path: Path) -> None:
    """Kernels include no header but string.h, hold no state, and only some have real values."""
    text = path.read_text(encoding="ascii")
    assert {"string.h"} >= set(re.findall(r"#include <(.*)>", text))
    assert not re.findall(r"^static (?!const|inline)[^()]*[;=]", text, re.M)
    real = path.stem.endswith("_f32")
    assert not re.search(r"\b(malloc|double)\b" if real else r"\b(malloc|float|double)\b", text)


class _Wrong(Case):
    """A case whose expected result has one wrong byte."""

    def integers(self):  # type: ignore[no-untyped-def]
        wanted, *others = super().integers()
        wanted = wanted.copy()
        wanted.flat[-1] ^= 1
        return (wanted, *others)


def test_one_wrong_byte_is_seen(tmp_path: Path) -> None:
    """The comparison with C names the case and each arrangement in which a byte differs."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    case = make_case("relu", Example(Lookup((UnaryFn("tanh"),)), ((1, 3, 4, 2),)), 1)
    program = Program(1)
    program.add(_Wrong(case.name, case.sig, case.arrays), kernels_of()[Lookup][0])
    found = program.run(tmp_path, sanitize=False)
    assert ["whole", "by rows", "in place of 0", "shuffled rows"] == [
        line.split(":")[0].removeprefix("relu mplan_lookup_s8 ") for line in found
    ]
