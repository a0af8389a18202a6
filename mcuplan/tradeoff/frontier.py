# SPDX-License-Identifier: Apache-2.0
"""Models with more and more layers of other types are planned; what each loses and needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from mcuplan import pipeline
from mcuplan.errors import UsageError
from mcuplan.pipeline import Begun
from mcuplan.record import Limits, Planned, Request, TypePoint
from mcuplan.solvers.packing import Packer
from mcuplan.tradeoff.bounds import bounds_of, figures_of
from mcuplan.tradeoff.search import Search, undominated

__all__ = ["check_samples", "plan_within", "type_frontier", "type_points"]


def check_samples(request: Request) -> None:
    """Raise, before anything is planned, where nothing can show what outputs lose."""
    if request.dtype.is_float or request.calibration is None or request.random_calibration:
        raise _no_samples()


def _no_samples() -> UsageError:
    what = "no samples of a float model show what outputs lose with other types"
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
    return _compared(planned, Search(planned, limits))[0]


def plan_within(
    request: Request,
    limits: Limits,
    *,
    sizes_only: bool = False,
    begun: Begun | None = None,
    compare: bool = False,
    widen_to: float | None = None,
) -> tuple[Planned, tuple[TypePoint, ...]]:
    """The plan that was asked for; with other types where it is over a limit and loss is allowed.

    Args:
        request: what was asked for.
        limits: what it is measured by.
        sizes_only: without ranges where there are none.
        begun: the same request up to grids, of any target; None: made here.
        compare: other types are tried even where it is within all limits; where some loss is
            allowed and flash has no limit, that of the least flash is taken.
        widen_to: percent that outputs may lose against the float model; where they lose more, the
            most sensitive layers get more bits of activations, as few as that takes.

    Returns:
        The plan, and what was compared where that was so: the one that was taken is chosen.

    Raises:
        UsageError: types are to be compared, and there are no samples to judge by.
    """
    begun = begun or pipeline.begin(request, sizes_only=sizes_only)
    packer = Packer()
    planned = pipeline.plan_begun(begun, request.target, packer)
    fits = request.max_loss is None or bounds_of(planned, limits).fits(figures_of(planned))
    if fits and not compare and widen_to is None:
        return planned, ()
    if planned.calibration is None or planned.calibration.data.random:
        raise _no_samples()
    for_flash = compare and limits.max_flash is None and request.max_loss is not None
    search = Search(planned, limits, packer, for_flash=for_flash, widen_to=widen_to)
    points, found = _compared(planned, search)
    return found, tuple(replace(point, taken=point.chosen) for point in points)


def _compared(planned: Planned, search: Search) -> tuple[tuple[TypePoint, ...], Planned]:
    """Other types beside those there are, the point to take marked, and its plan."""
    pairs = [(each.point, each.planned) for each in search.found(lambda: False)]
    points = [point for point, _ in pairs]
    points = undominated(points)
    best = search.bounds.best(points) if search.is_limited else None
    times = search.bounds.in_proportion
    marked = tuple(
        replace(point, chosen=point is best, in_proportion=times if point is best else None)
        for point in points
    )
    return marked, next((made for point, made in pairs if point is best), planned)


def type_points(
    planned: Planned, limits: Limits, late: Callable[[], bool] = lambda: False
) -> Iterator[tuple[TypePoint, Planned]]:
    """What is lost and needed with other types, and that plan; as it is first.

    Args:
        planned: as it was asked for.
        limits: near which more of them are looked for.
        late: whether there is no more time for another one.
    """
    return ((each.point, each.planned) for each in Search(planned, limits).found(late))
