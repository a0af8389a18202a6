# SPDX-License-Identifier: Apache-2.0
"""From a layer of the model to functions, addresses and bytes of the linked image."""

from __future__ import annotations

from typing import Any

from mcuplan.evidence.texts import as_csv
from mcuplan.prove.elf import ElfSymbol
from mcuplan.prove.subject import Subject
from mcuplan.prove.trace import ImageTrace

__all__ = ["trace_csv", "trace_record"]

_HEAD = ("step", "layer", "operator", "role", "symbol", "source", "address", "bytes", "section")


def trace_record(subject: Subject, trace: ImageTrace) -> Any:
    """Rows by step: its kernel, what that calls, and its constants; then what all steps share.

    A static function that the compiler put into its caller has no symbol: its bytes are there.
    """
    program, shared = subject.plan.program, f"{subject.bundle.name}.c"
    sources = {str(path) for path in subject.bundle.files}
    rows: list[Any] = []
    named: set[str] = set()
    for step in program.steps:
        about = {
            "step": step.index,
            "layer": program.graph.node_name(step.node),
            "operator": type(step.node.op).__name__,
        }
        functions = dict.fromkeys(call.function or step.kernel.function for call in step.calls)
        for function in functions:
            file = f"mplan/{function}.c"
            source = file if file in sources else shared
            rows.append(about | _row("kernel", function, source, trace.symbols.get(function)))
            for callee in trace.below(function):
                rows.append(about | _row("callee", callee, source, trace.symbols.get(callee)))
            named |= {function, *trace.below(function)}
        for symbol in subject.bundle.symbols:
            if symbol.step == step.index:
                found = trace.symbols.get(symbol.name)
                rows.append(about | _row(symbol.kind, symbol.name, shared, found))
    everywhere = {"step": None, "layer": "", "operator": ""}
    for symbol in subject.bundle.symbols:
        if symbol.step < 0:
            found = trace.symbols.get(symbol.name)
            rows.append(everywhere | _row(symbol.kind, symbol.name, shared, found))
    for entry in (n for n in subject.api().entries if n in trace.symbols):
        rows.append(everywhere | _row("entry", entry, shared, trace.symbols[entry]))
        for callee in sorted(set(trace.below(entry)) - named):
            rows.append(everywhere | _row("callee", callee, shared, trace.symbols.get(callee)))
    return {"schema": "mcuplan.trace/1", "rows": rows}


def _row(role: str, name: str, source: str, symbol: ElfSymbol | None) -> Any:
    return {
        "role": role,
        "symbol": name,
        "source": source,
        "address": None if symbol is None else f"{symbol.address:#010x}",
        "bytes": None if symbol is None else symbol.nbytes,
        "section": "" if symbol is None else str(symbol.kind),
    }


def trace_csv(record: Any) -> bytes:
    """The same as a table."""
    return as_csv(_HEAD, ([row[name] for name in _HEAD] for row in record["rows"]))
