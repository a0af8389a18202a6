# SPDX-License-Identifier: Apache-2.0
"""Code and stack before a build: measured sizes of the kernels, scaled, with a margin.

`codegen/kernels/<backend>/sizes.toml` holds what each kernel took when compiled for the
reference (its header line says which); the target's ``code_model`` scales it to the core.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from mcuplan.ir.op import Kernel
from mcuplan.resources import codegen_dir
from mcuplan.schedule.program import Program
from mcuplan.targets import Target

__all__ = ["Modelled", "kernel_code_bytes", "kernel_sizes", "model_code"]

_UNKNOWN_KERNEL = {"code_bytes": 1024, "stack_bytes": 128}  # more than any kernel measured
_PER_MODEL = 96  # checks of the context, prologue and epilogue of NAME_invoke
_PER_PORT = 24  # an accessor
_PER_ARGUMENT = 6  # address or constant to a register, Thumb-2
_PER_CALL = 6  # branch and link, literal
_INVOKE_STACK = 48
_WIDE_CORES = frozenset({"cortex-m0", "cortex-m0plus"})
_LIBRARY_BYTES = 320  # 64-bit multiply and division helpers of a core that lacks them


@dataclass(frozen=True, slots=True)
class Modelled:
    """Modelled bytes and the margin that is charged on top."""

    code_bytes: int
    code_margin_bytes: int
    stack_bytes: int
    stack_margin_bytes: int


@cache
def kernel_sizes(backend: str) -> Mapping[str, Mapping[str, int]]:
    """Bytes of code and stack by kernel function, empty for a backend without a file."""
    path = codegen_dir() / "kernels" / backend / "sizes.toml"
    if not path.is_file():
        return MappingProxyType({})
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType({name: MappingProxyType(row) for name, row in found.items()})


def kernel_code_bytes(kernel: Kernel) -> int:
    """Code of one kernel as compiled for the reference."""
    return kernel_sizes(kernel.backend).get(kernel.function, _UNKNOWN_KERNEL)["code_bytes"]


def model_code(program: Program, target: Target) -> Modelled:
    """Code and stack of a program that nobody has compiled yet."""
    kernels = _kernels(program)
    rows = [kernel_sizes(k.backend).get(k.function, _UNKNOWN_KERNEL) for k in kernels]
    calls = [call for step in program.steps for call in step.calls]
    arguments = sum(len(call.inputs) + 4 for call in calls)
    code = sum(row["code_bytes"] for row in rows) + _PER_MODEL
    code += len(calls) * _PER_CALL + arguments * _PER_ARGUMENT
    code += _PER_PORT * (len(program.graph.inputs) + len(program.graph.outputs))
    scale, margin = _ratio(target, "scale", 1.0), _ratio(target, "margin", 0.25)
    code = math.ceil(code * scale) + (_LIBRARY_BYTES if target.core in _WIDE_CORES else 0)
    stack = _INVOKE_STACK + max((row["stack_bytes"] for row in rows), default=0)
    return Modelled(code, math.ceil(code * margin), stack, math.ceil(stack * margin / 4) * 4)


def _kernels(program: Program) -> Iterable[Kernel]:
    return list({step.kernel.function: step.kernel for step in program.steps}.values())


def _ratio(target: Target, key: str, default: float) -> float:
    figure = target.code_model.get(key)
    return figure.value if figure is not None else default
