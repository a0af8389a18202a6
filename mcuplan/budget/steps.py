# SPDX-License-Identifier: Apache-2.0
"""What a step computes on, and the most that its chip can do: shapes, types, stack, roof."""

from __future__ import annotations

from dataclasses import replace

from mcuplan.ir.graph import Graph
from mcuplan.ir.types import TensorType
from mcuplan.price import kernel_size
from mcuplan.record import ElementType, LayerRow, Roof
from mcuplan.schedule.program import Program, Step
from mcuplan.units import Origin

__all__ = ["described", "roof_of"]

_MULTIPLYING = ("conv2d", "depthwise", "dense")


def described(row: LayerRow, step: Step, graph: Graph) -> LayerRow:
    """A row with its output, shapes of inputs, types of elements, and the stack of its kernel."""
    sig = step.signature
    moving = [t for t, c in zip(sig.inputs, sig.constants, strict=True) if c is None]
    constants = [t for t, c in zip(sig.inputs, sig.constants, strict=True) if c is not None]
    largest = max(constants, key=lambda t: t.elements, default=None)
    return replace(
        row,
        output=graph.tensor_name(step.node.output),
        input_shapes=tuple(t.shape for t in moving),
        output_type=_element_type(sig.output),
        weights_dtype=largest.dtype.value if largest is not None else None,
        stack_bytes=kernel_size(step.kernel).stack_bytes,
    )


def _element_type(kind: TensorType) -> ElementType:
    plain = kind.quant is not None and kind.quant.axis is None
    scale, zero = (kind.q.s, kind.q.z) if plain else (None, None)
    return ElementType(kind.dtype.value, scale, zero)


def roof_of(program: Program) -> Roof | None:
    """The most that a chip can do; None where nobody measured kernels on its core.

    Roofline: Williams et al. 2009. Reads of the flash that follow each other take the cycles of
    its wait states, whatever a cache may hold.
    """
    target = program.target
    ram, flash = (target.timing.get(f"{kind}_bytes_per_cycle") for kind in ("ram", "flash"))
    used = {step.kernel.backend for step in program.steps}
    rates = [
        figure.value
        for backend in sorted(used & set(target.rates))
        for kind, figure in target.rates[backend].items()
        if kind in _MULTIPLYING and figure.origin is Origin.MEASURED
    ]
    if ram is None or flash is None or not rates or min(rates) <= 0:
        return None
    read, memory = flash.value, target.memory
    if memory is not None:
        read = min(read, memory.read_bytes / (1 + memory.wait_states))
    origin = Origin.MEASURED if {ram.origin, flash.origin} == {Origin.MEASURED} else Origin.MODELLED
    return Roof(round(1 / min(rates), 4), ram.value, round(read, 4), origin)
