# SPDX-License-Identifier: Apache-2.0
"""What other types lose and need, about: whole steps, and repair as it was found for one model."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from mcuplan import pipeline
from mcuplan.errors import McuplanError, Problems
from mcuplan.facts import RepairKind
from mcuplan.prove.loss import losses_of
from mcuplan.record import Planned, Request, TypePoint
from mcuplan.repair import Recipe, kinds_of
from mcuplan.tradeoff.bounds import figures, figures_of
from mcuplan.tradeoff.space import AS_ASKED, Mix, Space

__all__ = ["Sketches"]


class Sketches:
    """Points of one model in a small part of the time that their plans take.

    What outputs lose is computed on the samples as that of plans is; weights are chosen as in the
    plan that there is, and bytes and cycles are those of whole steps, to be compared with each
    other.
    """

    def __init__(self, planned: Planned) -> None:
        """Run the float model, unless that was done."""
        self._losses, self._recipe = losses_of(planned), _recipe_of(planned)
        self._own = figures_of(planned)
        self._known: dict[Mix, TypePoint | None] = {}
        self._first: TypePoint | None = None

    def point(self, planned: Planned, options: tuple[str, ...]) -> TypePoint:
        """What a plan loses and needs."""
        seen = self._losses.compared(planned.judged)
        decisions = None if seen.decisions is None else round(seen.decisions, 2)
        needs = figures_of(planned)
        return TypePoint(round(seen.loss, 4), self._losses.measure, *needs, options, decisions)

    def of(self, space: Space, mix: Mix) -> TypePoint | None:
        """A sketch; None: some layer is not there in its type, or its neighbours are not."""
        if mix not in self._known:
            self._known[mix] = None
            request, options = space.asked(mix)
            with suppress(McuplanError, Problems):
                self._known[mix] = self.point(self._sketched(request), options)
        if mix == AS_ASKED:
            self._first = self._known[mix]
        return self._known[mix]

    def _sketched(self, request: Request) -> Planned:
        effort = "normal" if request.effort == "thorough" else request.effort
        whole = replace(request, streaming="off", row_limit_s=None, effort=effort)
        return pipeline.plan_begun(pipeline.begin(whole, recipe=self._recipe), whole.target)

    def expected(self, sketch: TypePoint) -> tuple[float, float, float]:
        """Flash, RAM and cycles of the plan of a sketch: off by as much as that as asked for."""
        first = self._own if self._first is None else figures(self._first)
        flash, ram, cycles = (
            each * now / max(1, before)
            for each, now, before in zip(figures(sketch), self._own, first, strict=True)
        )
        return flash, ram, cycles


def _recipe_of(planned: Planned) -> Recipe | None:
    """What was done to the model as it was asked for; weights are fitted wherever that is asked.

    Fewer bits gain by it where those that there are do not.
    """
    request = planned.request
    kinds = kinds_of(request.quantize_effort, request.repairs)
    if RepairKind.ROUNDING not in kinds:
        return planned.recipe
    return replace(planned.recipe or Recipe(), rounding=True)
