# SPDX-License-Identifier: Apache-2.0
"""Weights in RAM while a kernel reads them again and again: a copy behind its scratch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from mcuplan.ir.op import Call, ConstArray, Kernel, Signature
from mcuplan.units import align_up

__all__ = ["own_scratch_bytes", "staged", "staged_bytes", "staged_field"]


def staged_field(call: Call) -> tuple[str, int]:
    """The member that points to most of the weights, and their bytes; ``("", 0)`` for none."""
    arrays = {k: v for k, v in call.fields.items() if isinstance(v, ConstArray)}
    sizes = {k: v.nbytes for k, v in arrays.items() if v.kind == "weights"}
    return max(sizes.items(), key=lambda item: item[1], default=("", 0))


def staged_bytes(kernel: Kernel, sig: Signature) -> int:
    """Bytes of the copy, rounded up to words; none of a step of several calls."""
    calls = kernel.calls(sig)
    return align_up(staged_field(calls[0])[1], 4) if len(calls) == 1 else 0


def own_scratch_bytes(kernel: Kernel, sig: Signature) -> int:
    """Bytes of scratch that the function itself takes."""
    copied = staged_bytes(kernel, sig) if kernel.staged else 0
    return kernel.scratch_bytes(sig) - copied


@cache
def staged(kernel: Kernel) -> Kernel:
    """A kernel whose weights are copied behind its own scratch, and read from there."""

    def scratch_bytes(sig: Signature) -> int:
        return align_up(kernel.scratch_bytes(sig), 4) + staged_bytes(kernel, sig)

    return replace(kernel, scratch_bytes=scratch_bytes, staged=True)
