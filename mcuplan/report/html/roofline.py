# SPDX-License-Identifier: Apache-2.0
"""Roofline: multiply-accumulates per byte against those per cycle, with what a chip allows.

Source: Williams et al. 2009.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from mcuplan.record import Budget, LayerRow, Roof
from mcuplan.report._chart import LEFT, RIGHT, WIDTH, label
from mcuplan.report._markup import canvas, draw
from mcuplan.report.html.part import Part, layer_names

__all__ = ["roofline"]

_TOP, _HIGH, _BELOW = 40, 260, 44
_WAITS = 0.1  # share of its time that a layer waits for flash before it stands out
_NAMED = 8
_NEAR = 20  # units of the picture: points that are nearer have one label


@dataclass(frozen=True, slots=True)
class _Scale:
    """Both axes count powers of ten: the first and the last of each."""

    across: tuple[int, int]
    up: tuple[int, int]

    def x(self, value: float) -> float:
        """Of MACs per byte."""
        first, last = self.across
        return LEFT + (RIGHT - LEFT) * (math.log10(value) - first) / (last - first)

    def y(self, value: float) -> float:
        """Of MACs per cycle."""
        first, last = self.up
        return _TOP + _HIGH * (1 - (math.log10(value) - first) / (last - first))


def roofline(budget: Budget) -> Part | None:
    """Where the rates of the core were measured; else a picture would be made of guesses."""
    roof = budget.target.roof
    rows = [r for r in budget.layers if r.macs and r.all_cycles and r.macs_per_byte > 0]
    if roof is None or not rows:
        return None
    waiting = [row for row in rows if _waits(row) > _WAITS]
    values = {
        "picture": _picture(budget, roof, rows),
        "origin": roof.bandwidth_origin,
        "waiting": [(layer_names(budget)[r.index], f"{100 * _waits(r):.0f} %") for r in waiting],
        "described": any(row.stall_cycles is not None for row in rows),
    }
    return Part("roofline", "Roofline", "roofline.html", values)


def _rate(row: LayerRow) -> float:
    return row.macs / row.all_cycles


def _waits(row: LayerRow) -> float:
    stalls = row.stall_cycles
    return (stalls.code + stalls.constants) / row.all_cycles if stalls is not None else 0.0


def _powers(values: list[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _picture(budget: Budget, roof: Roof, rows: list[LayerRow]) -> Element:
    scale = _Scale(
        _powers([row.macs_per_byte for row in rows] + [roof.macs_per_cycle]),
        _powers([_rate(row) for row in rows] + [roof.macs_per_cycle]),
    )
    name = f"roofline of {budget.model.name} on {budget.target.name}"
    image = canvas(WIDTH, _TOP + _HIGH + _BELOW, {"role": "img", "aria-label": name})
    _draw_axes(image, scale)
    _draw_roofs(image, scale, roof)
    names = layer_names(budget)
    slowest = sorted(rows, key=lambda row: -row.all_cycles)[:_NAMED]
    for row in rows:
        group = draw(image, "g", {"class": "point"})
        said = f"{row.macs_per_byte:.3g} MACs/B, {_rate(row):.3g} MACs/cycle"
        draw(group, "title", {}, f"{row.index} {names[row.index]}: {said}")
        kind = "waits" if _waits(row) > _WAITS else "io"
        x, y = scale.x(row.macs_per_byte), scale.y(_rate(row))
        draw(group, "circle", {"class": kind, "cx": x, "cy": y, "r": 5})
    places: dict[tuple[int, int], list[LayerRow]] = {}
    for row in sorted(slowest, key=lambda row: row.index):
        x, y = scale.x(row.macs_per_byte), scale.y(_rate(row))
        places.setdefault((round(x / _NEAR), round(y / _NEAR)), []).append(row)
    for near in places.values():
        x, y = scale.x(near[0].macs_per_byte), scale.y(_rate(near[0]))
        label(image, x + 7, y + 4, " ".join(str(row.index) for row in near), "over")
    return image


def _draw_axes(image: Element, scale: _Scale) -> None:
    base = _TOP + _HIGH
    for power in range(scale.across[0], scale.across[1] + 1):
        x = scale.x(10.0**power)
        draw(image, "line", {"class": "grid", "x1": x, "x2": x, "y1": _TOP, "y2": base})
        label(image, x, base + 15, f"{10.0**power:g}", "faint", "middle")
    for power in range(scale.up[0], scale.up[1] + 1):
        y = scale.y(10.0**power)
        draw(image, "line", {"class": "grid", "x1": LEFT, "x2": RIGHT, "y1": y, "y2": y})
        label(image, LEFT - 6, y + 4, f"{10.0**power:g}", "faint", "end")
    label(image, (LEFT + RIGHT) / 2, base + 32, "MACs per byte moved", "faint", "middle")
    label(image, LEFT, _TOP - 22, "MACs per cycle", "faint")


def _draw_roofs(image: Element, scale: _Scale, roof: Roof) -> None:
    """The rate of arithmetic across, and the slopes of both memories up to it."""
    y = scale.y(roof.macs_per_cycle)
    draw(image, "line", {"class": "bound", "x1": LEFT, "x2": RIGHT, "y1": y, "y2": y})
    text = f"kernels as measured, on the mean: {roof.macs_per_cycle:.3g} MACs/cycle"
    label(image, RIGHT - 4, y - 4, text, "faint over", "end")
    memories = {"RAM": roof.ram_bytes_per_cycle, "flash": roof.flash_bytes_per_cycle}
    same = len(set(memories.values())) == 1
    for place, (word, rate) in enumerate(memories.items()):
        if rate <= 0 or (same and word == "RAM"):
            continue
        knee = roof.macs_per_cycle / rate
        lowest = max(10.0 ** scale.across[0], 10.0 ** scale.up[0] / rate)
        if knee <= lowest:
            continue
        left, low = scale.x(lowest), scale.y(lowest * rate)
        ends = {"x1": left, "y1": low, "x2": scale.x(knee), "y2": y}
        draw(image, "line", {"class": "bound", **ends})
        said = f"{'RAM and flash' if same else word} {rate:.3g} B/cycle"
        label(image, left + 8, low - 6 - 13 * place, said, "faint over")
