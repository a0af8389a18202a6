# SPDX-License-Identifier: Apache-2.0
"""The table of kernel sizes against the cross compiler."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from mcuplan.price.code import kernel_sizes
from mcuplan.prove.fit import kernel_sets
from mcuplan.prove.fit.sizes import measure_sizes, sizes_text, stack_of
from mcuplan.resources import codegen_dir

_LISTING = """\
Disassembly of section .text.kernel:

00000000 <kernel>:
   0:\tstmdb\tsp!, {r4, r5, r6, lr}
   4:\tbl\t0 <sums>
\t\t\t4: R_ARM_THM_CALL\tsums
   8:\tbl\t0 <line.constprop.0.isra.0>
\t\t\t8: R_ARM_THM_CALL\tline.constprop.0.isra.0
   c:\tb.w\t0 <memset>
\t\t\tc: R_ARM_THM_JUMP24\tmemset

00000000 <sums>:
   0:\tpush\t{r4, r5, lr}
   2:\tvpush\t{d8-d15}
   6:\tsub\tsp, #4

00000000 <line.constprop.0.isra.0>:
   0:\tpush\t{r4, lr}
   2:\tbl\t0 <last>
\t\t\t2: R_ARM_THM_CALL\t.text.last

00000000 <last>:
   0:\tvpush\t{d8}
   4:\tpop\t{pc}
"""
_USAGE = """\
kernel.c:9:6:kernel\t24\tstatic
lines.h:5:13:sums\t0\tstatic
lines.h:8:13:line.constprop.isra\t100\tstatic
lines.h:2:13:last\t0\tstatic
"""
_SLACK = 0.15  # compilers differ; the margin of the targets is larger


@pytest.mark.slow
@pytest.mark.parametrize("backend", kernel_sets())
def test_sizes_are_what_the_compiler_makes(backend: str, arm_gcc: str) -> None:
    """Every kernel is in its backend's table, with the size that it has."""
    found, table = measure_sizes(backend), kernel_sizes(backend)
    assert sorted(found) == sorted(table)
    for name, size in found.items():
        for key, value in asdict(size).items():
            stated = getattr(table[name], key)
            assert value == pytest.approx(stated, rel=_SLACK, abs=32), (name, key)


@pytest.mark.parametrize(
    ("function", "stack"),
    [("last", 8), ("sums", 12 + 64 + 4), ("line.constprop.0.isra.0", 108), ("kernel", 24 + 108)],
)
def test_stack_counts_vectors_and_functions_made_of_others(function: str, stack: int) -> None:
    """A pushed range of vectors is as many registers; what a compiler made of one has its frame."""
    assert stack_of(function, _USAGE, _LISTING) == stack


@pytest.mark.parametrize("backend", kernel_sets())
def test_the_file_is_what_is_written(backend: str) -> None:
    """The shipped table is the text of its figures."""
    path = codegen_dir() / "kernels" / backend / "sizes.toml"
    assert path.read_text(encoding="utf-8") == sizes_text(backend, kernel_sizes(backend))
