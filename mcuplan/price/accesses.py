# SPDX-License-Identifier: Apache-2.0
"""How often a kernel reads and writes RAM: modelled, to rate regions with wait states."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.ir.op import Kernel, Signature

__all__ = ["Accesses", "accesses_of"]

_MACS_PER_LOAD = {"conv2d": 2, "dense": 2, "depthwise": 1}  # two channels share their inputs
_WORD = 4  # bytes that a cache line's word and a load of a fast kernel have


@dataclass(frozen=True, slots=True)
class Accesses:
    """Accesses by operand; 0 of inputs that are constants."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    scratch: int


def accesses_of(kernel: Kernel, sig: Signature, *, cached: bool) -> Accesses:
    """Accesses to RAM of one whole output.

    With a data cache every byte comes and goes once, a word at a time. Without, kernels load
    what they multiply or compare: elements in the portable ones, words in the others; a patch
    in scratch is written once per pixel and takes the place of the input.
    """
    held = [
        kind if constant is None else None
        for kind, constant in zip(sig.inputs, sig.constants, strict=True)
    ]
    scratch = kernel.scratch_bytes(sig)
    if cached:
        read = tuple(-(-kind.nbytes // _WORD) if kind else 0 for kind in held)
        made = tuple(-(-kind.nbytes // _WORD) for kind in sig.outputs)
        return Accesses(read, made, -(-scratch // _WORD))
    width = max(1, _WORD // sig.inputs[0].dtype.nbytes(1)) if kernel.backend != "c99" else 1
    loads = _loads(kernel, sig) // width
    windows = [_gathered(kernel, sig, kind.elements) // width if kind else 0 for kind in held]
    read = tuple(
        max(loads if loads and not scratch else count, -(-kind.elements // width)) if kind else 0
        for kind, count in zip(held, windows, strict=True)
    )
    made = tuple(kind.elements for kind in sig.outputs)
    return Accesses(read, made, loads + sum(windows) if scratch else 0)


def _loads(kernel: Kernel, sig: Signature) -> int:
    """Inputs that a kernel with multiply-accumulates loads for them; 0 for the others."""
    macs = _MACS_PER_LOAD.get(kernel.cost_class)
    return sig.cost.macs // macs if macs else 0


def _gathered(kernel: Kernel, sig: Signature, elements: int) -> int:
    """Elements of all windows, each read once; the input's where there are no windows."""
    if kernel.cost_class in _MACS_PER_LOAD:
        return max(elements, sig.cost.macs // max(1, sig.output.channels))
    return max(elements, sig.cost.ops) if kernel.cost_class == "pool" else elements
