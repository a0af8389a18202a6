# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mcuplan.emit.arenas import ARENA_ALIGN
from mcuplan.ir.types import DType
from mcuplan.ops import all_kernels
from mcuplan.price.structs import kernel_struct
from mcuplan.resources import codegen_dir


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")
def test_sizes_of_params_structs_are_those_of_the_compiler(tmp_path: Path) -> None:
    """The size computed from a header is sizeof on a Cortex-M, for every kernel."""
    stems = sorted({kernel.function for kernel in all_kernels()})
    lines = [f'#include "{stem}.h"' for stem in stems]
    lines += [
        f"typedef char size_of_{stem}[sizeof({stem}_t) == {kernel_struct(stem).nbytes}U ? 1 : -1];"
        for stem in stems
    ]
    source = tmp_path / "sizes.c"
    source.write_text("\n".join(lines) + "\n")
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-std=c99", "-fsyntax-only", source]
    include = codegen_dir() / "include"
    done = subprocess.run([*command, f"-I{include}"], capture_output=True, text=True)
    assert "" == done.stderr


def test_members_know_what_they_hold() -> None:
    """The type of a member is that of the header."""
    members = kernel_struct("mplan_conv2d_s8").members
    found = [members[name].dtype for name in ("in_h", "act_min", "bias", "in_rows")]
    assert [DType.UINT16, DType.INT8, DType.INT32, None] == found


def test_alignment_of_arenas_is_that_of_the_library() -> None:
    """The alignment that sizes are rounded to is the least that the header gives an arena."""
    header = (codegen_dir() / "include" / "mplan.h").read_text(encoding="ascii")
    assert f"#define MPLAN_ARENA_ALIGN {ARENA_ALIGN}\n" in header
