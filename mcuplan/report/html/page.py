# SPDX-License-Identifier: Apache-2.0
"""A page around its parts: one file, with its style and script in it and their digests named."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.findings import Finding
from mcuplan.report._markup import digest, own, rendered
from mcuplan.report.html.part import Part

__all__ = ["page"]

_MOST = 160  # characters of a title


def page(
    title: str,
    answer: tuple[str, str],
    parts: Sequence[Part],
    errors: Sequence[Finding] = (),
    styles: Sequence[str] = (),
) -> str:
    """The whole page.

    Args:
        title: of the page; its end is cut.
        answer: what it says of that, its colour and its words.
        parts: one at least.
        errors: said at the top.
        styles: templates of styles beside those of every page.
    """
    style = own("map.css") + own("page.css")
    for name in styles:
        style += own(name)
    script = own("page.js")
    values = {
        "title": title if len(title) <= _MOST else f"{title[:_MOST]}...",
        "colour": answer[0],
        "words": answer[1],
        "errors": errors,
        "parts": parts,
        "style": style,
        "script": script,
        "digests": {"style": digest(style), "script": digest(script)},
    }
    return rendered("page.html", values)
