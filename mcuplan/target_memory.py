# SPDX-License-Identifier: Apache-2.0
"""Reads `[flash]` and `[xip]` of target files: how code and constants are read.

`targets/README.md` describes every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcuplan.memory_system import MemorySystem
from mcuplan.target_file import TomlTable

__all__ = ["TABLES", "describe_memory", "read_memory"]

TABLES = ("flash", "xip")

_MAX_WAITS = 4095  # cycles of a read: a serial flash at a slow clock
_MAX_LINES = 65_536
_WORD, _MAX_BYTES = 4, 4096  # of a read: an instruction may be a word
_MAX_ROWS = 16
_MAX_HZ = 10_000_000_000
_SOURCE = 'add {key} = "reference manual, section" to [{table}.sources]'


def read_memory(top: TomlTable, clock_hz: int, core: str) -> MemorySystem | None:
    """The memory system at a clock; None where the file describes none."""
    flash, xip = top.table("flash"), top.table("xip")
    if flash is not None and xip is not None:
        hint = "describe the memory that holds code and constants"
        top.bad("xip", "stands beside [flash]", hint)
    if flash is not None:
        return _flash(flash, clock_hz, core)
    return _xip(xip, core) if xip is not None else None


def _flash(table: TomlTable, clock_hz: int, core: str) -> MemorySystem:
    """A flash behind a bus: wait states by clock, wide reads, caches of its interface."""
    waits = _wait_states(table, clock_hz)
    read = _power(table, "read_bytes", _WORD, _MAX_BYTES, "add read_bytes = 16")
    code = table.integer("icache_lines", 0, _MAX_LINES)
    data = table.integer("dcache_lines", 0, _MAX_LINES)
    unified = table.flag("unified")
    line = read
    if "line_bytes" in table.values or code or data:
        line = _power(table, "line_bytes", read, 32 * read, "add line_bytes = 32")
    if unified and data:
        table.bad("dcache_lines", "of a cache for both", "count all lines in icache_lines")
    _text(table, "bus")
    keys = ["wait_states", "read_bytes"]
    keys += ["caches"] if code or data else []
    keys += ["prefetch"] if "prefetch" in table.values else []
    system = MemorySystem(
        wait_states=waits,
        read_bytes=read,
        line_bytes=line,
        icache_lines=code,
        dcache_lines=data,
        unified=unified,
        prefetch=table.flag("prefetch"),
        rules=core == "cortex-m4",
        sources=_sources(table, keys),
    )
    table.close()
    return system


def _xip(table: TomlTable, core: str) -> MemorySystem:
    """A serial flash behind one cache that fetches whole lines."""
    line = _power(table, "line_bytes", _WORD, _MAX_BYTES, "add line_bytes = 8")
    lines = table.integer("lines", 0, _MAX_LINES, "add lines = 2_048")
    cycles = table.integer("cycles_per_line", 1, _MAX_WAITS, "add cycles_per_line = 60")
    _text(table, "bus")
    system = MemorySystem(
        wait_states=cycles,
        read_bytes=line,
        line_bytes=line,
        icache_lines=lines,
        unified=True,
        rules=core == "cortex-m4",
        sources=_sources(table, ["lines", "cycles_per_line"]),
    )
    table.close()
    return system


def _wait_states(table: TomlTable, clock_hz: int) -> int:
    """Of the first row whose clock is not exceeded."""
    hint = "add wait_states = [{ up_to_hz = 30_000_000, value = 0 }, ...]"
    value = table.get("wait_states", hint)
    rows: list[tuple[int, int]] = []
    if value is None:
        return 0
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_ROWS:
        table.bad("wait_states", f"is not an array of 1 to {_MAX_ROWS} rows", hint)
        return 0
    for i, item in enumerate(value):
        row = TomlTable(
            table.file, f"{table.prefix}.wait_states[{i}]", _as_table(item), table.errors
        )
        limit = row.integer("up_to_hz", 1, _MAX_HZ, "add up_to_hz = 30_000_000")
        rows.append((limit, row.integer("value", 0, _MAX_WAITS, "add value = 0")))
        row.close()
        if i and rows[i][0] <= rows[i - 1][0]:
            row.bad("up_to_hz", "is not above that of the row before", "slowest clock first")
    fitting = [waits for limit, waits in rows if clock_hz <= limit]
    if not fitting:
        message = f"no row reaches the clock, {clock_hz:,} Hz"
        table.bad("wait_states", message, "add the row of the fastest clock")
    return fitting[0] if fitting else 0


def _as_table(item: Any) -> dict[str, Any]:
    return item if isinstance(item, dict) else {}  # whose keys are then missing


def _power(table: TomlTable, key: str, low: int, high: int, required: str) -> int:
    """A power of two; the low limit where it is none."""
    number = table.integer(key, low, min(high, _MAX_BYTES), required)
    if key in table.values and number & (number - 1):
        table.bad(key, f"{number:,} is no power of two", "write a power of two")
        return low
    return number


def _text(table: TomlTable, key: str) -> None:
    """One line for people, if there is any."""
    if key in table.values:
        table.text(key)
    table.known.append(key)


def _sources(table: TomlTable, keys: list[str]) -> Mapping[str, str]:
    """Where each figure comes from, and the bus that it is read through."""
    name = table.prefix
    hint = _SOURCE.format(key=keys[0], table=name)
    inner = table.table("sources", hint)
    found = {"bus": str(table.values["bus"])} if "bus" in table.values else {}
    if inner is not None:
        hints = {key: _SOURCE.format(key=key, table=name) for key in keys}
        found |= {key: inner.text(key, hints[key]) for key in keys}
        inner.close()
    return found


def describe_memory(system: MemorySystem) -> tuple[tuple[str, str, str], ...]:
    """Rows (what, figure, source) for people."""
    sources = system.sources
    waits = f"{system.wait_states} wait states, {system.read_bytes} B"
    code, data = (f"{n} x {system.line_bytes} B" if n else "none" for n in _lines(system))
    caches = f"{code}, for both" if system.unified else f"code {code}, constants {data}"
    ahead = "made ahead" if system.prefetch else "not made ahead"
    timed = sources.get("wait_states") or sources.get("cycles_per_line", "")
    rows = [
        ("flash read", waits, timed),
        ("flash caches", caches, sources.get("caches") or sources.get("lines", "")),
        ("flash next read", ahead, sources.get("prefetch", "")),
    ]
    return (*rows, *([("flash bus", sources["bus"], "")] if "bus" in sources else []))


def _lines(system: MemorySystem) -> tuple[int, int]:
    return system.icache_lines, system.dcache_lines
