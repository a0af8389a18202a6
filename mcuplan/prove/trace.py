# SPDX-License-Identifier: Apache-2.0
"""Where everything of a bundle lies in a linked image, and which function calls which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcuplan.prove.cores import Core
from mcuplan.prove.disassembly import disassemble
from mcuplan.prove.elf import ElfSymbol, read_elf
from mcuplan.prove.harness import build_for_core
from mcuplan.prove.stack import StackBound, bound_stack
from mcuplan.prove.subject import Subject
from mcuplan.prove.toolchain import cross_compiler
from mcuplan.tempfiles import temporary_folder

__all__ = ["ImageTrace", "trace_image"]


@dataclass(frozen=True, slots=True)
class ImageTrace:
    """An image as it is measured: its symbols by name, the callees of each function, its stack."""

    symbols: Mapping[str, ElfSymbol]
    callees: Mapping[str, tuple[str, ...]]
    stack: StackBound

    def below(self, function: str) -> tuple[str, ...]:
        """Every function that one reaches, by name, without itself."""
        found, todo = {function}, [function]
        while todo:
            for name in self.callees.get(todo.pop(), ()):
                if name not in found:
                    found.add(name)
                    todo.append(name)
        return tuple(sorted(found - {function}))


def trace_image(subject: Subject, core: Core) -> ImageTrace:
    """Build the image that sizes and stack are measured of, and read it.

    Raises:
        ToolMissing, ToolFailed: the compiler is missing, or failed.
        StackUnknown: the stack cannot be bounded.
    """
    with temporary_folder() as work:
        image = build_for_core(subject.bundle.files, subject.api(), work, core, cross_compiler())
        elf = read_elf(image.work / image.program)
        functions, stack = disassemble(image, elf), bound_stack(image)
    symbols: dict[str, ElfSymbol] = {}
    for symbol in elf.symbols:
        symbols.setdefault(symbol.name, symbol)
    callees = {}
    for function in functions:
        targets = (i.target for i in function.code if i.target is not None)
        names = {elf.function_at(target) for target in targets} - {function.name, None}
        callees[function.name] = tuple(sorted(name for name in names if name))
    return ImageTrace(symbols, callees, stack)
