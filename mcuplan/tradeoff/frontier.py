# SPDX-License-Identifier: Apache-2.0
"""Models with more and more layers of other types are planned; what each loses and needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from mcuplan import pipeline
from mcuplan.budget.assess import layer_rows
from mcuplan.budget.footprint import flash_bill, ram_bill
from mcuplan.errors import McuplanError, Problems, UsageError
from mcuplan.ir.types import DType
from mcuplan.pipeline import Begun
from mcuplan.prove.loss import Losses
from mcuplan.record import Evidence, Limits, Planned, Request, TypePoint
from mcuplan.tradeoff.sensitivity import TypeChange, sensitivities

__all__ = ["check_samples", "plan_within", "type_frontier", "type_points"]

_SHARES = (0.25, 0.5, 0.75, 0.9)  # of what all layers together save
_FIRST = (1, 3)  # tensors of int16: the most sensitive ones


def check_samples(request: Request) -> None:
    """Raise, before anything is planned, where nothing can show what outputs lose."""
    if request.dtype.is_float or request.calibration is None or request.random_calibration:
        raise _no_samples()


def _no_samples() -> UsageError:
    what = "--frontier of types: no samples of a float model show what outputs lose"
    return UsageError(what, "", "--calibration DATA, a float model, and no --dtype float32")


def type_frontier(planned: Planned, limits: Limits) -> tuple[TypePoint, ...]:
    """What outputs lose and a plan needs, with other types of more and more layers.

    Args:
        planned: as it was asked for.
        limits: of which one that is met is chosen.

    Raises:
        UsageError: there are no samples to judge by.
    """
    seen = planned.calibration
    if seen is None or seen.data.random:
        raise _no_samples()
    return _compared(planned, limits)[0]


def plan_within(
    request: Request, limits: Limits, *, sizes_only: bool = False, begun: Begun | None = None
) -> tuple[Planned, tuple[TypePoint, ...]]:
    """The plan that was asked for; with other types where it is over a limit and loss is allowed.

    Args:
        request: what was asked for.
        limits: what it is measured by.
        sizes_only: without ranges where there are none.
        begun: the same request up to grids, of any target; None: made here.

    Returns:
        The plan, and what was compared where that was so: the one that was taken is chosen.
    """
    begun = begun or pipeline.begin(request, sizes_only=sizes_only)
    planned = pipeline.plan_begun(begun, request.target)
    if request.max_loss is None or _fits(_figures(planned), _budgets(planned, limits)):
        return planned, ()
    points, found = _compared(planned, limits)
    taken = tuple(replace(point, taken=point.chosen) for point in points)
    return (planned if found is request else pipeline.plan(found)), taken


def _compared(planned: Planned, limits: Limits) -> tuple[tuple[TypePoint, ...], Request]:
    """Other types beside those there are, the point to take marked, and what to ask for then."""
    pairs = [(point, made.request) for point, made in type_points(planned)]
    points = [point for point, _ in pairs]
    best = _chosen(points, planned, limits)
    marked = tuple(replace(point, chosen=point is best) for point in _undominated(points))
    return marked, next((asked for point, asked in pairs if point is best), planned.request)


def type_points(
    planned: Planned, late: Callable[[], bool] = lambda: False
) -> Iterator[tuple[TypePoint, Planned]]:
    """What is lost and needed with other types, and that plan; as it is first.

    ``late``: whether there is no more time for another one.
    """
    assert planned.calibration is not None
    losses = Losses(planned.floating, planned.calibration.data)
    yield _point(planned, losses, ()), planned
    tried = list(_tried(planned.request, sensitivities(planned)))
    with planned.request.bar("planning other types", len(tried)) as tick:
        for request, options in tried:
            if late():
                return
            with suppress(McuplanError, Problems):  # not there in this type, or not its neighbours
                found = pipeline.plan(request)
                yield _point(found, losses, options), found
            tick(1)


def _tried(
    request: Request, changes: Sequence[TypeChange]
) -> Iterator[tuple[Request, tuple[str, ...]]]:
    """Requests with more and more of the changes, and the options that ask for that."""
    plain = replace(request, max_loss=None)
    fewer = [each for each in changes if each.dtype is DType.INT4]
    every, counts = sum(each.cost for each in fewer), list[int]()
    for share in (*_SHARES, 1.0):
        saved, count = 0, 0
        while count < len(fewer) and saved < share * every:
            saved, count = saved + fewer[count].cost, count + 1
        counts.append(count)
    for count in dict.fromkeys(count for count in counts if count):
        chosen = dict.fromkeys(each.layers[0] for each in fewer[:count])
        rest = dict.fromkeys(each.layers[0] for each in fewer[count:])
        if len(rest) < len(chosen):
            types = {"": DType.INT4, **dict.fromkeys(rest, DType.INT8)}
        else:
            types = dict.fromkeys(chosen, DType.INT4)
        options = (f"--weight-dtype {f'{n}={t}' if n else t}" for n, t in types.items())
        yield replace(plain, weight_dtypes={**types, **request.weight_dtypes}), tuple(options)
    wider = [each for each in changes if each.dtype is DType.INT16]
    for count in _FIRST if len(wider) > max(_FIRST) else ():
        names = tuple(dict.fromkeys(name for each in wider[:count] for name in each.layers))
        asked = (*request.wide_layers, *names)
        yield replace(plain, wide_layers=asked), tuple(f"--layer-dtype {n}=int16" for n in names)
    if wider and not request.wide_layers and not request.real_layers:
        yield replace(plain, dtype=DType.INT16), ("--dtype int16",)


def _figures(planned: Planned) -> tuple[int, int, int]:
    """Bytes of flash and RAM, and cycles."""
    plan, none = planned.plan, Limits()
    rows = layer_rows(plan, Evidence(), planned.removal)
    flash, ram = flash_bill(plan, none, None), ram_bill(plan, none, None)
    return flash.total_bytes, ram.total_bytes, sum(row.all_cycles for row in rows)


def _point(planned: Planned, losses: Losses, options: tuple[str, ...]) -> TypePoint:
    loss = round(losses.of(planned.removal.whole), 4)
    return TypePoint(loss, losses.measure, *_figures(planned), options)


def _budgets(planned: Planned, limits: Limits) -> tuple[float, float, float]:
    """The most of all three that the target has, or that was asked for."""
    flash, ram = flash_bill(planned.plan, limits, None), ram_bill(planned.plan, limits, None)
    latency, clock = limits.max_latency_s, planned.request.target.clock_hz
    most = math.inf if latency is None else latency * clock
    return flash.budget_bytes, ram.budget_bytes, most


def _fits(figures: tuple[int, int, int], budgets: tuple[float, float, float]) -> bool:
    return all(needed <= most for needed, most in zip(figures, budgets, strict=True))


def _undominated(points: Sequence[TypePoint]) -> list[TypePoint]:
    """Those that no other is as good as in everything; the first one always, by flash."""

    def figures(point: TypePoint) -> tuple[float, ...]:
        return point.loss, point.flash_bytes, point.ram_bytes, point.cycles

    def is_beaten(point: TypePoint) -> bool:
        own = figures(point)
        return any(
            all(a <= b for a, b in zip(figures(other), own, strict=True)) and figures(other) != own
            for other in points
        )

    kept = [point for point in points if point is points[0] or not is_beaten(point)]
    return sorted(kept, key=lambda point: (point.flash_bytes, point.loss))


def _chosen(points: Sequence[TypePoint], planned: Planned, limits: Limits) -> TypePoint | None:
    """Of those within all limits that which loses least; of flash least where loss alone is one."""
    allowed, lost = planned.request.max_loss, planned.trimmed.lost
    most = None if allowed is None else (lost.before if lost else points[0].loss) + allowed
    budgets = _budgets(planned, limits)
    within = [
        point
        for point in points
        if _fits((point.flash_bytes, point.ram_bytes, point.cycles), budgets)
        and (most is None or point.loss <= most)
    ]
    asked = (limits.max_flash, limits.max_ram, limits.max_latency_s) != (None,) * 3
    if not within or not (asked or most is not None):
        return None
    if asked:
        return min(within, key=lambda point: (point.loss, point.flash_bytes))
    return min(within, key=lambda point: (point.flash_bytes, point.loss))
