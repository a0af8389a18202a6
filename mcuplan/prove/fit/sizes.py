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

__all__ = ["kernel_sets", "measure_sizes", "sizes_text", "stack_of"]

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
            listing = run_tool([dump, "-dr", "--no-show-raw-insn", str(compiled)], work).stdout
            stack = stack_of(compiled.stem, usage, listing)
            found[compiled.stem] = KernelSize(code, stack)
    return found


def stack_of(name: str, usage: str, listing: str) -> int:
    """Bytes of stack of a function and of what it calls: all that its code refers to as code.

    Args:
        name: of the function.
        usage: what the compiler tells of frames (``-fstack-usage``).
        listing: instructions and relocations of the object file, of an objdump.
    """
    bodies = dict(re.findall(r"^\w+ <([\w.]+)>:\n((?:.+\n)*)", listing, re.M))
    frames = dict(re.findall(r":([\w.]+)\t(\d+)\t", usage))
    depths = {own: int(frames.get(_told(own), 0)) or _pushed_bytes(bodies[own]) for own in bodies}
    return _deepest(name, bodies, depths)


def _told(function: str) -> str:
    """What the compiler calls a function there of which it made another: without numbers."""
    return re.sub(r"\.\d+", "", function)


def _deepest(name: str, bodies: Mapping[str, str], frames: Mapping[str, int]) -> int:
    named = re.findall(r"R_ARM_THM_(?:CALL|JUMP\d+)\s+(?:\.text\.)?([\w.]+)", bodies[name])
    below = [_deepest(other, bodies, frames) for other in {*named} & bodies.keys() - {name}]
    return frames[name] + max(below, default=0)


def _pushed_bytes(body: str) -> int:
    """Frame of a function of assembly alone, of which the compiler does not tell."""
    pushed: list[str] = re.findall(r"\t(?:push|stmdb\tsp!,)\s+\{(.*)\}", body)
    vectors: list[tuple[str, str]] = re.findall(r"\tvpush\s+\{d(\d+)(?:-d(\d+))?\}", body)
    moved: list[str] = re.findall(r"\tsub(?:\.?w)?\tsp,(?: sp,)? #(\d+)", body)
    words = sum(text.count(",") + 1 for text in pushed)
    doubles = sum(int(last or first) - int(first) + 1 for first, last in vectors)
    return 4 * words + 8 * doubles + sum(map(int, moved))


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
