# SPDX-License-Identifier: Apache-2.0
"""Whether a linked image has the constants and arenas that were planned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcuplan.emit import Bundle
from mcuplan.prove.elf import Kind
from mcuplan.prove.measure import ImageReport
from mcuplan.prove.subject import Subject

__all__ = ["arenas_drift", "constants_drift", "elf_drift"]


def elf_drift(subject: Subject, report: ImageReport) -> tuple[str, ...]:
    """Where the linked image differs from the plan, one line each; none = equal.

    A table that is not linked is no drift: one that nothing reads does not compile, so that the
    compiler has worked its values into the code, which is measured. So is what it makes itself, a
    table in place of a switch, under names that no source can have.
    """
    bundle = subject.bundle
    return (*constants_drift(bundle, report), *arenas_drift(bundle.regions, report))


def constants_drift(bundle: Bundle, report: ImageReport) -> Iterator[str]:
    """Constants of one model that have other sizes than planned, or were not."""
    planned = {symbol.name: symbol.nbytes for symbol in bundle.symbols}
    mine = f"{bundle.name}.o"
    linked = {
        s.name: s.nbytes
        for s in report.symbols
        if s.kind is not Kind.TEXT and s.object.rsplit("/", 1)[-1] == mine
    }
    for name in sorted(linked):
        if "." not in name and planned.get(name, 0) != linked[name]:
            yield f"{name}: {linked[name]:,} B linked, {planned.get(name, 0):,} B planned"


def arenas_drift(regions: Sequence[tuple[str, int]], report: ImageReport) -> Iterator[str]:
    """Arenas of another size than planned, and variables, which code has none of."""
    if report.data_bytes:
        yield f"{report.data_bytes:,} B of variables, none planned"
    for (member, nbytes), arena in zip(regions, report.arenas, strict=True):
        if arena.nbytes != nbytes:
            yield f"arena {member}: {arena.nbytes:,} B linked, {nbytes:,} B planned"
