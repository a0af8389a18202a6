# SPDX-License-Identifier: Apache-2.0
"""The report on MISRA C:2012: what is not kept where, and which deviation accepts it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from mcuplan.evidence.texts import table
from mcuplan.prove.misra import Breach, Rules

__all__ = ["rules_record", "rules_text"]


def rules_record(breaches: Sequence[Breach], rules: Rules) -> Any:
    """By rule: category, places, and the records that accept them."""
    found = {rule: list(group) for rule, group in groupby(breaches, lambda b: b.rule)}
    used = {b.rule for b in breaches if b.accepted}
    return {
        "schema": "mcuplan.misra/1",
        "standard": "MISRA C:2012; rule texts are licensed by MISRA and not here",
        "open": sum(b.is_open for b in breaches),
        "rules": [
            {
                "rule": rule,
                "category": str(places[0].category),
                "places": [_place(b) for b in places],
                "open": sum(b.is_open for b in places),
            }
            for rule, places in sorted(found.items(), key=lambda pair: _number(pair[0]))
        ],
        "deviations": [
            {
                "rule": d.rule,
                "scope": list(d.scope),
                "reason": d.reason,
                "mitigation": d.mitigation,
                "used": d.rule in used,
            }
            for d in rules.deviations
        ],
    }


def _place(breach: Breach) -> Any:
    return {"file": breach.file, "line": breach.line, "accepted": breach.accepted}


def _number(rule: str) -> tuple[int, ...] | tuple[int, str]:
    return tuple(map(int, rule.split("."))) if rule[:1].isdigit() else (10**6, rule)


def rules_text(record: Any) -> str:
    """The same for people."""
    counts = [
        (r["rule"], r["category"], len(r["places"]), r["open"], _files(r["places"]))
        for r in record["rules"]
    ]
    records = [
        (d["rule"], ", ".join(d["scope"]), d["reason"], d["mitigation"])
        for d in record["deviations"]
        if d["used"]
    ]
    return "\n".join(
        [
            "# MISRA C:2012\n",
            f"{record['standard']}. Checked with cppcheck over the generated source and the "
            f"kernels that it calls. Open, which is without a deviation record: {record['open']} "
            "of mandatory or required rules. Advisory rules need no record.\n",
            table(("rule", "category", "places", "open", "files"), counts),
            "## Deviations\n",
            table(("rule", "scope", "reason", "mitigation"), records),
        ]
    )


def _files(places: Iterable[Any]) -> str:
    return ", ".join(sorted({place["file"] for place in places}))
