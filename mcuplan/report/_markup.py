# SPDX-License-Identifier: Apache-2.0
"""Names made safe for XML and HTML, and the style that pictures and pages share."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from xml.sax.saxutils import escape

from mcuplan.report._text import plain

__all__ = ["STYLE", "safe"]


def safe(text: str) -> str:
    """Text as it is, in ASCII: no tags, entities of its own, quotes or control characters."""
    quoted = escape(plain(text, unicode=True), {'"': "&quot;", "'": "&#39;"})
    return quoted.encode("ascii", "xmlcharrefreplace").decode("ascii")


# Plain values first: drawing programs know neither variables nor dark screens.
_LIGHT = {
    "back": "#ffffff",
    "ink": "#1c1f24",
    "faint": "#6a717c",
    "line": "#d5d9df",
    "io": "#4c8fd0",
    "activation": "#58a877",
    "scratch": "#d99a3c",
    "bad": "#c62f2f",
    "good": "#2c8a4b",
    "unsure": "#a86f00",
}
_DARK = {
    "back": "#15181d",
    "ink": "#e6e8eb",
    "faint": "#9aa2ad",
    "line": "#3a414b",
    "io": "#3f7fbd",
    "activation": "#3f8f60",
    "scratch": "#b97f2a",
    "bad": "#ff7b72",
    "good": "#56c47a",
    "unsure": "#e0b050",
}
_COLORS = """svg.map { background: $back; }
svg.map text { fill: $ink; }
svg.map text.faint { fill: $faint; }
svg.map text.bad { fill: $bad; }
svg.map .grid { stroke: $line; }
svg.map .peak { fill: $faint; }
svg.map .budget { stroke: $bad; }
svg.map .bound { stroke: $ink; }
svg.map .buffer rect { stroke: $ink; }
svg.map .io { fill: $io; }
svg.map .activation { fill: $activation; }
svg.map .scratch { fill: $scratch; }
"""


def _variables(colors: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colors.items())


STYLE = f""":root {{ {_variables(_LIGHT)} }}
svg.map {{ font: 11px system-ui, sans-serif; max-width: 100%; }}
svg.map .head {{ font-size: 14px; font-weight: 600; }}
svg.map .peak {{ fill-opacity: .16; }}
svg.map .budget {{ stroke-width: 1.5; }}
svg.map .bound {{ stroke-dasharray: 6 4; }}
svg.map .buffer rect {{ stroke-width: .6; fill-opacity: .78; }}
svg.map .buffer rect.thin {{ stroke: none; }}
svg.map .buffer:hover rect {{ stroke-width: 2; }}
svg.map .buffer text {{ font-size: 10px; pointer-events: none; }}
{Template(_COLORS).substitute(_LIGHT)}@media screen and (prefers-color-scheme: dark) {{
:root {{ {_variables(_DARK)} }}
{Template(_COLORS).substitute(_DARK)}}}
@media print {{ * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }} }}
"""
