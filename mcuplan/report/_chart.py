# SPDX-License-Identifier: Apache-2.0
"""What pictures share: a frame with axes, labels that stay inside it, lines across."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from mcuplan.report._markup import draw
from mcuplan.report._text import clip
from mcuplan.safe_text import plain

__all__ = [
    "CHARACTER",
    "LEFT",
    "RIGHT",
    "WIDTH",
    "Frame",
    "across",
    "axes",
    "box",
    "hue_fill",
    "label",
    "level",
    "round_up",
]

WIDTH = 960
LEFT, RIGHT = 76, WIDTH - 20  # of what is drawn in a frame
CHARACTER = 6.4  # width of a character in a label, at most, in units of the picture
_HEAD = 9  # of a character in a heading
_TICKS_ACROSS, _TICKS_UP = 20, 6
_HUES = 137  # degrees from one hue to the next: neighbours differ
_LIGHT = (66, 76)


@dataclass(frozen=True, slots=True)
class Frame:
    """From steps, or moves of rows, and bytes to the picture."""

    steps: int
    most: int
    top: float
    high: float
    word: str = "step"

    @property
    def base(self) -> float:
        """Lower edge."""
        return self.top + self.high

    def x(self, step: float) -> float:
        """Left edge of a step."""
        return LEFT + (RIGHT - LEFT) * min(step, self.steps) / self.steps

    def y(self, value: float) -> float:
        """Lower edge of a byte."""
        return self.top + self.high * (1 - value / self.most)


def hue_fill(index: int) -> str:
    """The colour of one of many things."""
    return f"hsl({index * _HUES % 360} 52% {_LIGHT[index % len(_LIGHT)]}%)"


def axes(parent: Element, frame: Frame, unit: str) -> None:
    """Steps below, bytes at the left, with lines across."""
    every = round_up(frame.steps / _TICKS_ACROSS)
    for step in range(0, frame.steps, every):
        middle = (frame.x(step) + frame.x(step + 1)) / 2
        label(parent, middle, frame.base + 15, str(step), "faint", "middle")
    apart = round_up(frame.most / _TICKS_UP)
    for value in range(0, frame.most, apart):
        y = frame.y(value)
        across(parent, "grid", y)
        label(parent, LEFT - 6, y + 4, f"{value:,}", "faint", "end")
    label(parent, (LEFT + RIGHT) / 2, frame.base + 32, frame.word, "faint", "middle")
    label(parent, LEFT - 6, frame.top - 30, unit, "faint", "end")


def round_up(value: float) -> int:
    """The least of 1, 2, 5, 10, 20, 50, ... that is not below the value."""
    unit = 1
    while True:
        for factor in (1, 2, 5):
            if factor * unit >= value:
                return factor * unit
        unit *= 10


def across(parent: Element, kind: str, y: float) -> None:
    """A line over the whole width."""
    draw(parent, "line", {"class": kind, "x1": LEFT, "y1": y, "x2": RIGHT, "y2": y})


def level(parent: Element, kinds: tuple[str, str], y: float, text: str) -> None:
    """A line across with its words; those of budgets stand at the other end."""
    kind, colour = kinds
    at, anchor = (RIGHT - 4, "end") if kind == "budget" else (LEFT + 4, "start")
    across(parent, kind, y)
    label(parent, at, y - 4, text, f"{colour} over", anchor)


def box(
    parent: Element, kind: str, corner: tuple[float, float, float, float], fill: str = ""
) -> Element:
    """A rectangle: left, top, width and height, in the colour of its kind or one of its own."""
    shape: dict[str, str | float] = {"class": kind}
    shape |= {"fill": fill} if fill else {}
    shape |= dict(zip(("x", "y", "width", "height"), corner, strict=True))
    return draw(parent, "rect", shape)


def label(
    parent: Element, x: float, y: float, text: str, kind: str = "", anchor: str = "start"
) -> None:
    """Words at a place; in the middle of it they are moved so that they stay on the picture."""
    one = _HEAD if kind == "head" else CHARACTER
    before = x if anchor == "start" else 0
    text = clip(plain(text, unicode=True), max(4, int((WIDTH - 4 - before) / one)))
    half = len(text) * one / 2
    if anchor == "middle":
        x = min(max(x, half), WIDTH - half)
    where: dict[str, str | float] = {"class": kind} if kind else {}
    where |= {"x": float(x), "y": float(y)}
    draw(parent, "text", where | ({"text-anchor": anchor} if anchor != "start" else {}), text)
