# SPDX-License-Identifier: Apache-2.0
"""The memory map: steps to the right, addresses upwards, a rectangle for every buffer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcuplan.record import Budget, BufferRow, RegionUse
from mcuplan.report._markup import safe
from mcuplan.report._names import distinct
from mcuplan.report._text import clip
from mcuplan.units import format_bytes

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


def picture(budget: Budget) -> str:
    """One ``<svg>`` with a map for every RAM region that holds buffers; style stands outside."""
    regions = [r for r in budget.regions if any(b.region == r.name for b in budget.buffers)]
    maps = [_region_map(budget, region, alone=len(regions) == 1) for region in regions]
    height = sum(high for _, high in maps) or _TOP
    name = safe(f"memory map of {budget.model.name} on {budget.target.name}")
    lines = [
        f'<svg class="map" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{name}" '
        f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
    ]
    above = 0
    for drawn, high in maps:
        lines += [f'<g transform="translate(0 {above})">', *drawn, "</g>"]
        above += high
    if not maps:
        lines.append(f'<text class="head" x="{_LEFT}" y="30">no buffers</text>')
    return "\n".join([*lines, "</svg>"])


def _region_map(budget: Budget, region: RegionUse, *, alone: bool) -> tuple[list[str], int]:
    """Axes, then buffers, then the lines that must stay visible; and the height of it all."""
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
    lines = [
        f'<text class="head" x="{_LEFT}" y="18">{safe(region.name)}: arena '
        f"{format_bytes(arena)}, {len(blocks):,} buffers over {across:,} {_MOMENTS[word]}</text>",
        *_kinds_legend(blocks),
        *_axes(scale),
        *_peak(budget, scale),
    ]
    for block in blocks:
        lines += _block(block, scale, names)
    if alone and budget.layers:
        bound = budget.peak.lower_bound_bytes
        lines += _line("bound", "faint", bound, f"lower bound {format_bytes(bound)}", scale)
    text = f"room for the arena {format_bytes(room)}"
    if room <= scale.top_bytes:
        lines += _line("budget", "bad", max(0, room), text, scale)
    else:
        lines.append(_text(WIDTH - _RIGHT, 18, f"{text}, beyond the top", "faint", "end"))
    tensors = _tensors_legend(blocks, names)
    deep = -(-len(tensors) // (2 * _ENTRIES)) * _ENTRY_HIGH
    return lines + tensors, _TOP + _HIGH + _BELOW + deep


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


def _block(block: _Block, scale: _Scale, names: Mapping[str, str]) -> list[str]:
    first = block.rows[0]
    left, right = scale.x(first.start), scale.x(first.end)
    top, bottom = scale.y(block.high), scale.y(block.low)
    facts = [
        f"{_named(first)}: {block.high - block.low:,} B ({block.kind})",
        f"addresses {block.low:,} to {block.high:,}",
        f"{scale.word}s {first.start} to {first.end - 1}",
    ]
    facts += [f"also {_named(row)}: {row.bytes:,} B from {row.offset:,}" for row in block.rows[1:]]
    thin = " thin" if min(right - left, bottom - top) < _THIN else ""
    lines = [
        f'<g class="buffer"><title>{"&#10;".join(safe(fact) for fact in facts)}</title>',
        f'<rect class="{block.kind}{thin}"{_fill(block.hue)} x="{left:.2f}" y="{top:.2f}" '
        f'width="{right - left:.2f}" height="{bottom - top:.2f}"/>',
    ]
    room = int((right - left - 6) / _CHARACTER)
    if bottom - top >= 12 and room >= 4:
        lines.append(_text(left + 3, top + 10, clip(names[first.name], room)))
    return [*lines, "</g>"]


def _fill(hue: int | None) -> str:
    return "" if hue is None else f' style="fill: hsl({hue} 55% 60%)"'


def _named(row: BufferRow) -> str:
    """A buffer by the name of its tensor, with the row where rows lie apart."""
    return row.name if row.row is None else f"{row.name}, row {row.row}"


def _axes(scale: _Scale) -> list[str]:
    lines = []
    base = _TOP + _HIGH
    every = _round_up(scale.steps / _TICKS_ACROSS)
    for step in range(0, scale.steps, every):
        middle = (scale.x(step) + scale.x(step + 1)) / 2
        lines.append(_text(middle, base + 15, str(step), "faint", "middle"))
    apart = _round_up(scale.top_bytes / _TICKS_UP)
    for address in range(0, scale.top_bytes, apart):
        y = scale.y(address)
        lines.append(
            f'<line class="grid" x1="{_LEFT}" y1="{y:.2f}" x2="{WIDTH - _RIGHT}" y2="{y:.2f}"/>'
        )
        lines.append(_text(_LEFT - 6, y + 4, f"{address:,}", "faint", "end"))
    lines.append(_text((_LEFT + WIDTH - _RIGHT) / 2, base + 32, scale.word, "faint", "middle"))
    lines.append(_text(_LEFT - 6, _TOP - 8, "address, B", "faint", "end"))
    return lines


def _round_up(value: float) -> int:
    """The least of 1, 2, 5, 10, 20, 50, ... that is not below the value."""
    unit = 1
    while True:
        for factor in (1, 2, 5):
            if factor * unit >= value:
                return factor * unit
        unit *= 10


def _peak(budget: Budget, scale: _Scale) -> list[str]:
    peak = budget.peak
    at = peak.step if peak.move is None else peak.move
    if not 0 <= at < scale.steps or not budget.layers:
        return []
    left, right = scale.x(at), scale.x(at + 1)
    layer = distinct([row.name for row in budget.layers], 48)[max(0, peak.step)]
    text = f"peak: {peak.moment}" + (f", {layer}" if peak.step >= 0 else "")
    late = at > scale.steps / 2
    return [
        f'<rect class="peak" x="{left:.2f}" y="{_TOP - 12}" width="{right - left:.2f}" '
        f'height="{_HIGH + 12}"/>',
        _text(right if late else left, _TOP - 15, text, "", "end" if late else "start"),
    ]


def _line(kind: str, colour: str, address: int, text: str, scale: _Scale) -> list[str]:
    """A line across at an address; the two kinds have their words at different ends."""
    y = scale.y(address)
    at, anchor = (WIDTH - _RIGHT - 4, "end") if kind == "budget" else (_LEFT + 4, "start")
    return [
        f'<line class="{kind}" x1="{_LEFT}" y1="{y:.2f}" x2="{WIDTH - _RIGHT}" y2="{y:.2f}"/>',
        _text(at, y - 4, text, colour, anchor),
    ]


def _kinds_legend(blocks: Sequence[_Block]) -> list[str]:
    """What the colours of kinds mean; those of tensors stand below the picture."""
    words = {"io": "input, output", "activation": "activation", "scratch": "scratch"}
    used = [kind for kind in _KINDS if any(b.kind == kind and b.hue is None for b in blocks)]
    lines = []
    for i, kind in enumerate(used):
        x = _LEFT + 96 * i
        lines.append(f'<rect class="{kind}" x="{x}" y="26" width="12" height="10"/>')
        lines.append(_text(x + 16, 35, words[kind]))
    if any(block.hue is not None for block in blocks):
        lines.append(_text(_LEFT + 96 * len(used), 35, "rows of activations: colours below"))
    return lines


def _tensors_legend(blocks: Sequence[_Block], names: Mapping[str, str]) -> list[str]:
    """The colour of every tensor whose rows lie apart: two elements each."""
    hues = {block.rows[0].name: block.hue for block in blocks if block.hue is not None}
    wide = (WIDTH - _RIGHT - _LEFT) / _ENTRIES
    lines = []
    for i, name in enumerate(sorted(hues, key=list(names).index)):
        x, y = _LEFT + wide * (i % _ENTRIES), _TOP + _HIGH + _BELOW + _ENTRY_HIGH * (i // _ENTRIES)
        lines.append(
            f'<rect class="activation"{_fill(hues[name])} x="{x:.2f}" y="{y - 9}" width="12" '
            'height="10"/>'
        )
        lines.append(_text(x + 16, y, names[name]))
    return lines


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    where = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{named} x="{x:.2f}" y="{y:.2f}"{where}>{safe(text)}</text>'
