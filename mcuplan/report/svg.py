# SPDX-License-Identifier: Apache-2.0
"""The memory map as a picture of its own: one file, readable without scripts."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from mcuplan.record import Budget, Undecided
from mcuplan.report._chart import WIDTH
from mcuplan.report._format import Format, Look
from mcuplan.report._map import picture
from mcuplan.report._markup import canvas, draw, rendered, written
from mcuplan.report._text import clip

__all__ = ["FORMAT"]

_LINE = 18


def _decided(budget: Budget, look: Look) -> str:
    return _alone(picture(budget))


def _undecided(report: Undecided, look: Look) -> str:
    findings = report.verdict.findings
    texts = [f"{clip(report.model.name, 60)}: no plan"]
    texts += [clip(f"{f.code}: {f.message} ({f.where})", 140) for f in findings]
    image = canvas(WIDTH, _LINE * (len(texts) + 1), {})
    for i, text in enumerate(texts):
        place = {"class": "bad" if i else "head", "x": 10, "y": _LINE * (i + 1)}
        draw(image, "text", place, text)
    return _alone(image)


def _alone(image: Element) -> str:
    """A picture with its style."""
    style = Element("style")
    style.text = "\n" + rendered("map.css", {})
    image.insert(0, style)
    return written(image) + "\n"


FORMAT = Format("svg", _decided, _undecided)
