# SPDX-License-Identifier: Apache-2.0
"""What choices of kernels take of the flash, as sums that can be compared before a plan is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Kernel
from mcuplan.price import kernel_size
from mcuplan.schedule.code import calls_code, charged_for_code, charged_for_copy
from mcuplan.schedule.kernels.select import (
    Candidate,
    Chosen,
    Ways,
    fastest_of,
    flash_bytes,
    program_of,
)
from mcuplan.targets import Target

__all__ = ["FlashPrice", "price_of"]


@dataclass(frozen=True, slots=True)
class FlashPrice:
    """Bytes of flash: constants of every step, and code, of each function once.

    Attributes:
        per_byte: charged for a byte of modelled code, its margin included.
        per_copy: charged for a function some of whose calls copy weights to RAM.
        beside: bytes that the choice of kernels has no say in.
    """

    per_byte: float = 1.0
    per_copy: float = 0.0
    beside: float = 0.0

    def of(self, chosen: Chosen) -> float:
        """Of a choice for all nodes, but for roundings of its code."""
        steps = sum(map(self.of_step, chosen.values()))
        return self.beside + steps + self.of_kernels(c.step.kernel for c in chosen.values())

    def of_step(self, candidate: Candidate) -> float:
        """Of a step alone: constants and calls."""
        return candidate.constants_bytes + self.per_byte * calls_code(candidate.step)

    def of_kernels(self, kernels: Iterable[Kernel]) -> float:
        """Of the functions of some steps."""
        code, copies = dict[str, int](), set[str]()
        for kernel in kernels:
            code[kernel.function] = kernel_size(kernel).code_bytes
            copies |= {kernel.function} if kernel.staged else set()
        return self.per_byte * sum(code.values()) + self.per_copy * len(copies)


def price_of(graph: Graph, target: Target, ways: Ways) -> FlashPrice:
    """What a graph takes on a target, whichever kernels of its ways are chosen."""
    price = FlashPrice(charged_for_code(target), charged_for_copy(target))
    chosen = fastest_of(ways)
    exact = flash_bytes(program_of(graph, target, chosen))
    return replace(price, beside=exact - price.of(chosen))
