# SPDX-License-Identifier: Apache-2.0
"""Kernels of functions of one value in float32: programs of steps, and what they count."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import DType, Types
from mcuplan.ir.work import Work
from mcuplan.ops._program_f32 import DEPTH, LEVELS, Program, codes, compiled, depth, level
from mcuplan.ops.unary import Lookup

__all__ = ["KERNELS"]

_MOST_CONSTANTS = 255  # that a step reaches
_LANES = 8  # elements that a step takes at once


def _program(sig: Signature) -> Program:
    op = sig.op
    assert isinstance(op, Lookup)
    return compiled(op.chain)


def _supports(least: int) -> Callable[[Signature], bool]:
    """Whether a kernel is the first that has all steps, and the stack holds their values."""

    def supports(sig: Signature) -> bool:
        program = sig.once(_program)
        fits = depth(program) <= DEPTH and codes(program)[0][:, 1].max(initial=0) <= _MOST_CONSTANTS
        return fits and level(program) == least

    return supports


def _call(sig: Signature) -> tuple[Call, ...]:
    program, values = codes(sig.once(_program))
    fields: dict[str, Field] = {
        "program": ConstArray(DType.UINT8, program.reshape(-1), "tables"),
        "values": ConstArray(DType.FLOAT32, values, "tables"),
        "steps": len(program),
        "row_elements": sig.output.elements // max(1, sig.output.rows),
    }
    return (Call(fields),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Blocks of a row, steps of each of them, and elements by step."""
    program, output = sig.once(_program), sig.output
    row = output.elements // max(1, output.rows)
    blocks = output.rows * -(-row // _LANES)
    work: dict[str, float] = {
        "call": len(runs),
        "row": output.rows,
        "block": blocks,
        "element": output.elements,
        "step": blocks * len(program),
    }
    for step in program:
        work[step.name] = work.get(step.name, 0.0) + output.elements
    return work


KERNELS = tuple(
    Kernel(
        Lookup,
        function,
        _call,
        supports=_supports(least),
        types=Types.all(DType.FLOAT32),
        work=_work,
    )
    for least, function in enumerate(LEVELS)
)
