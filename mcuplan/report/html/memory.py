# SPDX-License-Identifier: Apache-2.0
"""The memory map of the plan and of no plan, and the live bytes under it."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from mcuplan.record import Budget
from mcuplan.report._blocks import live_bytes
from mcuplan.report._chart import LEFT, WIDTH, Frame, axes, label, level
from mcuplan.report._map import naive_picture, picture
from mcuplan.report._markup import canvas, draw
from mcuplan.report.html.part import Part, layer_names
from mcuplan.units import format_bytes
from mcuplan.words import moment

__all__ = ["memory"]

_TOP, _HIGH, _BELOW = 84, 150, 40
_APART = 0.04  # of the width: what lies nearer is one peak
_LABELLED = 3
_Live = tuple[int, int, int]  # start, end, bytes


def memory(budget: Budget) -> Part:
    """Maps that take each other's place, and a curve."""
    naive = naive_picture(budget)
    values = {
        "plan": picture(budget),
        "naive": naive,
        "naive_text": _without(budget) if naive is not None else "",
        "curve": _curve(budget) if budget.layers else None,
        "levels": budget.levels,
        "by_rows": budget.peak.move is not None,
    }
    return Part("memory", "Memory over time", "memory.html", values)


def _without(budget: Budget) -> str:
    assert budget.naive is not None
    most, arena = budget.naive.arena_bytes, budget.ram.arena_bytes
    share = 100 * abs(arena - most) / most if most else 0.0
    less = f"{share:.0f} % {'less' if arena < most else 'more'}" if round(share) else "the same"
    return (
        f"Without planning (the model's own order, a buffer for every tensor, largest first) the "
        f"arena is {format_bytes(most)}; the plan's is {format_bytes(arena)}, {less}."
    )


def _live(budget: Budget) -> list[_Live]:
    """By step, or by move where rows lie apart."""
    if budget.peak.move is not None:
        return live_bytes(budget.buffers)
    return [(row.index, row.index + 1, row.live_bytes) for row in budget.layers]


def _curve(budget: Budget) -> Element:
    live, by_rows = _live(budget), budget.peak.move is not None
    steps, most = max((end for _, end, _ in live), default=1), max(n for _, _, n in live)
    frame = Frame(
        max(1, steps), max(1, most) * 6 // 5 + 1, _TOP, _HIGH, "row" if by_rows else "step"
    )
    name = f"live bytes over time, at most {most:,} B"
    image = canvas(WIDTH, _TOP + _HIGH + _BELOW, {"role": "img", "aria-label": name})
    label(image, LEFT, 14, "live bytes, and where they are most", "head")
    axes(image, frame, "live, B")
    path = [f"M{LEFT} {frame.base:.1f}"]
    for start, end, size in live:
        path.append(f"L{frame.x(start):.1f} {frame.y(size):.1f}H{frame.x(end):.1f}")
    draw(image, "path", {"class": "curve", "d": f"{''.join(path)}V{frame.base:.1f}Z"})
    bound = budget.peak.lower_bound_bytes
    if bound <= frame.most:
        level(image, ("bound", "faint"), frame.y(bound), "")
    for rank, (start, end, size) in enumerate(_highest(live, steps), 1):
        x, y = (frame.x(start) + frame.x(end)) / 2, frame.y(size)
        draw(image, "circle", {"cx": x, "cy": y, "r": 3})
        label(image, x, y - 6, f"{rank}", "over", "middle")
        text = f"{rank}: {size:,} B {_place(budget, start)}"
        label(image, LEFT, 16 + 14 * rank, text)
    return image


def _highest(live: Sequence[_Live], steps: int) -> list[_Live]:
    """The moments with most, not those beside a higher one."""
    found: list[_Live] = []
    for each in sorted(live, key=lambda each: (-each[2], each[0])):
        if all(abs(each[0] - other[0]) > _APART * steps for other in found):
            found.append(each)
        if len(found) == _LABELLED:
            break
    return found


def _place(budget: Budget, start: int) -> str:
    if budget.peak.move == start:
        return f"in {moment(budget.peak)}"
    if budget.peak.move is not None:
        return f"at row {start}"
    return f"in step {start}, {layer_names(budget)[start]}"
