# SPDX-License-Identifier: Apache-2.0
"""What the instructions of an image do to its stack: calls, and moves of the stack pointer.

The disassembler is the one of the compiler, which knows every instruction that it makes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import PurePosixPath

from mcuplan.errors import ToolFailed
from mcuplan.prove.elf import Elf
from mcuplan.prove.harness import CoreImage
from mcuplan.prove.toolchain import run_tool

__all__ = ["Function", "Instruction", "disassemble"]

_LINE = re.compile(r"^ *([0-9a-f]+):\t(\S+)(?:\t([^;@]*))?")
_TARGET = re.compile(r"\b([0-9a-f]+) <")
_CONDITION = "(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?"
_BRANCH = re.compile(rf"(?:b{_CONDITION}|bl{_CONDITION}|cbn?z)(?:\.[nw])?")
_INDIRECT = re.compile(rf"(?:blx|bx|blxns|bxns){_CONDITION}")
_PUSH = re.compile(rf"v?push{_CONDITION}(?:\.[nw])?")
_STORE = re.compile(rf"v?stmdb{_CONDITION}(?:\.[nw])?")
_MOVE = re.compile(rf"(?P<what>add|sub)w?{_CONDITION}s?(?:\.[nw])?")
_READS = re.compile(r"(?:cm[pn]|tst|teq|str|push|pop|v?ldm|v?stm)")  # of a first operand
_OF_ITSELF = re.compile(r"sp, (?:sp, )?#(\d+)")
_UPDATE = re.compile(r"\[sp, #(-?\d+)\]!|\[sp\], #(-?\d+)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """A line of the disassembly; ``end`` is the address behind the instruction."""

    address: int
    end: int
    name: str
    operands: str

    @property
    def target(self) -> int | None:
        """Where a direct branch or call goes; None of other instructions."""
        found = _TARGET.search(self.operands) if _BRANCH.fullmatch(self.name) else None
        return int(found[1], 16) if found else None

    @property
    def is_padding(self) -> bool:
        """What stands between functions; zeros read as a move of a register to itself."""
        zeros = self.name == "movs" and self.operands == "r0, r0"
        return zeros or self.name.startswith((".", "nop"))

    @property
    def ends_flow(self) -> bool:
        """Whether execution never runs on behind it."""
        name, operands = self.name, self.operands
        return (
            name in ("b", "b.n", "b.w", "bx", "tbb", "tbh", "udf")
            or (name.startswith(("pop", "ldmia")) and "pc" in operands)
            or (name.startswith(("mov", "ldr", "add")) and operands.startswith("pc,"))
        )

    @property
    def takes_own_address(self) -> bool:
        """``adr``, which the disassembler writes as an addition to the program counter."""
        name, operands = self.name, self.operands
        return name.startswith("adr") or (name.startswith(("add", "sub")) and ", pc, #" in operands)

    @property
    def pushed_bytes(self) -> int | None:
        """Bytes by which the stack pointer falls, 0 if it rises; None if it may then be anywhere.

        Source: Armv8-M ARM, C2.4: whatever moves it names it as the first operand, or marks it
        with ``!``, or adds behind a bracket; ``msr`` names it by its mode.
        """
        name, operands = self.name, self.operands
        if _PUSH.fullmatch(name) or (_STORE.fullmatch(name) and operands.startswith("sp!")):
            return sum(8 if register[0] == "d" else 4 for register in self.registers)
        if found := _UPDATE.search(operands):
            return max(0, -int(found[1] or found[2]))
        mode = name == "msr" and "SP" in operands.upper()
        if not (mode or operands.startswith("sp,")) or _READS.match(name):
            return 0
        move, number = _MOVE.fullmatch(name), _OF_ITSELF.match(operands)
        if move is None or number is None:
            return None
        return int(number[1]) if move["what"] == "sub" else 0

    @property
    def registers(self) -> tuple[str, ...]:
        """Registers of a list such as ``{r4, r5, lr}`` or ``{d8-d15}``."""
        listed = self.operands[self.operands.find("{") + 1 : self.operands.rfind("}")]
        names: list[str] = []
        for part in (text.strip() for text in listed.split(",")):
            first, _, last = part.partition("-")
            if not last:
                names.append(first)
                continue
            names += [f"{first[0]}{number}" for number in range(int(first[1:]), int(last[1:]) + 1)]
        return tuple(names)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of an image; code behind a label without type belongs to the one before it."""

    name: str
    address: int
    code: tuple[Instruction, ...]

    @property
    def runs_on(self) -> bool:
        """Whether execution may run into what lies behind it."""
        last = [i for i in self.code if not i.is_padding][-1:]
        return bool(last) and not last[0].ends_flow

    @property
    def indirect_call(self) -> Instruction | None:
        """The first call through a register or a literal, whose target is unknown.

        Compilers write ``pc`` in another way only for the jump table of a switch. A ``bx``
        where the function takes an address of its own code (``adr``) enters an unrolled loop
        of hand-written assembly; compiled code has no such pair.
        """
        popped: tuple[str, ...] = ()
        loops = any(i.takes_own_address for i in self.code)
        for i in self.code:
            if i.name.startswith("pop"):
                popped = i.registers
            register = i.operands if _INDIRECT.fullmatch(i.name) else ""
            returns = register in ("", "lr", *popped) or (i.name == "bx" and loops)
            if not returns or (i.name.startswith("ldr") and i.operands.startswith("pc, [pc")):
                return i
        return None


def disassemble(image: CoreImage, elf: Elf) -> tuple[Function, ...]:
    """The functions of an image, ascending.

    Raises:
        ToolFailed: the disassembler failed, or said nothing of a function.
    """
    names: dict[int, str] = {}
    for symbol in elf.symbols:
        if symbol.is_function:
            names.setdefault(symbol.address, symbol.name)
    starts = sorted(names)
    code: dict[int, list[Instruction]] = {start: [] for start in starts}
    command = [image.compiler.objdump, "-d", "--no-show-raw-insn", str(image.program)]
    lines = [
        found
        for line in run_tool(command, image.work).stdout.splitlines()
        if (found := _LINE.match(line))
    ]
    addresses = [int(line[1], 16) for line in lines]
    for line, address, end in zip(lines, addresses, [*addresses, 0][1:], strict=True):
        index = bisect_right(starts, address) - 1
        if index >= 0:
            operands = (line[3] or "").strip()
            code[starts[index]].append(Instruction(address, end, line[2], operands))
    tool = PurePosixPath(image.compiler.objdump).name
    for symbol in elf.symbols:
        if symbol.is_function and symbol.nbytes and not code[symbol.address]:
            raise ToolFailed(
                f"{tool} disassembled nothing of {symbol.name}",
                image.compiler.objdump,
                f"`{tool} --version` must name GNU binutils",
            )
    return tuple(Function(names[start], start, tuple(code[start])) for start in starts)
