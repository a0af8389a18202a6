# SPDX-License-Identifier: Apache-2.0
"""The arenas of a bundle: their C types and sizes, and where the linker is to put them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcuplan.emit.c_writer import noted
from mcuplan.schedule.program import Plan
from mcuplan.solvers.packing.problem import Region
from mcuplan.units import align_up

__all__ = [
    "ARENA_ALIGN",
    "Arena",
    "arena_bytes",
    "arena_macros",
    "arena_types",
    "arenas_of",
    "linker_values",
]

ARENA_ALIGN = 4
"""Bytes, least alignment of an arena: MPLAN_ARENA_ALIGN of mplan.h."""


def arena_bytes(nbytes: int) -> int:
    """Size of the arena type that is emitted for a plan of ``nbytes``; never 0."""
    return max(ARENA_ALIGN, align_up(nbytes, ARENA_ALIGN))


@dataclass(frozen=True, slots=True)
class Arena:
    """Working memory in a region: member of the context, bytes, and the step that needs most.

    The first ``state_bytes`` of them outlast calls.
    """

    member: str
    region: Region
    nbytes: int
    peak_step: int
    state_bytes: int

    @property
    def memory(self) -> str:
        """Name of the region in a linker script."""
        return self.region.name.upper().replace("-", "_")


def arenas_of(plan: Plan, members: Mapping[str, str]) -> tuple[Arena, ...]:
    """The arenas of a plan; ``members`` has the context member of each region."""
    regions = {region.name: region for region in plan.program.target.ram}
    return tuple(
        Arena(
            members[name],
            regions[name],
            arena_bytes(memory.arena_bytes),
            _step_at(plan, memory.peak_step),
            plan.state_bytes.get(name, 0),
        )
        for name, memory in plan.memory.items()
    )


def _step_at(plan: Plan, moment: int) -> int:
    """The step that runs at a moment of live ranges."""
    spans = zip(plan.runs, plan.run_moves, strict=True)
    return next((run.step for run, (first, end) in spans if first <= moment < end), moment)


def arena_macros(name: str, arenas: Sequence[Arena]) -> str:
    """Size of each arena, of the states in front of it, and its section where it has one."""
    lines = []
    for arena in arenas:
        stem = f"{name}_{arena.member}".upper()
        note = f'arena in region "{arena.member}", peak at step {arena.peak_step}'
        lines.append(noted(f"#define {stem}_BYTES ({arena.nbytes}U)", note))
        if arena.state_bytes:
            note = "of these the first: states, which outlast calls"
            lines.append(noted(f"#define {stem}_STATE_BYTES ({arena.state_bytes}U)", note))
        if arena.region.section:
            use = "MPLAN_SECTION(...) of the object"
            lines.append(f'#define {stem}_SECTION "{arena.region.section}" /* {use} */')
    return "\n".join(lines) + "\n"


def arena_types(name: str, arenas: Sequence[Arena], lasting: str) -> str:
    """A struct for each arena; ``lasting`` says what is to be known of it between calls."""
    parts = []
    for arena in arenas:
        macro = f"{name}_{arena.member}".upper()
        kept = (
            f"\n * From {name}_reset() to the last call of a sequence its first"
            f"\n * {macro}_STATE_BYTES bytes must stay as they are, too."
        )
        place = f"\n * in section {macro}_SECTION, see {name}.ld" if arena.region.section else ""
        parts.append(
            f'/**\n * Working memory in region "{arena.member}"; the application '
            f"defines it{place}.\n"
            f" * {lasting}{kept if arena.state_bytes else ''}\n */\n"
            f"typedef struct {{\n    MPLAN_ALIGNED(MPLAN_ARENA_ALIGN) int8_t bytes"
            f"[{macro}_BYTES];\n}} {name}_{arena.member}_t;\n\n"
        )
    return "".join(parts)


def linker_values(name: str, arenas: Sequence[Arena]) -> dict[str, str] | None:
    """What the linker-script fragment says; None where all arenas lie in the default RAM."""
    placed = [arena for arena in arenas if arena.region.section]
    if not placed:
        return None
    return {
        "objects": "\n".join(
            f" *      static {name}_{a.member}_t {a.member} "
            f"MPLAN_SECTION({f'{name}_{a.member}'.upper()}_SECTION);"
            for a in placed
        ),
        "memories": "\n".join(f" *      MEMORY {{ {_memory(arena)} }}" for arena in placed),
        "first": placed[0].memory,
        "sections": "\n".join(map(_section, placed)),
    }


def _memory(arena: Arena) -> str:
    base = "..." if arena.region.base is None else f"0x{arena.region.base:08x}"
    return f"{arena.memory} (rw) : ORIGIN = {base}, LENGTH = {arena.region.bytes}"


def _section(arena: Arena) -> str:
    section = arena.region.section
    return (
        f"{section} (NOLOAD) : /* {arena.nbytes} bytes of {arena.region.usable_bytes} */\n"
        f"{{\n    *({section} {section}.*)\n}} > {arena.memory}\n"
    )
