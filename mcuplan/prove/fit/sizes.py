# SPDX-License-Identifier: Apache-2.0
"""Code and stack of every kernel of a set, compiled for its reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from mcuplan.backends import library_of
from mcuplan.ir.types import DType
from mcuplan.price.code import KernelSize
from mcuplan.prove.toolchain import compile_sources, cross_compiler, find_tool, run_tool
from mcuplan.resources import codegen_dir
from mcuplan.tempfiles import temporary_folder

__all__ = ["kernel_sets", "measure_sizes", "sizes_text"]

_CORES = {"mve": ("-mcpu=cortex-m55", "-mfloat-abi=hard")}  # of a set
_CORE = ("-mcpu=cortex-m4",)  # of the others
_FPU = ("-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")  # beside it, of kernels of real values
_HEAD = """# SPDX-License-Identifier: 0BSD
# Code (text of the object file) of each kernel, and stack of its deepest chain of calls.
# Reference: arm-none-eabi-gcc 12.2 {flags}.
# Made by `mcuplan bench --fit --backend {backend}`: do not edit.
"""


def kernel_sets() -> tuple[str, ...]:
    """Sets of kernels that there are sources of, all of them here."""
    names = (path.name for path in (codegen_dir() / "kernels").iterdir())
    return tuple(sorted(name for name in names if not library_of(name)))


def _flags(backend: str) -> tuple[str, ...]:
    return ("-std=c99", "-O2", *_CORES.get(backend, _CORE), "-mthumb", "-ffunction-sections")


def measure_sizes(backend: str) -> Mapping[str, KernelSize]:
    """Sizes by kernel function; the stack is that of its deepest chain of calls in its source.

    Functions of assembly are part of it, those of the C library are not.

    Raises:
        ToolMissing, ToolFailed: the compiler is missing, or failed.
    """
    folder, compiler = codegen_dir() / "kernels" / backend, cross_compiler()
    size, flags = find_tool("arm-none-eabi-size"), (*_flags(backend), "-fstack-usage")
    dump = find_tool("arm-none-eabi-objdump")
    found = {}
    with temporary_folder() as work:
        sources = sorted(folder.glob("*.c"))
        for source in sources:
            (work / source.name).write_bytes(source.read_bytes())
        names = [PurePosixPath(source.name) for source in sources]
        include = f"-I{codegen_dir() / 'include'}"
        real = [name for name in names if _is_real(name.stem)]
        plain = [name for name in names if name not in real]
        objects = [
            *compile_sources(compiler, plain, work, (*flags, include)),
            *compile_sources(compiler, real, work, (*flags, *_FPU, include)),
        ]
        for compiled in objects:
            listed = run_tool([size, "-A", str(compiled)], work).stdout
            code = sum(int(n) for n in re.findall(r"^\.text\S*\s+(\d+)", listed, re.M))
            usage = (work / compiled.with_suffix(".su")).read_text(encoding="utf-8")
            frames = dict(re.findall(r":(\w+)\t(\d+)\t", usage))
            listing = run_tool([dump, "-dr", "--no-show-raw-insn", str(compiled)], work).stdout
            bodies = dict(re.findall(r"^\w+ <(\w+)>:\n((?:.+\n)*)", listing, re.M))
            depths = {
                name: int(frames.get(name, 0)) or _pushed_bytes(bodies[name]) for name in bodies
            }
            found[compiled.stem] = KernelSize(code, _deepest(compiled.stem, bodies, depths))
    return found


def _deepest(name: str, bodies: Mapping[str, str], frames: Mapping[str, int]) -> int:
    """Stack of a function and of what it calls: all that its code refers to as code."""
    named = re.findall(r"R_ARM_THM_(?:CALL|JUMP\d+)\s+(?:\.text\.)?(\w+)", bodies[name])
    below = [_deepest(other, bodies, frames) for other in {*named} & bodies.keys() - {name}]
    return frames[name] + max(below, default=0)


def _pushed_bytes(body: str) -> int:
    """Frame of a function of assembly alone, of which the compiler does not tell."""
    pushed: list[str] = re.findall(r"\t(?:push|stmdb\tsp!,|vpush)\s+\{(.*)\}", body)
    moved: list[str] = re.findall(r"\tsub(?:\.?w)?\tsp,(?: sp,)? #(\d+)", body)
    registers = sum(text.count(",") + 1 for text in pushed)
    return 4 * registers + sum(map(int, moved))


def _is_real(kernel: str) -> bool:
    """Whether a kernel computes with real values."""
    return DType.FLOAT32.suffix in kernel.split("_")


def sizes_text(backend: str, sizes: Mapping[str, KernelSize]) -> str:
    """`sizes.toml` of a set."""
    rows = [
        f"{name} = {{ code_bytes = {size.code_bytes}, stack_bytes = {size.stack_bytes} }}\n"
        for name, size in sorted(sizes.items())
    ]
    flags = " ".join(_flags(backend))
    flags += f";\n# with {' '.join(_FPU)}: *_f32" if any(map(_is_real, sizes)) else ""
    return _HEAD.format(flags=flags, backend=backend) + "".join(rows)
