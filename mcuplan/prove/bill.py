# SPDX-License-Identifier: Apache-2.0
"""The bill of the report, added up once more from the plan and from the linked image."""

from __future__ import annotations

from collections.abc import Iterator

from mcuplan.findings import DEFECT_HINT, Finding, Severity
from mcuplan.prove.proofs import Measured
from mcuplan.record import Flash, Ram
from mcuplan.schedule.program import Plan
from mcuplan.units import align_up, format_bytes

__all__ = ["bill_findings"]

_WORD = 4  # bytes: a pointer, the alignment of an arena, the progress of a fed input


def bill_findings(
    plan: Plan, ram: Ram, flash: Flash, measured: Measured | None
) -> Iterator[Finding]:
    """Totals of the report that are not the sum of what there is.

    Args:
        plan: what runs.
        ram: the bill of the report.
        flash: likewise.
        measured: the linked image; None where only this computer ran the code.
    """
    arenas = sum(max(_WORD, align_up(m.arena_bytes, _WORD)) for m in plan.memory.values())
    fed = _WORD if plan.fed_rows else 0
    context, stack, data = _WORD * len(plan.memory) + fed, ram.stack_bytes, 0
    if measured is not None:
        report, stack = measured.report, measured.stack.nbytes
        arenas, context, data = report.arena_bytes, report.context_bytes, report.data_bytes
        code = report.code_bytes + report.code_padding_bytes + report.library_bytes
        constants = report.constants_bytes + report.constants_padding_bytes
        linked = code + constants + report.unnamed_constants_bytes + report.data_bytes
        yield from _differing("flash", flash.total_bytes, linked, "code and constants linked")
    needed = arenas + context + data + stack
    yield from _differing("RAM", ram.total_bytes, needed, "arenas, context, data and stack")


def _differing(what: str, said: int, found: int, parts: str) -> Iterator[Finding]:
    if said != found:
        text = f"{what} of the report {format_bytes(said)}, {parts} {format_bytes(found)}"
        yield Finding("elf/drift", Severity.ERROR, text, "", DEFECT_HINT)
