# SPDX-License-Identifier: Apache-2.0
"""Whether a linked image has the constants and arenas that were planned."""

from __future__ import annotations

from mcuplan.prove.elf import Kind
from mcuplan.prove.measure import ImageReport
from mcuplan.prove.subject import Subject

__all__ = ["elf_drift"]


def elf_drift(subject: Subject, report: ImageReport) -> tuple[str, ...]:
    """Where the linked image differs from the plan, one line each; none = equal.

    A table that is not linked is no drift: one that nothing reads does not compile, so that the
    compiler has worked its values into the code, which is measured. So is what it makes itself, a
    table in place of a switch, under names that no source can have.
    """
    planned = {symbol.name: symbol.nbytes for symbol in subject.bundle.symbols}
    mine = f"{subject.bundle.name}.o"
    linked = {
        s.name: s.nbytes
        for s in report.symbols
        if s.kind is not Kind.TEXT and s.object.rsplit("/", 1)[-1] == mine
    }
    drift = [
        f"{name}: {linked[name]:,} B linked, {planned.get(name, 0):,} B planned"
        for name in sorted(linked)
        if "." not in name and planned.get(name, 0) != linked[name]
    ]
    if report.data_bytes:
        drift.append(f"{report.data_bytes:,} B of variables, none planned")
    for (member, nbytes), arena in zip(subject.bundle.regions, report.arenas, strict=True):
        if arena.nbytes != nbytes:
            drift.append(f"arena {member}: {arena.nbytes:,} B linked, {nbytes:,} B planned")
    return tuple(drift)
