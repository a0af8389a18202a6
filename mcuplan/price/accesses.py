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
    what they multiply or compare: bytes in the portable ones, words in the others; a patch in
    scratch is written once per pixel and takes the place of the input.
    """
    inputs = tuple(
        kind.nbytes if constant is None else 0
        for kind, constant in zip(sig.inputs, sig.constants, strict=True)
    )
    outputs, scratch = tuple(kind.nbytes for kind in sig.outputs), kernel.scratch_bytes(sig)
    if cached:
        read = tuple(-(-nbytes // _WORD) for nbytes in inputs)
        made = tuple(-(-nbytes // _WORD) for nbytes in outputs)
        return Accesses(read, made, -(-scratch // _WORD))
    wide = 1 if kernel.backend == "c99" else _WORD
    loads, gathered = _loads(kernel, sig) // wide, [_gathered(kernel, sig, n) for n in inputs]
    read = tuple(
        max(loads if loads and not scratch else held // wide, -(-nbytes // wide)) if nbytes else 0
        for nbytes, held in zip(inputs, gathered, strict=True)
    )
    patches = sum(held // wide for nbytes, held in zip(inputs, gathered, strict=True) if nbytes)
    return Accesses(read, outputs, loads + patches if scratch else 0)


def _loads(kernel: Kernel, sig: Signature) -> int:
    """Inputs that a kernel with multiply-accumulates loads for them; 0 for the others."""
    macs = _MACS_PER_LOAD.get(kernel.cost_class)
    return sig.cost.macs // macs if macs else 0


def _gathered(kernel: Kernel, sig: Signature, nbytes: int) -> int:
    """Elements of all windows, each read once; the input's where there are no windows."""
    if kernel.cost_class in _MACS_PER_LOAD:
        return max(nbytes, sig.cost.macs // max(1, sig.output.channels))
    return max(nbytes, sig.cost.ops) if kernel.cost_class == "pool" else nbytes
