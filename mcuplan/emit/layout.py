# SPDX-License-Identifier: Apache-2.0
"""Where everything lies, in C: context members, macros of offsets, pointers to tensors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from mcuplan.emit.names import unique
from mcuplan.emit.structs import arena_bytes
from mcuplan.ir.graph import Node
from mcuplan.schedule.program import Plan

__all__ = ["Layout"]


class Layout:
    """The names that a plan's places have in one bundle."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan, self.name = plan, name
        self.graph, self.steps = plan.program.graph, plan.program.steps
        self.members = unique(plan.memory, reserved=("ctx",))  # NAME_ctx_t is the context
        self.regions = tuple(
            (self.members[region], arena_bytes(memory.arena_bytes))
            for region, memory in plan.memory.items()
        )
        self.macros = self._offset_macros()

    def _offset_macros(self) -> Mapping[str, str]:
        """Macro of the offset of each tensor that owns bytes, and of each scratch."""
        names = [*self.owners(), *self.plan.allocation.scratch.values()]
        return {n: f"OFFSET_{c.upper()}" for n, c in unique(names).items()}

    def owners(self) -> list[str]:
        """Activations in order; views that start where their source does are left out."""
        return [name for name in self.plan.allocation.slots if self.owner(name) == name]

    def owner(self, tensor: str) -> str:
        """The tensor whose address a view has."""
        slots, producers = self.plan.allocation.slots, self._producers
        while tensor in producers and producers[tensor].name not in self._runs:
            source = producers[tensor].inputs[0]
            if slots[source] != slots[tensor]:
                break
            tensor = source
        return tensor

    @cached_property
    def _runs(self) -> frozenset[str]:
        """Names of the nodes that are steps."""
        return frozenset(step.node.name for step in self.steps)

    @cached_property
    def _producers(self) -> Mapping[str, Node]:
        return self.graph.producers()

    def pointer(self, tensor: str) -> str:
        """C expression of a tensor's address, where the arenas are locals."""
        region, _ = self.plan.address(tensor)
        return f"&{self.members[region]}[{self.macros[self.owner(tensor)]}]"

    def scratch(self, step: int) -> str:
        """C expression of the address of a step's scratch."""
        scratch = self.plan.allocation.scratch[step]
        region, _ = self.plan.place(scratch)
        return f"&{self.members[region]}[{self.macros[scratch]}]"
