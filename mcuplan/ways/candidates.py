# SPDX-License-Identifier: Apache-2.0
"""What could be asked for instead, by what it costs the user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from mcuplan import pipeline
from mcuplan.facts import FreeBlocks
from mcuplan.importer import Form
from mcuplan.ir.types import DType
from mcuplan.passes.io_layout import rows_at_boundary
from mcuplan.passes.template import AS_IT_IS, Template, image_size, separable_layers
from mcuplan.record import Limits, Needs, Planned, Request
from mcuplan.schedule.planning.choice import plan_asked
from mcuplan.schedule.planning.relower import lowered_again
from mcuplan.targets import list_targets, load_target
from mcuplan.tradeoff import BLOCK, plan_within

__all__ = [
    "Candidate",
    "boards",
    "calibrated",
    "forms",
    "less_ram",
    "made",
    "narrowed",
    "options_alone",
    "pixels",
    "trained",
]

_LARGE = 60  # steps: such networks are planned with little effort
_WIDTHS = (0.75, 0.5, 0.25)
_SIZES = (7 / 8, 3 / 4, 1 / 2, 1 / 4)
_SEPARATED = 2  # layers, those with most weights
_OPTIONS = {  # of the request, as the command line names them
    "streaming": "--streaming",
    "objective": "--objective",
    "io_layout": "--io-layout",
    "effort": "--effort",
    "dtype": "--dtype",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is asked for instead, and the options that ask for it."""

    request: Request
    options: tuple[str, ...]
    needs: Needs = Needs.NOTHING

    def changed(self, needs: Needs | None = None, **changes: Any) -> Candidate:
        """With other values of the request that have an option; those it has already not again."""
        new = {k: v for k, v in changes.items() if getattr(self.request, k) != v}
        said = tuple(f"{_OPTIONS[name]} {value}" for name, value in new.items())
        found = needs if needs is not None and new else self.needs
        return Candidate(replace(self.request, **new), (*self.options, *said), found)

    def templated(self, template: Template) -> Candidate:
        """Of a model of another form."""
        said = tuple(f"--reshape {change}" for change in template.changes)
        request = replace(self.request, template=template)
        return Candidate(request, (*self.options, *said), Needs.RETRAINING)


def made(base: Planned, request: Request, limits: Limits) -> Planned:
    """The plan that `check` makes of a request; what another one has in common is not made anew."""
    if request.max_loss is not None:
        return plan_within(request, limits, sizes_only=True)[0]
    was = base.request
    alike = replace(
        request,
        streaming=was.streaming,
        objective=was.objective,
        io_layout=was.io_layout,
        effort=was.effort,
        target=was.target,
    )
    if alike != was:
        return pipeline.plan(request, sizes_only=True)
    asked = replace(base, request=request)
    if request.target != was.target:
        return pipeline.plan_for(asked, request.target)
    if request.io_layout != was.io_layout:
        asked = replace(asked, removal=lowered_again(asked, base.trimmed.silent))
    undivided, divided = plan_asked(request, asked.lowered, request.target)
    return replace(asked, undivided=undivided, plan=divided)


def less_ram(planned: Planned) -> Iterator[Candidate]:
    """What may need less RAM and nothing else, the mildest first."""
    start = Candidate(planned.request, ())
    objectives: tuple[str, ...] = ("ram", "ram=strict")
    if len(planned.lowered.nodes) > _LARGE:
        start, objectives = start.changed(effort="fast"), objectives[:1]
    request = planned.request
    ways = (request.objective, *objectives)
    rows = ["off", "auto"] if request.streaming == "off" else [request.streaming]
    for streaming, objective in product(rows, ways):
        found = start.changed(streaming=streaming, objective=objective)
        if len(found.options) > len(start.options):
            yield found
    by_pixels = pixels(planned, start)
    if by_pixels is not None:
        yield by_pixels
    if request.streaming == "auto":  # the call changes with it: the last resort
        for objective in dict.fromkeys(ways):
            yield start.changed(streaming="input", objective=objective)
        if by_pixels is not None:
            yield by_pixels.changed(streaming="input")
            yield by_pixels.changed(streaming="input", objective=objectives[-1])


def pixels(planned: Planned, start: Candidate) -> Candidate | None:
    """Inputs and outputs as rows of pixels, where the model has planes."""
    graph = planned.grids.graph
    if planned.request.io_layout != "model" or rows_at_boundary(graph) is graph:
        return None
    return start.changed(io_layout="nhwc")


def options_alone(planned: Planned) -> Iterator[Candidate]:
    """Options that need nothing else: kernels, rows, layout."""
    yield from less_ram(planned)
    start = Candidate(planned.request, ())
    for objective in ("latency", "flash", "balanced"):
        if objective != planned.request.objective:
            yield start.changed(objective=objective)
            if planned.request.streaming == "auto" and objective == "latency":
                yield start.changed(streaming="input", objective=objective)
    if planned.request.target.backend not in ("auto", "c99"):
        target = replace(planned.request.target, backend="auto")
        yield Candidate(replace(planned.request, target=target), ("--backend auto",))
    if planned.request.effort != "thorough" and len(planned.lowered.nodes) <= _LARGE:
        yield start.changed(effort="thorough")


def calibrated(planned: Planned) -> Iterator[Candidate]:
    """Other types of all layers, by samples that are there or are to be found.

    With samples at hand, layers are taken one by one by what they lose (`mcuplan.tradeoff`).
    """
    request, start = planned.request, Candidate(planned.request, ())
    if request.dtype is not DType.INT8 and planned.model.form is Form.FLOAT32:
        yield start.changed(Needs.RECALIBRATION, dtype=DType.INT8)
    fits = request.dtype is DType.INT8 and planned.model.form is Form.FLOAT32
    if fits and not request.weight_dtypes:
        narrow = replace(request, weight_dtypes={"": DType.INT4})
        yield Candidate(narrow, ("--weight-dtype int4",), Needs.RECALIBRATION)
        yield narrowed(planned)
    seen = planned.calibration
    known = seen is not None and not seen.data.random and request.max_loss is None
    if known and planned.trimmed.listed and not request.keep_dead:
        asked = replace(request, max_loss=1.0)
        yield Candidate(asked, ("--max-loss 1%",), Needs.RECALIBRATION)


def narrowed(planned: Planned) -> Candidate:
    """All weights in 4 bits on scales of blocks, of the size that the model file has."""
    found = (fact.block for fact in planned.notes if isinstance(fact, FreeBlocks))
    block = next(found, BLOCK)
    request = replace(planned.request, weight_dtypes={"": DType.INT4}, weight_block=block)
    options = ("--weight-dtype int4", f"--weight-block {block}")
    return Candidate(request, options, Needs.RECALIBRATION)


def forms(planned: Planned, *, together: bool = False) -> Iterator[Template]:
    """Forms of the model with fewer channels, a smaller image, layers of fewer weights.

    ``together``: also of fewer channels and a smaller image, those that keep most first.
    """
    sizes = _sizes(planned)
    found = [(width**2, Template(width=width)) for width in _WIDTHS]
    found += [(share**2, Template(size=size)) for size, share in sizes.items()]
    if together:
        found += [
            ((width * share) ** 2, Template(width, size))
            for size, share in sizes.items()
            for width in _WIDTHS
        ]
        found.sort(key=lambda each: -each[0])
    for name in separable_layers(planned.floating)[:_SEPARATED]:
        yield Template(separable=(name,))
    yield from (template for _, template in found)


def _sizes(planned: Planned) -> dict[tuple[int, int], float]:
    """Smaller images, with the share of rows and columns that they keep."""
    image = image_size(planned.floating)
    if image is None:
        return {}
    rows, columns, stride = image
    found = {_scaled(rows, columns, share, stride): share for share in _SIZES}
    return {size: share for size, share in found.items() if size != (rows, columns)}


def _scaled(rows: int, columns: int, share: float, stride: int) -> tuple[int, int]:
    """A smaller image: multiples of the stride, as the maps behind it have them."""
    step = stride if rows % stride == 0 and columns % stride == 0 else 1
    return max(step, int(rows * share) // step * step), max(
        step, int(columns * share) // step * step
    )


def trained(planned: Planned) -> Iterator[Candidate]:
    """Other forms of the model, which are still to be trained."""
    if planned.request.template == AS_IT_IS:
        yield from map(Candidate(planned.request, ()).templated, forms(planned))


def boards(planned: Planned) -> Iterator[Candidate]:
    """Other boards with more RAM or flash, those with least RAM first."""
    own, request = planned.request.target, planned.request
    if own.backend != "auto":  # not every core runs it
        return
    found = []
    for name in list_targets():
        target = replace(load_target(name), backend="auto")
        ram, flash = (sum(r.usable_bytes for r in rs) for rs in (target.ram, target.flash))
        if name != own.name and not target.generic:
            found.append((ram, flash, name, target))
    for _, _, name, target in sorted(found, key=lambda each: each[:3]):
        options = (f"--target {name}",)
        yield Candidate(replace(request, target=target), options, Needs.HARDWARE)
