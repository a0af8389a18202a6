# SPDX-License-Identifier: Apache-2.0
"""Where everything lies, in C: context members, macros of offsets, pointers to tensors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

from mcuplan.emit.arenas import arenas_of
from mcuplan.ir.graph import Node
from mcuplan.safe_text import unique
from mcuplan.schedule.assembly.row_places import RowPlace, RowTable, rows_apart, scratch_of
from mcuplan.schedule.program import Plan

__all__ = ["Places"]

# NAME_ctx_t and macros like NAME_INPUT_BYTES; other members of a context; what functions see
_OURS = (
    *("ctx", "input", "output", "state", "run", "turn", "runs", "status", "step"),
    *("y", "y0", "y1", "i"),
)


class Places:
    """The names that a plan's places have in one bundle.

    Attributes:
        steps: what runs take: the cases of the plan.
        macros: macro of the offset of each tensor that owns bytes, and of each scratch.
        rows: tensors whose rows lie apart, and how their rows are found.
        scratch_rows: the same for the scratch of steps that work by rows.
    """

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan, self.name = plan, name
        self.graph, self.steps = plan.program.graph, plan.cases
        self.members = unique(plan.memory, reserved=_OURS)
        self.arenas = arenas_of(plan, self.members)
        self.regions = tuple((arena.member, arena.nbytes) for arena in self.arenas)
        self.rows = rows_apart(plan)
        self.scratch_rows = scratch_of(plan)
        self._idents = unique([*self.owners(), *(f"scratch{step}" for step in self.scratch_rows)])
        self.macros = {name: f"OFFSET_{c.upper()}" for name, c in self._idents.items()}

    def is_form(self, case: int) -> bool:
        """Whether a case runs a step in another form than that of its kernel."""
        return case >= len(self.plan.program.steps)

    def owners(self) -> list[str]:
        """Activations in order; views that start where their source does are left out."""
        return [name for name in self._tensors() if self.owner(name) == name]

    def owner(self, tensor: str) -> str:
        """The tensor whose address a view has."""
        producers = self._producers
        while tensor in producers and producers[tensor].name not in self._step_names:
            source = producers[tensor].inputs[0]
            if self.plan.allocation.rows[source] != self.plan.allocation.rows[tensor]:
                break
            tensor = source
        return tensor

    def _tensors(self) -> list[str]:
        """Activations that lie in an arena."""
        outputs = [name for node in self.graph.nodes for name in node.outputs]
        return [port.tensor for port in self.graph.inputs] + outputs

    @cached_property
    def _step_names(self) -> frozenset[str]:
        """Names of the nodes that are steps."""
        return frozenset(step.node.name for step in self.steps)

    @cached_property
    def _producers(self) -> Mapping[str, Node]:
        return self.graph.producers()

    def offset(self, name: str) -> int:
        """Offset of a tensor or scratch that has a macro."""
        place = self.row_places.get(name)
        return place.base if place is not None else self.plan.address(name)[1]

    @cached_property
    def row_places(self) -> Mapping[str, RowPlace]:
        """What lies in rows, by its name in ``macros``: tensors that own bytes, and scratch."""
        by_name = {name: place for name, place in self.rows.items() if name in self.macros}
        by_name |= {f"scratch{step}": place for step, place in self.scratch_rows.items()}
        return MappingProxyType(by_name)

    @cached_property
    def tables(self) -> Mapping[RowTable, str]:
        """Tables of rows, and the names of the C arrays; equal ones once."""
        names: dict[RowTable, str] = {}
        for name, place in self.row_places.items():
            if place.table:
                names.setdefault(place.table, f"{self._idents[name]}_rows")
        return MappingProxyType(names)

    def pointer(self, tensor: str) -> str:
        """C expression of a tensor's address, where the arenas are locals."""
        region, _ = self.plan.address(tensor)
        return f"&{self.members[region]}[{self.macros[self.owner(tensor)]}]"

    def row_fields(self, tensor: str) -> str:
        """Initializer of ``mplan_rows_t`` for an activation."""
        place = self.rows.get(tensor)
        if place is None:
            return f"{{.stride = {self.graph.tensor(tensor).type.row_bytes}U, .table = NULL}}"
        table = self.tables[place.table] if place.table else "NULL"
        return f"{{.stride = {place.stride}U, .table = {table}}}"

    def row_index(self, name: str, y: str) -> str:
        """C expression of the byte in an arena at which row ``y`` of a name in ``macros`` lies."""
        macro, place = self.macros[name], self.row_places.get(name)
        if place is None:
            return f"{macro} + ({y} * {self.graph.tensor(name).type.row_bytes}U)"
        at = f"(size_t){self.tables[place.table]}[{y}]" if place.table else y
        return f"{macro} + ({at} * {place.stride}U)" if place.stride else macro

    def scratch(self, step: int) -> str:
        """C expression of the address of a step's scratch; by rows where it moves."""
        region = self.members[self.scratch_rows[step].region]
        return f"&{region}[{self.row_index(f'scratch{step}', 'y0')}]"
