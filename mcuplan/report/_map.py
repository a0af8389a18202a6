# SPDX-License-Identifier: Apache-2.0
"""The memory map: steps to the right, addresses upwards, a rectangle for every buffer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from mcuplan.record import Budget, BufferRow, RegionUse
from mcuplan.report._markup import canvas, draw
from mcuplan.report._names import distinct
from mcuplan.report._text import clip
from mcuplan.units import format_bytes
from mcuplan.words import moment

__all__ = ["WIDTH", "picture"]

WIDTH = 960
_LEFT, _RIGHT, _TOP, _HIGH, _BELOW = 76, 20, 70, 400, 46
_CHARACTER = 6.4  # width of a character in a label, at most, in units of the picture
_FAR = 1.6  # a budget beyond that many arenas is said, not drawn
_TICKS_ACROSS, _TICKS_UP = 20, 6
_KINDS = ("io", "activation", "scratch")
_MOMENTS = {"step": "steps", "row": "rows made"}
_HUES = 137  # degrees from the hue of a tensor to the next one: neighbours differ
_NAME = 30  # columns of a name in the legend
_ENTRIES, _ENTRY_HIGH = 4, 15  # of the legend of tensors: entries side by side, height of one
_THIN = 3  # a rectangle with a shorter side has no outline, which would hide it


@dataclass(frozen=True, slots=True)
class _Block:
    """A buffer: the bytes and steps of a row and of all rows that share its bytes."""

    rows: tuple[BufferRow, ...]
    low: int
    high: int
    hue: int | None = None  # of a tensor whose rows lie apart, but for inputs and outputs

    @property
    def kind(self) -> str:
        """Kind of the buffer; of an input or output where one of the tensors is that."""
        return next(kind for kind in _KINDS if any(row.kind == kind for row in self.rows))


@dataclass(frozen=True, slots=True)
class _Scale:
    """From steps, or moves of rows, and addresses to the picture."""

    steps: int
    top_bytes: int
    word: str = "step"

    def x(self, step: int) -> float:
        """Left edge of a step."""
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(step, self.steps) / self.steps

    def y(self, address: int) -> float:
        """Lower edge of a byte."""
        return _TOP + _HIGH * (1 - address / self.top_bytes)


def picture(budget: Budget) -> Element:
    """An ``<svg>`` with a map for every RAM region that holds buffers; style stands outside."""
    regions = [r for r in budget.regions if any(b.region == r.name for b in budget.buffers)]
    name = f"memory map of {budget.model.name} on {budget.target.name}"
    maps, height = Element("svg"), 0
    for region in regions:
        above = {"transform": f"translate(0 {height})"}
        height += _region_map(budget, region, draw(maps, "g", above), alone=len(regions) == 1)
    if not regions:
        draw(maps, "text", {"class": "head", "x": _LEFT, "y": 30}, "no buffers")
    found = canvas(WIDTH, height or _TOP, {"role": "img", "aria-label": name})
    found.extend(maps)
    return found


def _region_map(budget: Budget, region: RegionUse, parent: Element, *, alone: bool) -> int:
    """Axes, then buffers, then the lines that must stay visible; returns the height of it all."""
    rows = [row for row in budget.buffers if row.region == region.name]
    names = _short_names(rows)
    blocks = _blocks(rows)
    arena = max(block.high for block in blocks)
    room = _room(budget, region, arena, alone)
    shown = max(arena, room if room <= _FAR * arena else 0)
    by_rows = budget.peak.move is not None
    across = max(row.end for row in budget.buffers) if by_rows else len(budget.layers)
    word = "row" if by_rows else "step"
    scale = _Scale(max(1, across), max(1, shown) * 21 // 20 + 1, word)
    head = f"{len(blocks):,} buffers over {across:,} {_MOMENTS[word]}"
    head = f"{region.name}: arena {format_bytes(arena)}, {head}"
    draw(parent, "text", {"class": "head", "x": _LEFT, "y": 18}, head)
    _draw_kinds(parent, blocks)
    _draw_axes(parent, scale)
    _draw_peak(parent, budget, scale)
    for block in blocks:
        _draw_block(parent, block, scale, names)
    if alone and budget.layers:
        bound = budget.peak.lower_bound_bytes
        text = f"lower bound {format_bytes(bound)}"
        _draw_line(parent, ("bound", "faint"), bound, text, scale)
    text = f"room for the arena {format_bytes(room)}"
    if room <= scale.top_bytes:
        _draw_line(parent, ("budget", "bad"), max(0, room), text, scale)
    else:
        _label(parent, WIDTH - _RIGHT, 18, f"{text}, beyond the top", "faint", "end")
    lines = -(-_draw_tensors(parent, blocks, names) // _ENTRIES)
    return _TOP + _HIGH + _BELOW + lines * _ENTRY_HIGH


def _short_names(rows: Sequence[BufferRow]) -> dict[str, str]:
    """Names of tensors as they are drawn: short, and different for different ones."""
    names = list(dict.fromkeys(row.name for row in rows))
    return dict(zip(names, distinct(names, _NAME), strict=True))


def _room(budget: Budget, region: RegionUse, arena: int, alone: bool) -> int:
    """The largest arena that this region can hold beside what else lies there."""
    room = arena + region.left_bytes
    if alone and budget.ram.budget_from == "limit":
        room = min(room, budget.ram.budget_bytes - budget.ram.total_bytes + arena)
    return room


def _blocks(rows: Sequence[BufferRow]) -> list[_Block]:
    """Rows that share their bytes, as one buffer; large ones first, small ones above them."""
    groups: dict[tuple[str, int, int, int], list[BufferRow]] = {}
    for row in rows:
        place = -1 if row.row is None else row.offset
        groups.setdefault((row.alias_of or row.name, row.start, row.end, place), []).append(row)
    apart = dict.fromkeys(
        group[0].name
        for group in groups.values()
        if group[0].row is not None and all(row.kind == "activation" for row in group)
    )
    hues = {name: i * _HUES % 360 for i, name in enumerate(apart)}
    blocks = [
        _Block(
            tuple(group),
            min(r.offset for r in group),
            max(r.offset + r.bytes for r in group),
            hues.get(group[0].name),
        )
        for group in groups.values()
    ]
    return sorted(blocks, key=lambda b: (b.low - b.high, b.rows[0].start, b.low))


def _draw_block(parent: Element, block: _Block, scale: _Scale, names: Mapping[str, str]) -> None:
    first = block.rows[0]
    left, right = scale.x(first.start), scale.x(first.end)
    top, bottom = scale.y(block.high), scale.y(block.low)
    facts = [
        f"{_named(first)}: {block.high - block.low:,} B ({block.kind})",
        f"addresses {block.low:,} to {block.high:,}",
        f"{scale.word}s {first.start} to {first.end - 1}",
    ]
    facts += [f"also {_named(row)}: {row.bytes:,} B from {row.offset:,}" for row in block.rows[1:]]
    group = draw(parent, "g", {"class": "buffer"})
    draw(group, "title", {}, *facts)
    thin = " thin" if min(right - left, bottom - top) < _THIN else ""
    corner = (left, top, right - left, bottom - top)
    _draw_box(group, f"{block.kind}{thin}", corner, block.hue)
    room = int((right - left - 6) / _CHARACTER)
    if bottom - top >= 12 and room >= 4:
        _label(group, left + 3, top + 10, clip(names[first.name], room))


def _draw_box(
    parent: Element,
    kind: str,
    corner: tuple[float, float, float, float],
    hue: int | None = None,
) -> None:
    """A rectangle: left, top, width and height, in the colour of its kind or of a hue."""
    shape: dict[str, str | float] = {"class": kind}
    if hue is not None:
        shape["style"] = f"fill: hsl({hue} 55% 60%)"
    draw(parent, "rect", shape | dict(zip(("x", "y", "width", "height"), corner, strict=True)))


def _named(row: BufferRow) -> str:
    """A buffer by the name of its tensor, with the row where rows lie apart."""
    return row.name if row.row is None else f"{row.name}, row {row.row}"


def _draw_axes(parent: Element, scale: _Scale) -> None:
    base = _TOP + _HIGH
    every = _round_up(scale.steps / _TICKS_ACROSS)
    for step in range(0, scale.steps, every):
        middle = (scale.x(step) + scale.x(step + 1)) / 2
        _label(parent, middle, base + 15, str(step), "faint", "middle")
    apart = _round_up(scale.top_bytes / _TICKS_UP)
    for address in range(0, scale.top_bytes, apart):
        y = scale.y(address)
        _draw_across(parent, "grid", y)
        _label(parent, _LEFT - 6, y + 4, f"{address:,}", "faint", "end")
    _label(parent, (_LEFT + WIDTH - _RIGHT) / 2, base + 32, scale.word, "faint", "middle")
    _label(parent, _LEFT - 6, _TOP - 8, "address, B", "faint", "end")


def _round_up(value: float) -> int:
    """The least of 1, 2, 5, 10, 20, 50, ... that is not below the value."""
    unit = 1
    while True:
        for factor in (1, 2, 5):
            if factor * unit >= value:
                return factor * unit
        unit *= 10


def _draw_peak(parent: Element, budget: Budget, scale: _Scale) -> None:
    peak = budget.peak
    at = peak.step if peak.move is None else peak.move
    if not 0 <= at < scale.steps or not budget.layers:
        return
    left, right = scale.x(at), scale.x(at + 1)
    layer = distinct([row.name for row in budget.layers], 48)[max(0, peak.step)]
    text = f"peak: {moment(peak)}" + (f", {layer}" if peak.step >= 0 else "")
    late = at > scale.steps / 2
    _draw_box(parent, "peak", (left, _TOP - 12, right - left, _HIGH + 12))
    _label(parent, right if late else left, _TOP - 15, text, "", "end" if late else "start")


def _draw_line(
    parent: Element, kinds: tuple[str, str], address: int, text: str, scale: _Scale
) -> None:
    """A line across at an address; the two kinds have their words at different ends."""
    kind, colour = kinds
    y = scale.y(address)
    at, anchor = (WIDTH - _RIGHT - 4, "end") if kind == "budget" else (_LEFT + 4, "start")
    _draw_across(parent, kind, y)
    _label(parent, at, y - 4, text, colour, anchor)


def _draw_across(parent: Element, kind: str, y: float) -> None:
    draw(parent, "line", {"class": kind, "x1": _LEFT, "y1": y, "x2": WIDTH - _RIGHT, "y2": y})


def _draw_kinds(parent: Element, blocks: Sequence[_Block]) -> None:
    """What the colours of kinds mean; those of tensors stand below the picture."""
    words = {"io": "input, output", "activation": "activation", "scratch": "scratch"}
    used = [kind for kind in _KINDS if any(b.kind == kind and b.hue is None for b in blocks)]
    for i, kind in enumerate(used):
        x = _LEFT + 96 * i
        _draw_box(parent, kind, (x, 26, 12, 10))
        _label(parent, x + 16, 35, words[kind])
    if any(block.hue is not None for block in blocks):
        _label(parent, _LEFT + 96 * len(used), 35, "rows of activations: colours below")


def _draw_tensors(parent: Element, blocks: Sequence[_Block], names: Mapping[str, str]) -> int:
    """The colour of every tensor whose rows lie apart; returns how many there are."""
    hues = {block.rows[0].name: block.hue for block in blocks if block.hue is not None}
    wide = (WIDTH - _RIGHT - _LEFT) / _ENTRIES
    for i, name in enumerate(sorted(hues, key=list(names).index)):
        x, y = _LEFT + wide * (i % _ENTRIES), _TOP + _HIGH + _BELOW + _ENTRY_HIGH * (i // _ENTRIES)
        _draw_box(parent, "activation", (x, y - 9, 12, 10), hues[name])
        _label(parent, x + 16, y, names[name])
    return len(hues)


def _label(
    parent: Element, x: float, y: float, text: str, kind: str = "", anchor: str = "start"
) -> None:
    where: dict[str, str | float] = {"class": kind} if kind else {}
    where |= {"x": float(x), "y": float(y)}
    draw(parent, "text", where | ({"text-anchor": anchor} if anchor != "start" else {}), text)
