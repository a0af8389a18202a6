# SPDX-License-Identifier: Apache-2.0
"""Forms of a kernel: one function that reads the same constants in more scratch or less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mcuplan.ir.op import ConstArray, Kernel
from mcuplan.schedule.kernels.select import Candidate, Ways
from mcuplan.schedule.program import Step

__all__ = ["alike", "in_lean_forms"]

_ROOMY = 0.8  # of the rows, that are expected to find room for the fastest form


def alike(step: Step, other: Kernel) -> bool:
    """Whether a kernel may take the place of a step's in some runs."""
    kernel, signature = step.kernel, step.signature
    if (kernel.function, kernel.tall) != (other.function, other.tall) or kernel.staged:
        return False
    pairs = zip(kernel.calls(signature), other.calls(signature), strict=True)
    return all(_arrays(one.fields) == _arrays(two.fields) for one, two in pairs)


def _arrays(fields: Mapping[str, object]) -> dict[str, int]:
    return {name: id(value) for name, value in fields.items() if isinstance(value, ConstArray)}


def in_lean_forms(ways: Ways) -> Ways:
    """The leanest form of each kernel alone, as fast as is to hope for where runs differ."""
    return {
        name: tuple(sorted(_leanest(found), key=lambda one: one.cycles))
        for name, found in ways.items()
    }


def _leanest(found: Sequence[Candidate]) -> Iterator[Candidate]:
    left = list(found)
    while left:
        kernel = left[0].step.kernel
        forms = [one for one in left if one.step.kernel is kernel or alike(one.step, kernel)]
        left = [one for one in left if one not in forms]
        lean = min(forms, key=lambda one: (one.step.scratch_bytes, one.cycles))
        fast = min(one.cycles for one in forms)
        yield replace(lean, cycles=_ROOMY * fast + (1 - _ROOMY) * lean.cycles)
