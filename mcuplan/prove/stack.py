# SPDX-License-Identifier: Apache-2.0
"""Bounds the stack of an inference call from the linked image.

Frames come from call-frame information, which compilers write for every function. Where the
stack pointer moves and that information does not say so, which is assembly, the move is added to
the function's frame. Calls are those of the disassembly; a tail call counts as a call, so
that the bound is never below what runs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from mcuplan.errors import StackUnknown, ToolFailed
from mcuplan.prove.disassembly import Function, Instruction, disassemble
from mcuplan.prove.elf import Frame, read_elf
from mcuplan.prove.harness import CoreImage, Hook

__all__ = ["StackBound", "bound_stack"]

_UNKNOWN = Frame(((0, None),))


@dataclass(frozen=True, slots=True)
class StackBound:
    """Most stack that a call can use.

    Attributes:
        nbytes: from the entry of the function on, without exceptions.
        path: chain of calls that needs ``nbytes``, outermost first.
    """

    nbytes: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Depth:
    """Bytes and path of the deepest chain of calls from a function."""

    nbytes: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Image:
    """Functions and their frames, both ascending; ``known`` are depths by place in them."""

    functions: Sequence[Function]
    frames: Sequence[Frame]
    known: dict[int, _Depth] = field(default_factory=dict)

    def index_at(self, address: int) -> int:
        """Place of the function that an address belongs to."""
        return bisect_right(self.functions, address, key=lambda function: function.address) - 1

    def deepest(self, index: int, above: tuple[int, ...] = ()) -> _Depth:
        """Depth from a function that those ``above`` call.

        Raises:
            StackUnknown: recursion, a call through a pointer, or a frame of varying size.
        """
        if index in self.known:
            return self.known[index]
        function = self.functions[index]
        if index in above:
            names = " -> ".join(self.functions[i].name for i in (*above, index))
            raise StackUnknown(f"recursion: {names}", where=function.name)
        below = [self.deepest(callee, (*above, index)) for callee in self._callees(index)]
        rest = max(below, key=lambda depth: depth.nbytes, default=_Depth(0, ()))
        frame = _frame_bytes(function, self.frames[index])
        self.known[index] = _Depth(frame + rest.nbytes, (function.name, *rest.path))
        return self.known[index]

    def _callees(self, index: int) -> Sequence[int]:
        """Functions that one calls, jumps to or runs into, ascending."""
        function = self.functions[index]
        if function.indirect_call is not None:
            raise StackUnknown(f"call through a pointer in {function.name}", where=function.name)
        targets = [(i.name, i.target) for i in function.code if i.target is not None]
        callees = {self.index_at(target) for _, target in targets}
        if function.runs_on and index + 1 < len(self.functions):
            callees.add(index + 1)
        if not any(name[:2] == "bl" and at == function.address for name, at in targets):
            callees.discard(index)  # a loop
        return sorted(callees)


def bound_stack(image: CoreImage, function: str = "") -> StackBound:
    """Bound the stack of ``function``, by default of the bundle's inference calls.

    Raises:
        StackUnknown: recursion, a call through a pointer, or a frame of varying size.
        ToolFailed: the disassembler failed.
    """
    if image.hook is not Hook.NONE:
        raise ValueError("a step hook adds calls: bound the stack of an image without one")
    elf = read_elf(image.work / image.program)
    functions = disassemble(image, elf)
    graph = _Image(functions, [elf.frames.get(f.address, _UNKNOWN) for f in functions])
    names = (function,) if function else image.api.entries
    starts = [index for index, found in enumerate(functions) if found.name in names]
    if len(starts) != len(names):
        raise ToolFailed(f"not all of {', '.join(names)} are in the linked image")
    deepest = max(map(graph.deepest, starts), key=lambda depth: depth.nbytes)
    return StackBound(deepest.nbytes, deepest.path)


def _frame_bytes(function: Function, frame: Frame) -> int:
    """Most that a function takes: what is known of its frame, and every other push once."""
    return frame.nbytes + sum(_unsaid_bytes(function, frame, i) for i in range(len(function.code)))


def _unsaid_bytes(function: Function, frame: Frame, index: int) -> int:
    """Bytes that an instruction pushes without a word in the call-frame information."""
    instruction = function.code[index]
    pushed = instruction.pushed_bytes
    before, after = frame.depth_at(instruction.address), frame.depth_at(instruction.end)
    if pushed is not None:
        return 0 if before is not None and after == before + pushed else pushed
    said = after is not None and after != before
    if said or (before and _returns(function.code[index + 1 :])):
        return 0
    raise StackUnknown(f"frame of {function.name} has no fixed size", where=function.name)


def _returns(code: Sequence[Instruction]) -> bool:
    """Whether code does nothing but pop and return, of which compilers do not always tell."""
    for instruction in code:
        if instruction.target is not None or instruction.pushed_bytes != 0:
            return False
        if instruction.ends_flow:
            return True
    return False
