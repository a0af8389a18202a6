# SPDX-License-Identifier: Apache-2.0
"""Bounds the stack of an inference call from the linked image.

Frames come from the compiler's ``.su`` files and from the disassembly, whichever is larger;
library functions have only the latter. The call graph is the disassembly's. A tail call
counts as a call, so that the bound is never below what runs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from mcuplan.errors import StackUnknown, ToolFailed
from mcuplan.prove.elf import read_elf
from mcuplan.prove.harness import CoreImage, Hook
from mcuplan.prove.toolchain import run_tool

__all__ = ["StackBound", "bound_stack"]

_LINE = re.compile(r"^ *([0-9a-f]+):\t(\S+)(?:\t([^;@]*))?")
_TARGET = re.compile(r"\b([0-9a-f]+) <")
_CONDITION = "(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?"
_BRANCH = re.compile(rf"(?:b{_CONDITION}|bl{_CONDITION}|cbn?z)(?:\.[nw])?")
_INDIRECT = re.compile(rf"(?:blx|bx|blxns|bxns){_CONDITION}")
_PUSH = re.compile(rf"(?:push|stmdb|vpush|vstmdb){_CONDITION}(?:\.[nw])?")
_MOVE_SP = re.compile(rf"(?:add|sub|addw|subw|mov|bic){_CONDITION}s?(?:\.[nw])?")
_PRE_INDEX = re.compile(r"\[sp, #-(\d+)\]!")
_IMMEDIATE = re.compile(r"#(-?\d+)")


@dataclass(frozen=True, slots=True)
class StackBound:
    """Most stack that a call can use.

    Attributes:
        nbytes: from the entry of the function on, without exceptions.
        exception_frame_bytes: what one exception adds at most before its handler runs.
        path: chain of calls that needs ``nbytes``, outermost first.
    """

    nbytes: int
    exception_frame_bytes: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Instruction:
    address: int
    name: str
    operands: str


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    code: tuple[_Instruction, ...]


def bound_stack(image: CoreImage, function: str = "") -> StackBound:
    """Bound the stack of ``function``, by default of the bundle's inference calls.

    Raises:
        StackUnknown: recursion, a call through a pointer, or a frame of varying size.
        ToolFailed: the disassembler failed.
    """
    if image.hook is not Hook.NONE:
        raise ValueError("a step hook adds calls: bound the stack of an image without one")
    functions = _disassemble(image)
    frames = _reported_frames(image)
    names = (function,) if function else image.api.entries
    starts = [address for address, found in functions.items() if found.name in names]
    if len(starts) != len(names):
        raise ToolFailed(f"not all of {', '.join(names)} are in the linked image")
    deepest = [_deepest(functions, frames, start, {}, ()) for start in starts]
    nbytes, path = max(deepest, key=lambda found: found[0])
    return StackBound(nbytes, image.core.frame_bytes, path)


def _disassemble(image: CoreImage) -> dict[int, _Function]:
    """Functions by address; code behind a label without type belongs to the one before it."""
    elf = read_elf(image.work / image.program)
    names: dict[int, str] = {}
    for symbol in elf.symbols:
        if symbol.is_function:
            names.setdefault(symbol.address, symbol.name)
    command = [image.compiler.objdump, "-d", "--no-show-raw-insn", str(image.program)]
    text = run_tool(command, image.work).stdout
    starts = sorted(names)
    code: dict[int, list[_Instruction]] = {start: [] for start in starts}
    for line in text.splitlines():
        if found := _LINE.match(line):
            address = int(found[1], 16)
            index = bisect_right(starts, address) - 1
            if index >= 0:
                operands = (found[3] or "").strip()
                code[starts[index]].append(_Instruction(address, found[2], operands))
    tool = PurePosixPath(image.compiler.objdump).name
    for symbol in elf.symbols:
        if symbol.is_function and symbol.nbytes and not code[symbol.address]:
            raise ToolFailed(
                f"{tool} disassembled nothing of {symbol.name}",
                image.compiler.objdump,
                f"`{tool} --version` must name GNU binutils",
            )
    return {start: _Function(names[start], tuple(code[start])) for start in starts}


def _reported_frames(image: CoreImage) -> dict[str, int]:
    """Frame bytes by function from the ``.su`` files; clones count under the plain name.

    Raises:
        StackUnknown: a frame of varying size.
        ToolFailed: the compiler did not write them.
    """
    frames: dict[str, int] = {}
    for path in image.bundle_objects:
        for place, nbytes, how in _reported(image, path.with_suffix(".su")):
            name = place.rsplit(":", 1)[-1].split(".")[0]
            if how != "static":
                raise StackUnknown(f"frame of {name} has no fixed size", where=place)
            frames[name] = max(frames.get(name, 0), nbytes)
    return frames


def _reported(image: CoreImage, path: PurePosixPath) -> list[tuple[str, int, str]]:
    """Place, bytes and kind of each frame in a ``.su`` file."""
    try:
        text = (image.work / path).read_text(encoding="utf-8", errors="replace")
        lines = [line.split("\t") for line in text.splitlines()]
        return [(place, int(nbytes), how) for place, nbytes, how in lines]
    except (OSError, ValueError) as error:
        raise ToolFailed(
            f"{PurePosixPath(image.compiler.path).name} wrote no stack usage of {path.stem}",
            image.compiler.path,
            "use gcc: -fstack-usage is what it takes",
        ) from error


def _deepest(
    functions: Mapping[int, _Function],
    frames: Mapping[str, int],
    start: int,
    known: dict[int, tuple[int, tuple[str, ...]]],
    above: tuple[int, ...],
) -> tuple[int, tuple[str, ...]]:
    """Bytes and path of the deepest chain of calls from ``start``; fills ``known``."""
    if start in known:
        return known[start]
    function = functions[start]
    if start in above:
        names = " -> ".join(functions[address].name for address in (*above, start))
        raise StackUnknown(f"recursion: {names}", where=function.name)
    reported = frames.get(function.name.split(".")[0])
    best: tuple[int, tuple[str, ...]] = (0, ())
    for callee in _callees(functions, start):
        found = _deepest(functions, frames, callee, known, (*above, start))
        best = max(best, found, key=lambda entry: entry[0])
    frame = _frame(function, reported)
    known[start] = (frame + best[0], (function.name, *best[1]))
    return known[start]


def _callees(functions: Mapping[int, _Function], start: int) -> tuple[int, ...]:
    """Functions that one calls, jumps to or runs into, ascending."""
    starts = sorted(functions)
    function = functions[start]
    found = set()
    popped: set[str] = set()
    for instruction in function.code:
        if _BRANCH.fullmatch(instruction.name):
            target = _TARGET.search(instruction.operands)
            if target:
                found.add(starts[bisect_right(starts, int(target[1], 16)) - 1])
        elif instruction.name.startswith("pop"):
            popped = set(_registers(instruction.operands))
        else:
            _refuse_indirect(function, instruction, popped)
    last = [i for i in function.code if not _is_padding(i)][-1:]
    if last and not _ends(last[0]) and starts.index(start) + 1 < len(starts):
        found.add(starts[starts.index(start) + 1])
    calls_itself = any(
        i.name.startswith("bl") and f"<{function.name}>" in i.operands for i in function.code
    )
    return tuple(sorted(found if calls_itself else found - {start}))


def _refuse_indirect(function: _Function, instruction: _Instruction, popped: set[str]) -> None:
    """Calls through a register or a literal have unknown targets.

    Compilers write ``pc`` in another way only for the jump table of a switch. A ``bx``
    where the function takes an address of its own code (``adr``) enters an unrolled loop
    of hand-written assembly; compiled code has no such pair.
    """
    name, operands = instruction.name, instruction.operands
    register = operands if _INDIRECT.fullmatch(name) else ""
    returns = register in ("", "lr") or register in popped
    if name == "bx" and any(_takes_own_address(i) for i in function.code):
        returns = True
    if not returns or (name.startswith("ldr") and operands.startswith("pc, [pc")):
        raise StackUnknown(f"call through a pointer in {function.name}", where=function.name)


def _takes_own_address(instruction: _Instruction) -> bool:
    """``adr``, which the disassembler writes as an addition to the program counter."""
    name, operands = instruction.name, instruction.operands
    return name.startswith("adr") or (name.startswith(("add", "sub")) and ", pc, #" in operands)


def _is_padding(instruction: _Instruction) -> bool:
    """What stands between functions; zeros read as a move of a register to itself."""
    zeros = instruction.name == "movs" and instruction.operands == "r0, r0"
    return zeros or instruction.name.startswith((".", "nop"))


def _ends(instruction: _Instruction) -> bool:
    """Whether execution never runs on behind the instruction."""
    name, operands = instruction.name, instruction.operands
    return (
        name in ("b", "b.n", "b.w", "bx", "tbb", "tbh", "udf")
        or (name.startswith(("pop", "ldmia")) and "pc" in operands)
        or (name.startswith(("mov", "ldr", "add")) and operands.startswith("pc,"))
    )


def _frame(function: _Function, reported: int | None) -> int:
    """Bytes that a function takes: every decrement of the stack pointer counted once."""
    total = 0
    for instruction in function.code:
        name, operands = instruction.name, instruction.operands
        if _PUSH.fullmatch(name):
            total += _pushed(name, operands)
        elif pre := _PRE_INDEX.search(operands):
            total += int(pre[1])
        elif _MOVE_SP.fullmatch(name) and operands.startswith("sp,"):
            number = _IMMEDIATE.search(operands)
            if number is None and reported is None:
                raise StackUnknown(f"frame of {function.name} varies", where=function.name)
            if number and name.startswith("sub"):
                total += int(number[1])
    return max(total, reported or 0)


def _pushed(name: str, operands: str) -> int:
    if name.startswith(("stmdb", "vstmdb")) and not operands.startswith("sp!"):
        return 0
    registers = _registers(operands)
    return sum(8 if register.startswith("d") else 4 for register in registers)


def _registers(operands: str) -> tuple[str, ...]:
    """Registers of a list such as ``{r4, r5, lr}`` or ``{d8-d15}``."""
    listed = operands[operands.find("{") + 1 : operands.rfind("}")]
    found: list[str] = []
    for part in (text.strip() for text in listed.split(",")):
        first, _, last = part.partition("-")
        if not last:
            found.append(first)
            continue
        found += [f"{first[0]}{number}" for number in range(int(first[1:]), int(last[1:]) + 1)]
    return tuple(found)
