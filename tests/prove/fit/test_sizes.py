# SPDX-License-Identifier: Apache-2.0
"""The table of kernel sizes against the cross compiler."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from mcuplan.price.code import kernel_sizes
from mcuplan.prove.fit import kernel_sets
from mcuplan.prove.fit.sizes import measure_sizes, sizes_text
from mcuplan.resources import codegen_dir

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


@pytest.mark.parametrize("backend", kernel_sets())
def test_the_file_is_what_is_written(backend: str) -> None:
    """The shipped table is the text of its figures."""
    path = codegen_dir() / "kernels" / backend / "sizes.toml"
    assert path.read_text(encoding="utf-8") == sizes_text(backend, kernel_sizes(backend))
