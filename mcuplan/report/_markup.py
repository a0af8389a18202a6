# SPDX-License-Identifier: Apache-2.0
"""Names made safe for XML and HTML, and the style that pictures and pages share."""

from __future__ import annotations

from xml.sax.saxutils import escape

from mcuplan.report._text import plain

__all__ = ["STYLE", "safe"]


def safe(text: str) -> str:
    """Text as it is, in ASCII: no tags, entities of its own, quotes or control characters."""
    quoted = escape(plain(text, unicode=True), {'"': "&quot;", "'": "&#39;"})
    return quoted.encode("ascii", "xmlcharrefreplace").decode("ascii")


_LIGHT = """{
  --back: #ffffff; --ink: #1c1f24; --faint: #6a717c; --line: #d5d9df;
  --io: #4c8fd0; --activation: #58a877; --scratch: #d99a3c;
  --bad: #c62f2f; --good: #2c8a4b; --unsure: #a86f00;
}"""
_DARK = """{
  --back: #15181d; --ink: #e6e8eb; --faint: #9aa2ad; --line: #3a414b;
  --io: #3f7fbd; --activation: #3f8f60; --scratch: #b97f2a;
  --bad: #ff7b72; --good: #56c47a; --unsure: #e0b050;
}"""
STYLE = f""":root {_LIGHT}
@media screen and (prefers-color-scheme: dark) {{ :root {_DARK} }}
svg.map {{ background: var(--back); font: 11px system-ui, sans-serif; max-width: 100%; }}
svg.map text {{ fill: var(--ink); }}
svg.map text.faint {{ fill: var(--faint); }}
svg.map text.bad {{ fill: var(--bad); }}
svg.map .head {{ font-size: 14px; font-weight: 600; }}
svg.map .grid {{ stroke: var(--line); }}
svg.map .peak {{ fill: var(--faint); fill-opacity: .16; }}
svg.map .budget {{ stroke: var(--bad); stroke-width: 1.5; }}
svg.map .bound {{ stroke: var(--ink); stroke-dasharray: 6 4; }}
svg.map .buffer rect {{ stroke: var(--ink); stroke-width: .6; fill-opacity: .78; }}
svg.map .buffer:hover rect {{ stroke-width: 2; }}
svg.map .buffer text {{ font-size: 10px; pointer-events: none; }}
svg.map .io {{ fill: var(--io); }}
svg.map .activation {{ fill: var(--activation); }}
svg.map .scratch {{ fill: var(--scratch); }}
@media print {{ * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }} }}
"""
