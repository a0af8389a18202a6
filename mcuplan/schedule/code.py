# SPDX-License-Identifier: Apache-2.0
"""Code and stack before a build: measured sizes of the kernels, scaled, with a margin.

The target's ``code_model`` scales what they took on the reference to the core.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mcuplan.ir.op import Kernel
from mcuplan.price import constants_of, kernel_size
from mcuplan.price.constants import Constants
from mcuplan.price.cycles import SMALL_CORES
from mcuplan.price.structs import struct_bytes
from mcuplan.schedule.program import Program, Step
from mcuplan.targets import Target

__all__ = [
    "Modelled",
    "calls_code",
    "charged_for_code",
    "charged_for_copy",
    "joint_code",
    "model_code",
    "step_constants",
]

_PER_MODEL = 96  # checks of the context, prologue and epilogue of NAME_invoke
_PER_PORT = 24  # an accessor
_PER_ARGUMENT = 6  # address or constant to a register, Thumb-2
_PER_STAGING = 64  # the copy of weights and of a params struct
_PER_CALL = 6  # branch and link, literal
_INVOKE_STACK = 48
_LEAST_STACK_MARGIN = 96  # what calls spill and pass in memory: up to 88 bytes were measured
_SOFT_FLOAT_BYTES = 1_100  # sum, product and comparison of float32 in libgcc, Thumb-2
_LIBRARY_BYTES = 320  # 64-bit multiply and division helpers of a core that lacks them


@dataclass(frozen=True, slots=True)
class Modelled:
    """Modelled bytes and the margin that is charged on top."""

    code_bytes: int
    code_margin_bytes: int
    stack_bytes: int
    stack_margin_bytes: int


def model_code(program: Program, target: Target) -> Modelled:
    """Code and stack of a program that nobody has compiled yet."""
    return joint_code((program,), target)


def joint_code(programs: Sequence[Program], target: Target) -> Modelled:
    """The same of several in one image: kernels once, and the stack that any of them needs."""
    shared = _kernels(programs)
    sizes = [kernel_size(kernel) for kernel in shared]
    code = sum(size.code_bytes for size in sizes) + sum(map(_own_code, programs))
    kinds = [kind for k in shared for kind in (*k.types.inputs, *k.types.outputs)]
    real = any(kind.is_float for kind in kinds)
    code += _SOFT_FLOAT_BYTES if real and "fpu" not in target.features else 0
    scale, margin = _ratio(target, "scale", 1.0), _ratio(target, "margin", 0.25)
    code = math.ceil(code * scale) + (_LIBRARY_BYTES if target.core in SMALL_CORES else 0)
    stack = _INVOKE_STACK + max((size.stack_bytes for size in sizes), default=0)
    copied = [[struct_bytes(k.function) for k in _staged(p)] for p in programs]
    stack += max(
        map(sum, copied)
    )  # compilers keep the params of each kernel in a place of their own
    code += _PER_STAGING * sum(map(len, copied))
    spilled = max(_LEAST_STACK_MARGIN, math.ceil(stack * margin / 4) * 4)
    return Modelled(code, math.ceil(code * margin), stack, spilled)


def step_constants(step: Step) -> Constants:
    """What a step keeps in flash: its forms have a params struct each, and the same arrays."""
    own = constants_of(step.kernel, step.signature)
    structs = len(step.forms) * len(step.calls) * struct_bytes(step.kernel.function)
    return replace(own, tables_bytes=own.tables_bytes + structs)


def charged_for_code(target: Target) -> float:
    """Bytes of flash that are charged for one of code on the reference."""
    return _ratio(target, "scale", 1.0) * (1 + _ratio(target, "margin", 0.25))


def charged_for_copy(target: Target) -> float:
    """The same for a function whose calls copy weights, beside its own code."""
    return _PER_STAGING * (1 + _ratio(target, "margin", 0.25))


def calls_code(step: Step) -> int:
    """Bytes of code of the calls of a step, on the reference."""
    calls = [call for one in step.in_forms for call in one.calls]
    arguments = sum(len(call.inputs) + 4 for call in calls)
    return len(calls) * _PER_CALL + arguments * _PER_ARGUMENT


def _own_code(program: Program) -> int:
    """Code of a model but its kernels: checks, accessors and calls."""
    ports = len(program.graph.inputs) + len(program.graph.outputs)
    return _PER_MODEL + sum(map(calls_code, program.steps)) + ports * _PER_PORT


def _staged(program: Program) -> list[Kernel]:
    """Kernels of which a call copies weights."""
    return [kernel for kernel in _kernels((program,)) if kernel.staged]


def _kernels(programs: Iterable[Program]) -> list[Kernel]:
    steps = sorted(  # the staged one stays
        (step for program in programs for step in program.steps),
        key=lambda step: step.kernel.staged,
    )
    return list({step.kernel.function: step.kernel for step in steps}.values())


def _ratio(target: Target, key: str, default: float) -> float:
    figure = target.code_model.get(key)
    return figure.value if figure is not None else default
