# SPDX-License-Identifier: Apache-2.0
"""The table of kernel sizes against the cross compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mcuplan.price.code import kernel_sizes
from mcuplan.resources import codegen_dir

_CORES = {"mve": ("-mcpu=cortex-m55", "-mfloat-abi=hard")}  # of a backend
_CORE = ("-mcpu=cortex-m4",)  # of the others
_HEAD = """# SPDX-License-Identifier: 0BSD
# Code (text of the object file) and largest frame of each kernel.
# Reference: arm-none-eabi-gcc 12.2 {flags}.
# Written by `pytest tests/price/test_code.py --update-golden`.
"""
_SLACK = 0.15  # compilers differ; the margin of the targets is larger


def _measured(source: Path, flags: tuple[str, ...], work: Path) -> dict[str, int]:
    compiled = work / f"{source.stem}.o"
    include = codegen_dir() / "include"
    command = ["arm-none-eabi-gcc", *flags, "-fstack-usage", f"-I{include}", "-c", str(source)]
    subprocess.run([*command, "-o", str(compiled)], check=True, cwd=work)
    listed = subprocess.run(
        ["arm-none-eabi-size", "-A", str(compiled)], check=True, capture_output=True, text=True
    ).stdout
    code = sum(int(n) for n in re.findall(r"^\.text\S*\s+(\d+)", listed, re.M))
    usage = compiled.with_suffix(".su").read_text(encoding="utf-8")
    frames = [int(line.split("\t")[1]) for line in usage.splitlines()]
    return {"code_bytes": code, "stack_bytes": sum(sorted(frames)[-2:])}


@pytest.mark.parametrize("backend", sorted(p.name for p in (codegen_dir() / "kernels").iterdir()))
def test_sizes_are_what_the_compiler_makes(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Every kernel is in its backend's table, with the size that it has."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    folder = codegen_dir() / "kernels" / backend
    core = _CORES.get(backend, _CORE)
    flags = ("-std=c99", "-O2", *core, "-mthumb", "-ffunction-sections")
    found = {s.stem: _measured(s, flags, tmp_path) for s in sorted(folder.glob("*.c"))}
    if request.config.getoption("--update-golden"):
        rows = [
            f"{name} = {{ code_bytes = {row['code_bytes']}, stack_bytes = {row['stack_bytes']} }}"
            for name, row in found.items()
        ]
        text = _HEAD.format(flags=" ".join(flags)) + "\n".join(rows) + "\n"
        (folder / "sizes.toml").write_text(text, encoding="utf-8")
        kernel_sizes.cache_clear()
    table = kernel_sizes(backend)
    assert sorted(found) == sorted(table)
    for name, row in found.items():
        for key, value in row.items():
            assert value == pytest.approx(getattr(table[name], key), rel=_SLACK, abs=32), (
                name,
                key,
            )
