# SPDX-License-Identifier: Apache-2.0
"""The memory map: steps to the right, addresses upwards, a shape for every buffer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from mcuplan.record import Budget, BufferRow, RegionUse
from mcuplan.report._blocks import Block, Slab, blocks_of
from mcuplan.report._chart import (
    CHARACTER,
    LEFT,
    RIGHT,
    WIDTH,
    Frame,
    axes,
    box,
    hue_fill,
    label,
    level,
)
from mcuplan.report._markup import canvas, draw
from mcuplan.report._names import distinct
from mcuplan.report._text import shape_text
from mcuplan.safe_text import plain
from mcuplan.units import format_bytes
from mcuplan.words import moment

__all__ = ["naive_picture", "picture"]

_TOP, _HIGH, _BELOW = 70, 400, 46
_FAR = 1.6  # a budget beyond that many arenas is said, not drawn
_MOMENTS = {"step": "steps", "row": "rows made"}
_NAME = 30  # columns of a name in the legend
_LEAST_NAME = 8  # columns of a name that is cut
_ENTRIES, _ENTRY_HIGH = 4, 15  # of the legend of tensors: entries side by side, height of one
_THIN = 3  # a rectangle with a shorter side has no outline, which would hide it
_LONG = 200  # characters of a name under the pointer


@dataclass(frozen=True, slots=True)
class _Names:
    """Names as they are drawn, short and different for different ones, and what layers do."""

    short: Mapping[str, str]
    shapes: Mapping[str, str]  # of tensors that something reads
    layers: Sequence[str]
    copies: Sequence[int]  # bytes of weights that a step copies into its scratch


def picture(budget: Budget) -> Element:
    """An ``<svg>`` with a map for every RAM region that holds buffers; style stands outside."""
    return _picture(budget, budget.buffers, f"memory map of {_subject(budget)}")


def naive_picture(budget: Budget) -> Element | None:
    """The map that nobody planned, by steps; None where a report does not have it."""
    if budget.naive is None or not budget.naive.buffers:
        return None
    peak = replace(budget.peak, step=-1, row=None, move=None)
    text = f"memory map without planning of {_subject(budget)}"
    return _picture(replace(budget, peak=peak), budget.naive.buffers, text)


def _subject(budget: Budget) -> str:
    return f"{budget.model.name} on {budget.target.name}"


def _picture(budget: Budget, buffers: Sequence[BufferRow], name: str) -> Element:
    """Regions one below the other, with some buffers in the place of those of the plan."""
    regions = [r for r in budget.regions if any(b.region == r.name for b in buffers)]
    maps, height = Element("svg"), 0
    for region in regions:
        above = {"transform": f"translate(0 {height})"}
        room = _room(budget, region, alone=len(regions) == 1)
        height += _region_map(budget, buffers, (region, room), draw(maps, "g", above))
    if not regions:
        draw(maps, "text", {"class": "head", "x": LEFT, "y": 30}, "no buffers")
    found = canvas(WIDTH, height or _TOP, {"role": "img", "aria-label": name})
    found.extend(maps)
    return found


def _region_map(
    budget: Budget, buffers: Sequence[BufferRow], place: tuple[RegionUse, int], parent: Element
) -> int:
    """Axes, then buffers, then the lines that must stay visible; returns the height of it all."""
    region, room = place
    rows = [row for row in buffers if row.region == region.name]
    names, blocks = _names(budget, rows), blocks_of(rows)
    arena = max(block.high for block in blocks)
    shown = max(arena, room if room <= _FAR * arena else 0)
    by_rows = budget.peak.move is not None
    steps = max(row.end for row in buffers) if by_rows else len(budget.layers)
    word = "row" if by_rows else "step"
    frame = Frame(max(1, steps), max(1, shown) * 21 // 20 + 1, _TOP, _HIGH, word)
    head = f"{_counted(blocks)} over {steps:,} {_MOMENTS[word]}"
    head += "" if buffers is budget.buffers else ", without planning"
    label(parent, LEFT, 18, f"{region.name}: arena {format_bytes(arena)}, {head}", "head")
    _draw_kinds(parent, blocks)
    axes(parent, frame, "address, B")
    _draw_peak(parent, budget, frame, names)
    for block in blocks:
        _draw_block(parent, block, frame, names)
    for block in blocks:
        _write_name(parent, block, frame, names)
    if len(rows) == len(buffers) and budget.layers:
        bound = budget.peak.lower_bound_bytes
        level(parent, ("bound", "faint"), frame.y(bound), f"lower bound {format_bytes(bound)}")
    text = f"room for the arena {format_bytes(room)}"
    if room <= frame.most:
        level(parent, ("budget", "bad"), frame.y(max(0, room)), text)
    else:
        label(parent, RIGHT, 35, f"{text}, beyond the top", "faint", "end")
    lines = -(-_draw_colours(parent, blocks, names) // _ENTRIES)
    return _TOP + _HIGH + _BELOW + lines * _ENTRY_HIGH


def _counted(blocks: Sequence[Block]) -> str:
    """How many buffers there are, and how many of them lie by rows."""
    apart = len({b.rows[0].name for b in blocks if b.rows[0].row is not None})
    return f"{len(blocks):,} buffers" + (f", {apart:,} of them by rows," if apart else "")


def _names(budget: Budget, rows: Sequence[BufferRow]) -> _Names:
    names = list(dict.fromkeys(row.name for row in rows))
    shapes = {
        name: shape_text(shape)
        for layer in budget.layers
        for name, shape in zip(layer.inputs, layer.input_shapes, strict=False)
    }
    layers = distinct([plain(row.name, unicode=True) for row in budget.layers], 48)
    short = distinct([plain(name, unicode=True) for name in names], _NAME)
    copies = [row.copied_bytes or 0 for row in budget.layers]
    return _Names(dict(zip(names, short, strict=True)), shapes, layers, copies)


def _room(budget: Budget, region: RegionUse, *, alone: bool) -> int:
    """The largest arena that this region can hold beside what else lies there."""
    arena = max((b.offset + b.bytes for b in budget.buffers if b.region == region.name), default=0)
    room = arena + region.left_bytes
    if alone and budget.ram.budget_from == "limit":
        room = min(room, budget.ram.budget_bytes - budget.ram.total_bytes + arena)
    return room


def _draw_block(parent: Element, block: Block, frame: Frame, names: _Names) -> None:
    group = draw(parent, "g", {"class": "buffer"})
    draw(group, "title", {}, *_facts(block, frame, names))
    fill = hue_fill(block.colour) if block.colour is not None else ""
    kind = "own" if fill else block.kind
    rectangles = [shape[0] for shape in block.shapes if len(shape) == 1]
    paths = [shape for shape in block.shapes if len(shape) > 1]
    for slab in rectangles:
        corner = _corner(slab, frame)
        thin = " thin" if min(corner[2:]) < _THIN else ""
        box(group, f"{kind}{thin}", corner, fill)
    if paths:
        outline = "".join(_outline(shape, frame) for shape in paths)
        colour = {"fill": fill} if fill else {}
        draw(group, "path", {"class": f"{kind} thin", "d": outline} | colour)


def _write_name(parent: Element, block: Block, frame: Frame, names: _Names) -> None:
    """Where there is most room, if it is enough for what tells the name from others; over all
    buffers, so that none hides it.
    """
    slabs = [slab for shape in block.shapes for slab in shape]
    widest = max(slabs, key=lambda slab: (slab.end - slab.start) * (slab.high - slab.low))
    left, top, wide, high = _corner(widest, frame)
    room = int((wide - 6) / CHARACTER)
    name = names.short[block.rows[0].name]
    if len(name) > room >= _LEAST_NAME:
        name = dict(zip(names.short, distinct(list(names.short.values()), room), strict=True))[
            block.rows[0].name
        ]
    if high >= 12 and len(name) <= room:
        label(parent, left + 3, top + 10, name, "name")


def _corner(slab: Slab, frame: Frame) -> tuple[float, float, float, float]:
    left, top = frame.x(slab.start), frame.y(slab.high)
    return left, top, frame.x(slab.end) - left, frame.y(slab.low) - top


def _outline(shape: Sequence[Slab], frame: Frame) -> str:
    """There along the high ends, and back along the low ones."""
    words = [f"M{frame.x(shape[0].start):.1f} {frame.y(shape[0].high):.1f}"]
    words += [f"V{frame.y(slab.high):.1f}H{frame.x(slab.end):.1f}" for slab in shape]
    words += [f"V{frame.y(slab.low):.1f}H{frame.x(slab.start):.1f}" for slab in reversed(shape)]
    return f"{''.join(words)}Z"


def _facts(block: Block, frame: Frame, names: _Names) -> list[str]:
    """What is said under the pointer."""
    first = block.rows[0]
    own = [row for row in block.rows if row.name == first.name]
    name = first.name if len(first.name) <= _LONG else f"{first.name[:_LONG]}..."
    if first.row is None:
        facts = [f"{name}: {block.high - block.low:,} B ({block.kind})"]
    else:
        apart = {row.row for row in own}
        facts = [f"{name}: {len(apart):,} rows of {first.bytes:,} B ({block.kind})"]
    facts += [f"shape {names.shapes[first.name]}"] if first.name in names.shapes else []
    facts += [f"addresses {block.low:,} to {block.high:,}"]
    facts += [f"{frame.word}s {block.start} to {block.end - 1}"]
    by_step = frame.word == "step" and block.start < len(names.layers)
    if by_step and block.kind == "activation":
        facts.append(f"made by {names.layers[block.start]}")
    if by_step and block.kind == "scratch":
        copied = names.copies[block.start]
        facts.append(f"of {names.layers[block.start]}")
        facts += [f"{copied:,} B of it a copy of weights"] if copied else []
    also = {row.name: row for row in block.rows if row.name != first.name}
    return facts + [
        f"also {row.name[:_LONG]}: {row.bytes:,} B from {row.offset:,}" for row in also.values()
    ]


def _draw_peak(parent: Element, budget: Budget, frame: Frame, names: _Names) -> None:
    peak = budget.peak
    at = peak.step if peak.move is None else peak.move
    if not 0 <= at < frame.steps or not budget.layers:
        return
    left, right = frame.x(at), frame.x(at + 1)
    layer = names.layers[max(0, peak.step)]
    text = f"peak: {moment(peak)}" + (f", {layer}" if peak.step >= 0 else "")
    box(parent, "peak", (left, _TOP - 12, right - left, _HIGH + 12))
    label(parent, (left + right) / 2, _TOP - 15, text, "", "middle")


def _draw_kinds(parent: Element, blocks: Sequence[Block]) -> None:
    """What the colours of kinds mean; those of activations stand below the picture."""
    words = {"io": "input, output", "activation": "activation", "scratch": "scratch"}
    used = [kind for kind in words if any(b.kind == kind and b.colour is None for b in blocks)]
    for i, kind in enumerate(used):
        x = LEFT + 110 * i
        box(parent, kind, (x, 26, 12, 10))
        label(parent, x + 16, 35, words[kind])
    if any(block.colour is not None for block in blocks):
        text = "each activation has a colour of its own: named below"
        label(parent, LEFT + 110 * len(used), 35, text)


def _draw_colours(parent: Element, blocks: Sequence[Block], names: _Names) -> int:
    """The colour of every activation; returns how many there are."""
    colours = {b.colour: b.rows[0].name for b in blocks if b.colour is not None}
    wide = (RIGHT - LEFT) / _ENTRIES
    for colour, name in sorted(colours.items()):
        x, y = LEFT + wide * (colour % _ENTRIES), _TOP + _HIGH + _BELOW
        y += _ENTRY_HIGH * (colour // _ENTRIES)
        box(parent, "own", (x, y - 9, 12, 10), hue_fill(colour))
        label(parent, x + 16, y, names.short[name])
    return len(colours)
