# SPDX-License-Identifier: Apache-2.0
"""How whole plans are rated: as they lie in the RAM regions, beside stack and context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mcuplan.price.structs import POINTER_BYTES
from mcuplan.schedule.assembly.regions import spread
from mcuplan.schedule.assembly.row_places import row_table_bytes
from mcuplan.schedule.code import model_code
from mcuplan.schedule.kernels.objective import plan_cycles
from mcuplan.schedule.kernels.select import flash_bytes, ram_room
from mcuplan.schedule.program import Plan, Program
from mcuplan.targets import Target

__all__ = ["Rating", "apart_bytes", "apart_of", "plan_flash", "ram_bytes"]


def apart_bytes(plan: Plan) -> int:
    """RAM beside the arenas: stack with its margin, and context."""
    return apart_of(plan.program)


def apart_of(program: Program) -> int:
    """The same of any plan of a program."""
    code = model_code(program, program.target)
    return code.stack_bytes + code.stack_margin_bytes + POINTER_BYTES


def ram_bytes(plan: Plan) -> int:
    """All of the RAM of a plan in one arena."""
    return plan.arena_bytes + apart_bytes(plan)


def plan_flash(plan: Plan) -> int:
    """Bytes of flash: constants, tables of rows and runs, code with its margin."""
    return flash_bytes(plan.program) + row_table_bytes(plan)


@dataclass(frozen=True, slots=True)
class Rating:
    """Figures of plans in one arena, once their buffers are divided among the RAM regions.

    Attributes:
        ram_limit: bytes that everything in RAM may take together.
        keep_inputs: inputs are there, unchanged, after the last step.
        flash_limit: bytes that everything in flash may take.
    """

    ram_limit: int | None = None
    keep_inputs: bool = False
    flash_limit: int | None = None
    _known: dict[tuple[int, int], tuple[Plan, Plan]] = field(default_factory=dict, repr=False)

    def divided(self, plan: Plan, apart: int | None = None) -> Plan:
        """The plan with an arena in every RAM region that is used; looked for once."""
        apart = apart_bytes(plan) if apart is None else apart
        key = id(plan), apart
        if key not in self._known:
            keep = self.keep_inputs
            found = spread(plan, apart, ram_limit=self.ram_limit, keep_inputs=keep)
            self._known[key] = plan, found
        return self._known[key][1]

    def in_flash(self, plan: Plan) -> bool:
        """Whether the flash holds a plan."""
        return self.flash_limit is None or plan_flash(plan) <= self.flash_limit

    def cycles(self, plan: Plan) -> float:
        """Modelled cycles, wait states included."""
        return plan_cycles(self.divided(plan))

    def fastest(self, plans: Sequence[Plan]) -> Plan:
        """The one with the least cycles of those that fit, then with the least arena."""

        def rank(plan: Plan) -> tuple[int, float, int]:
            missed = 2 * (not self.fits(plan)) + (not self.in_flash(plan))
            return missed, self.cycles(plan), plan.arena_bytes

        return min(plans, key=rank)

    def room(self, target: Target) -> int:
        """Bytes of RAM that everything together may take."""
        return ram_room(target, self.ram_limit)

    def fits(self, plan: Plan, apart: int | None = None) -> bool:
        """Whether every region holds what lies there, and all of it keeps the limit.

        ``apart`` bytes lie beside the arenas; by default what stack and context take.
        """
        apart = apart_bytes(plan) if apart is None else apart
        target, arenas = plan.program.target, self.divided(plan, apart).memory
        used = {name: memory.arena_bytes for name, memory in arenas.items()}
        default = target.default_ram.name
        used[default] = used.get(default, 0) + apart
        rooms = {region.name: region.usable_bytes for region in target.ram}
        within = self.ram_limit is None or sum(used.values()) <= self.ram_limit
        return within and all(used[name] <= rooms[name] for name in used)
