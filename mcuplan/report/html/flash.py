# SPDX-License-Identifier: Apache-2.0
"""Flash as a treemap: weights by layer, code by function, tables, and what libraries bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from mcuplan.record import Budget, LinkedSymbol
from mcuplan.report._chart import CHARACTER, WIDTH, box, label
from mcuplan.report._markup import canvas, draw
from mcuplan.report._text import clip
from mcuplan.report.html.part import Part, layer_names

__all__ = ["flash", "squarified"]

_HIGH, _TOP = 340, 30
_KINDS = {"io": "weights", "scratch": "tables", "code": "code", "library": "libraries"}
_SHOWN = 40  # of the list beside the picture
_Corner = tuple[float, float, float, float]  # left, top, width, height


@dataclass(frozen=True, slots=True)
class _Tile:
    """Bytes of flash: what for, its name, and the class of its colour."""

    kind: str
    name: str
    nbytes: int


def flash(budget: Budget) -> Part | None:
    """A picture, and the same as a list."""
    tiles = sorted(_tiles(budget), key=lambda tile: -tile.nbytes)
    if not tiles:
        return None
    linked = budget.build is not None and bool(budget.build.symbols)
    rows = [(tile.name, _KINDS[tile.kind], tile.nbytes) for tile in tiles]
    total = max(1, sum(tile.nbytes for tile in tiles))
    values = {
        "picture": _picture(tiles, total),
        "rows": [(*row, f"{100 * row[2] / total:.1f} %") for row in rows[:_SHOWN]],
        "more": len(rows) - _SHOWN,
        "linked": linked,
    }
    return Part("flash", "Flash", "flash.html", values)


def _tiles(budget: Budget) -> Iterator[_Tile]:
    """All that the sum of flash is made of."""
    names, bill = layer_names(budget), budget.flash
    weights = [_Tile("io", n, r.weights_bytes) for n, r in zip(names, budget.layers, strict=True)]
    rest = bill.weights_bytes - sum(tile.nbytes for tile in weights)
    weights.append(_Tile("io", "other weights", rest))
    yield from (tile for tile in weights if tile.nbytes > 0)
    if bill.tables_bytes:
        yield _Tile("scratch", "tables and parameters", bill.tables_bytes)
    known = [_of_symbol(s) for s in _code(budget)]
    rest = bill.code_bytes - sum(tile.nbytes for tile in known)
    yield from (tile for tile in known if tile.nbytes > 0)
    if rest > 0:
        words = "literals, padding and the rest" if known else f"all code ({bill.code_origin})"
        yield _Tile("code", words, rest)


def _code(budget: Budget) -> list[LinkedSymbol]:
    symbols = budget.build.symbols if budget.build is not None else ()
    return [symbol for symbol in symbols if symbol.kind == "text"]


def _of_symbol(symbol: LinkedSymbol) -> _Tile:
    kind = "library" if symbol.address is None else "code"
    return _Tile(kind, symbol.name.removeprefix("mplan_"), symbol.bytes)


def _picture(tiles: Sequence[_Tile], total: int) -> Element:
    name = f"flash by what it holds, {total:,} B"
    image = canvas(WIDTH, _TOP + _HIGH, {"role": "img", "aria-label": name})
    at = 0.0
    for kind, word in _KINDS.items():
        size = sum(tile.nbytes for tile in tiles if tile.kind == kind)
        if size:
            box(image, kind, (at, 6, 12, 10))
            text = f"{word} {size:,} B"
            label(image, at + 16, 15, text)
            at += len(text) * CHARACTER + 40
    groups = [(k, [t for t in tiles if t.kind == k]) for k in _KINDS]
    groups = [group for group in groups if group[1]]
    groups.sort(key=lambda group: -sum(tile.nbytes for tile in group[1]))
    sums = [sum(tile.nbytes for tile in own) for _, own in groups]
    for (_, own), room in zip(groups, squarified(sums, (0, _TOP, WIDTH, _HIGH)), strict=True):
        corners = squarified([tile.nbytes for tile in own], room)
        for tile, corner in zip(own, corners, strict=True):
            _draw_tile(image, tile, corner)
    return image


def _draw_tile(image: Element, tile: _Tile, corner: _Corner) -> None:
    group = draw(image, "g", {"class": "tile"})
    draw(group, "title", {}, f"{tile.name}: {tile.nbytes:,} B of {_KINDS[tile.kind]}")
    box(group, tile.kind, corner)
    left, top, wide, high = corner
    room = int((wide - 8) / CHARACTER)
    if room >= 5 and high >= 14:
        label(group, left + 4, top + 12, clip(tile.name, room), "name")
    if room >= 9 and high >= 28:
        label(group, left + 4, top + 24, f"{tile.nbytes:,} B", "name")


def squarified(sizes: Sequence[int], room: _Corner) -> list[_Corner]:
    """Rectangles of areas in the ratio of sizes > 0, descending, that fill a room.

    Source: Bruls, Huizing, van Wijk, Squarified Treemaps, 2000.
    """
    left, top, wide, high = (float(n) for n in room)
    scale = wide * high / max(1, sum(sizes))
    areas, found, first = [max(1, n) * scale for n in sizes], list[_Corner](), 0
    while first < len(areas):
        side = max(min(wide, high), 1e-9)
        end = first + 1
        while end < len(areas) and _worst(areas[first : end + 1], side) <= _worst(
            areas[first:end], side
        ):
            end += 1
        thick = sum(areas[first:end]) / side
        at = 0.0
        for area in areas[first:end]:
            long = area / max(thick, 1e-9)
            flat = (left, top + at, thick, long) if wide >= high else (left + at, top, long, thick)
            found.append(flat)
            at += long
        if wide >= high:
            left, wide = left + thick, max(0.0, wide - thick)
        else:
            top, high = top + thick, max(0.0, high - thick)
        first = end
    return found


def _worst(areas: Sequence[float], side: float) -> float:
    """The least square of the rectangles of a row."""
    total = sum(areas)
    return max(side * side * max(areas) / total**2, total**2 / (side * side * min(areas)))
