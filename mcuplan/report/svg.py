# SPDX-License-Identifier: Apache-2.0
"""The memory map as a picture of its own: one file, readable without scripts."""

from __future__ import annotations

from mcuplan.record import Budget, Undecided
from mcuplan.report._format import Format, Look
from mcuplan.report._map import WIDTH, picture
from mcuplan.report._markup import STYLE, safe
from mcuplan.report._text import clip

__all__ = ["FORMAT"]

_LINE = 18


def _decided(budget: Budget, look: Look) -> str:
    head, rest = picture(budget).split("\n", 1)
    return "\n".join([head, f"<style>\n{STYLE}</style>", rest]) + "\n"


def _undecided(report: Undecided, look: Look) -> str:
    findings = report.verdict.findings
    texts = [f"{clip(report.model.name, 60)}: no plan"]
    texts += [clip(f"{f.code}: {f.message} ({f.where})", 140) for f in findings]
    height = _LINE * (len(texts) + 1)
    lines = [
        f'<svg class="map" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}">',
        f"<style>\n{STYLE}</style>",
    ]
    for i, text in enumerate(texts):
        kind = "bad" if i else "head"
        lines.append(f'<text class="{kind}" x="10" y="{_LINE * (i + 1)}">{safe(text)}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


FORMAT = Format("svg", "memory map: steps, addresses, buffers", _decided, _undecided)
