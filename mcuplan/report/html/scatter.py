# SPDX-License-Identifier: Apache-2.0
"""A scatter of models: those of the front one by one, those that are beaten where they lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from mcuplan.record.front import Choice, Front, FrontOf, Objective
from mcuplan.report._chart import LEFT, RIGHT, WIDTH, label, round_up
from mcuplan.report._front import figure
from mcuplan.report._markup import canvas, draw
from mcuplan.units import format_si

__all__ = ["LINKED", "scatter"]

LINKED = 500  # points of a front that lead to a row of its table
_COLOURS = 8
_TOP, _HIGH, _BELOW = 50, 360, 46
_APART = 5  # units of the picture: beaten points that are nearer are drawn as one
_WIDE = 30.0  # largest over smallest value from which on an axis counts powers of ten
_TICKS = 6
_LEGEND = 18  # width of one colour
_WHOLE = 200  # characters of a name under the pointer


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to a part of the picture, by their logarithms or as they are."""

    low: float
    high: float
    start: float
    end: float
    powers: bool

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float) -> Axis:
        """An axis that all values lie on, with a margin."""
        low, high = min(values), max(values)
        powers = low > 0 and high / low >= _WIDE
        if powers:
            low, high = math.log10(low), math.log10(high)
        margin = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
        return cls(low - margin, high + margin, start, end, powers)

    def at(self, value: float) -> float:
        """Where a value lies."""
        place = math.log10(value) if self.powers else value
        return self.start + (self.end - self.start) * (place - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values on the axis."""
        if not self.powers:
            every = _rounded((self.high - self.low) / _TICKS)
            first, last = math.ceil(self.low / every), math.floor(self.high / every)
            return [n * every for n in range(first, last + 1)]
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        factors = (1, 2, 5) if self.high - self.low < 3 else (1,)
        found = [factor * 10.0**power for power in powers for factor in factors]
        return [value for value in found if self.low <= math.log10(value) <= self.high]


def _rounded(value: float) -> float:
    """The least of 1, 2, 5, 10 .. times a power of ten that is not below a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    return round_up(value / power) * power


def scatter(front: Front, group: FrontOf, key: str) -> Element:
    """The picture of one group; points of its front lead to rows ``key-0``, ``key-1`` ..."""
    every = [*group.front, *group.beaten]
    x, y = front.objectives[:2]
    across = Axis.of([c.values[0] for c in every], LEFT, RIGHT)
    up = Axis.of([c.values[1] for c in every], _TOP + _HIGH, _TOP)
    said = f"{y.name} over {x.name} of {len(every):,} rows {group.name}".rstrip()
    image = canvas(WIDTH, _TOP + _HIGH + _BELOW, {"role": "group", "aria-label": said})
    _draw_axes(image, (across, up), (x, y))
    colour = _coloured(front, every)
    if front.colour is not None:
        _draw_legend(image, front.colour, [c.colour for c in every if c.colour is not None])
    rest = [(c, "beaten") for c in group.beaten] + [(c, "best") for c in group.front[LINKED:]]
    _draw_together(image, front, rest, (across, up), colour)
    if len(front.objectives) == 2:
        _draw_line(image, group, (across, up), y)
    for number, choice in enumerate(group.front[:LINKED]):
        link = draw(image, "a", {"class": "point", "href": f"#{key}-{number}"})
        draw(link, "title", {}, _said(front, choice))
        place = {"cx": across.at(choice.values[0]), "cy": up.at(choice.values[1]), "r": 6}
        draw(link, "circle", {"class": f"best {colour(choice)}".rstrip(), **place})
    return image


def _coloured(front: Front, choices: Sequence[Choice]) -> Callable[[Choice], str]:
    """The class of a point's colour."""
    values = [choice.colour for choice in choices if choice.colour is not None]
    if front.colour is None or not values:
        return lambda choice: ""
    low, span = min(values), max(values) - min(values)

    def kind(choice: Choice) -> str:
        if choice.colour is None:
            return "c-none"
        part = (choice.colour - low) / span if span else 0.0
        return f"c{min(_COLOURS - 1, int(part * _COLOURS))}"

    return kind


def _said(front: Front, choice: Choice, more: int = 0) -> str:
    """What stands under the pointer."""
    name, *told = (_short(text) for text in (choice.model, *choice.told) if text)
    pairs = list(zip(front.objectives, choice.values, strict=True))
    if front.colour is not None and choice.colour is not None:
        pairs += [(front.colour, choice.colour)]
    figures = [f"{one.name} {figure(value, one)}" for one, value in pairs]
    rest = [f"and {more:,} more here"] if more else []
    return ", ".join([name, *told, *figures, *rest])


def _short(text: str) -> str:
    return text if len(text) <= _WHOLE else f"{text[:_WHOLE]}..."


def _draw_axes(image: Element, axes: tuple[Axis, Axis], named: tuple[Objective, Objective]) -> None:
    across, up = axes
    x, y = named
    base = _TOP + _HIGH
    for value in across.ticks():
        at = across.at(value)
        draw(image, "line", {"class": "grid", "x1": at, "x2": at, "y1": _TOP, "y2": base})
        label(image, at, base + 15, _tick(value, x), "faint", "middle")
    for value in up.ticks():
        at = up.at(value)
        draw(image, "line", {"class": "grid", "x1": LEFT, "x2": RIGHT, "y1": at, "y2": at})
        label(image, LEFT - 6, at + 4, _tick(value, y), "faint", "end")
    label(image, (LEFT + RIGHT) / 2, base + 34, _axis_name(x), "faint", "middle")
    label(image, 8, _TOP - 26, _axis_name(y), "faint")


def _tick(value: float, one: Objective) -> str:
    return format_si(value, "" if one.unit in ("cycles", "%") else one.unit)


def _axis_name(one: Objective) -> str:
    unit = f" in {one.unit}" if one.unit == "%" else ""
    return f"{one.name}{unit}, {'most' if one.most else 'least'} is best"


def _draw_legend(image: Element, one: Objective, values: Sequence[float]) -> None:
    """Colours from the least value to the most."""
    if not values:
        return
    left = RIGHT - _COLOURS * _LEGEND - 70
    label(image, left - 6, _TOP - 26, f"{one.name} {figure(min(values), one)}", "faint", "end")
    for number in range(_COLOURS):
        place = {"x": left + number * _LEGEND, "y": _TOP - 36, "width": _LEGEND, "height": 12}
        draw(image, "rect", {"class": f"c{number}", **place})
    right = left + _COLOURS * _LEGEND
    label(image, right + 6, _TOP - 26, figure(max(values), one), "faint")


def _draw_together(
    image: Element,
    front: Front,
    choices: Sequence[tuple[Choice, str]],
    axes: tuple[Axis, Axis],
    colour: Callable[[Choice], str],
) -> None:
    """One point for all of a kind that lie nearly at the same place."""
    places: dict[tuple[str, int, int], tuple[Choice, int]] = {}
    for choice, kind in choices:
        x, y = axes[0].at(choice.values[0]), axes[1].at(choice.values[1])
        place = kind, round(x / _APART), round(y / _APART)
        first, more = places.get(place, (choice, -1))
        places[place] = first, more + 1
    for (kind, _, _), (choice, more) in places.items():
        point = draw(image, "g", {"class": "point"})
        draw(point, "title", {}, _said(front, choice, more))
        at = {"cx": axes[0].at(choice.values[0]), "cy": axes[1].at(choice.values[1])}
        shade = f"{kind} {colour(choice)}".rstrip()
        draw(point, "circle", {"class": shade, **at, "r": 3 if more == 0 else 4})


def _draw_line(image: Element, group: FrontOf, axes: tuple[Axis, Axis], y: Objective) -> None:
    """The border of what is beaten: steps from each point of the front to the next."""
    points = [
        (axes[0].at(choice.values[0]), axes[1].at(choice.values[1])) for choice in group.front
    ]
    if not points:
        return
    shape = f"M{points[0][0]:.2f} {points[0][1]:.2f}"
    shape += "".join(f"H{x:.2f}V{at:.2f}" for x, at in points[1:])
    draw(image, "path", {"class": "line edge", "d": shape})
