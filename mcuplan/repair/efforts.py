# SPDX-License-Identifier: Apache-2.0
"""Kinds of repair one after the other; each is kept where outputs of other samples gain by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from mcuplan.calibrate import Data
from mcuplan.errors import AccumulatorOverflow, ScaleError, ToolFailed
from mcuplan.facts import RepairGain, RepairKind, Unrepaired
from mcuplan.ir.graph import Graph
from mcuplan.passes.equalize import Reach
from mcuplan.passes.merge_layers import merge_layers
from mcuplan.progress import Bar, no_bar
from mcuplan.repair.bench import Bench, Recipe, Repaired, Tools
from mcuplan.repair.widen import is_of_int8

__all__ = ["EFFORTS", "kinds_of", "repair", "repaired_alike"]

_ENOUGH_DB = {8: 38.0, 16: 86.0}
"""By bits what rounding the outputs alone leaves, nearly: closer is no closer to other samples."""

_LEAST_GAIN_DB = 0.25
"""Less is chance: the samples held back are few."""


_POOR_DB = 25.0
"""Below it decisions change: int8 alone is then not held to."""

_GOOD_DB = 30.0
"""What layers of other types are to reach; more of them would cost more than that is worth."""

_LEAST_GAINS_DB: Mapping[RepairKind, float] = MappingProxyType(
    {
        RepairKind.RANGES: 1.0,  # what is cut off is cut off of samples to come, too
        RepairKind.TABLES: 3.0,  # tables cost flash
        RepairKind.OUTPUTS: 3.0,  # other types cost RAM and cycles
        RepairKind.INPUTS: 3.0,
        RepairKind.WIDENING: 3.0,
    }
)

_REACHES = (
    Reach(2.0, 1.0),
    Reach(1.25, joint=True),
    *(Reach(m, s) for s in (0.25, 0.05) for m in (1.25, 1.05)),
)
"""Of equalization: what any sample can bear, then what those seen can."""


def _enough(grids: Graph) -> float:
    kinds = [grids.tensor(port.tensor).type.quant for port in grids.outputs]
    return max(_ENOUGH_DB[16 if q is not None and q.dtype.bits == 16 else 8] for q in kinds)


_Step = Callable[[Recipe, Bench], Iterator[Recipe]]


def _merging(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    if merge_layers(bench.graph) is not bench.graph:
        yield replace(recipe, merged=True)


def _biases(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    yield replace(recipe, biases=True)


def _rounding(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    yield replace(recipe, rounding=True)


def _equalization(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    """Farther and farther, and what of the weights shows only then.

    Weights to nearest do not bear the last ones.
    """
    for rounding in dict.fromkeys((recipe.rounding, bench.may_round)):
        for reach in _REACHES if rounding else _REACHES[:4]:
            yield replace(recipe, rounding=rounding, reach=reach)


def _limits(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    """Equalization also behind ReLU6 and the like."""
    for each in _equalization(recipe, bench) if bench.is_limited else ():
        if each.reach is not None:
            yield replace(each, reach=replace(each.reach, limited=True))


def _absorption(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    found = bench.equalized(recipe)
    if bench.absorbed(found) is not found.graph:
        yield replace(recipe, absorbed=True)


def _tables(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    """Equalization through functions, and of gates."""
    yield from _farther(recipe, bench, tables=True)
    yield from _farther(recipe, bench, tables=True, gates=True)


def _outputs(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    """Equalization up to outputs, which become float32."""
    yield from _farther(recipe, bench, outputs=True)


def _inputs(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    """Equalization from inputs on, likewise; with what their channels always add in biases."""
    for absorbed in dict.fromkeys((recipe.absorbed, True)):
        yield from _farther(replace(recipe, absorbed=absorbed), bench, inputs=True)


def _farther(recipe: Recipe, bench: Bench, **through: bool) -> Iterator[Recipe]:
    """Equalization that goes on where it ended; what of the weights may show only then."""
    before, kept = bench.equalized(recipe).graph, recipe.reach or Reach()
    for reach in dict.fromkeys((kept, *_REACHES[:3])):
        far = replace(kept, margin=reach.margin, shows=reach.shows, joint=reach.joint)
        made = replace(recipe, reach=replace(far, **through))
        graph = before
        with suppress(ScaleError, AccumulatorOverflow):
            graph = bench.equalized(made).graph
        if graph is not before:
            for rounding in dict.fromkeys((recipe.rounding, bench.may_round)):
                yield replace(made, rounding=rounding)


def _ranges(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    yield replace(recipe, ranges=bench.narrowed(recipe))


def _widening(recipe: Recipe, bench: Bench) -> Iterator[Recipe]:
    """As few layers in int16 as make outputs good; ranges are observed anew."""
    if not is_of_int8(bench.graph):
        return
    for nodes in bench.layers_to_widen(recipe):
        for wide_weights in (False, True):
            yield replace(recipe, ranges={}, wide=nodes, wide_weights=wide_weights)


_STEPS: Mapping[RepairKind, _Step] = MappingProxyType(
    {
        RepairKind.MERGING: _merging,
        RepairKind.BIASES: _biases,
        RepairKind.ROUNDING: _rounding,
        RepairKind.EQUALIZATION: _equalization,
        RepairKind.LIMITS: _limits,
        RepairKind.ABSORPTION: _absorption,
        RepairKind.TABLES: _tables,
        RepairKind.OUTPUTS: _outputs,
        RepairKind.INPUTS: _inputs,
        RepairKind.RANGES: _ranges,
        RepairKind.WIDENING: _widening,
    }
)
"""Kinds of repair in order."""

_COSTLY = frozenset({RepairKind.TABLES, RepairKind.OUTPUTS, RepairKind.INPUTS, RepairKind.WIDENING})
"""Kinds after which not all is int8, or flash is larger: tried where outputs are poor without."""

EFFORTS: Mapping[str, frozenset[RepairKind]] = MappingProxyType(
    {
        "fast": frozenset(),
        "normal": frozenset(
            {
                RepairKind.MERGING,
                RepairKind.BIASES,
                RepairKind.EQUALIZATION,
                RepairKind.ABSORPTION,
            }
        ),
        "best": frozenset(_STEPS) - {RepairKind.BIASES},  # rounding corrects them, too
    }
)
"""Kinds of repair by the name that users give."""


def kinds_of(effort: str, asked: Mapping[RepairKind, bool]) -> tuple[RepairKind, ...]:
    """Kinds of repair in order: those of an effort, and others that were asked for or not."""
    return tuple(kind for kind in _STEPS if asked.get(kind, kind in EFFORTS[effort]))


def repair(
    found: Repaired,
    data: Data,
    tools: Tools,
    kinds: Sequence[RepairKind],
    *,
    asked: bool = False,
    bar: Bar = no_bar,
) -> Repaired:
    """The model on grids with less error at its outputs; as it is where that cannot be judged.

    Args:
        found: the float graph after the passes, and its grids as they were observed.
        data: the samples.
        tools: what makes the like of another graph.
        kinds: what is tried, in order.
        asked: also where outputs are as near as rounding them leaves.
        bar: shows how far it is.
    """
    if not kinds or found.calibrated is None:
        return found
    bench, recipe = Bench(found, data, tools, kinds), Recipe()
    try:
        least, gains = bench.error(found), list[RepairGain]()
    except ToolFailed:  # of a model that no runtime runs on grids
        return found
    if least >= _enough(found.grids.graph) and not asked:
        near = Unrepaired(least, len(bench.held))
        return replace(found, calibrated=replace(found.calibrated, unrepaired=near))
    apart = found
    with bar("repairing", len(kinds)) as tick:
        for kind in kinds:
            tick(1)
            if kind in _COSTLY and least >= _POOR_DB and not asked:
                continue
            tried = _tried(kind, recipe, bench)
            if not tried:
                continue
            best, change, made = max(tried, key=lambda each: each[0])
            kept = best >= least + _LEAST_GAINS_DB.get(kind, _LEAST_GAIN_DB)
            gains.append(RepairGain(kind, least, best, len(bench.held), kept))
            if kept:
                least, recipe, apart = best, change, made
    made = bench.make(recipe, all_samples=True)
    assert made.calibrated is not None
    known = replace(made.calibrated, repairs=tuple(gains))
    return replace(made, calibrated=known, recipe=recipe, apart=apart.grids)


def _tried(kind: RepairKind, recipe: Recipe, bench: Bench) -> list[tuple[float, Recipe, Repaired]]:
    """What each recipe of a kind gives; of those that cost more and more, up to a good one.

    One whose grids no integers of a layer can be scaled to is none.
    """
    tried = []
    for each in _STEPS[kind](recipe, bench):
        with suppress(ScaleError, AccumulatorOverflow):
            made = bench.make(each)
            tried.append((bench.error(made), each, made))
            if kind is RepairKind.WIDENING and tried[-1][0] >= _GOOD_DB:
                break
    return tried


def repaired_alike(found: Repaired, data: Data, tools: Tools, recipe: Recipe) -> Repaired:
    """The model on grids as a recipe makes it that was found for other types of its layers.

    Nothing is tried: what another recipe would be worth is not known. It is the one to judge by:
    no weights are fitted to the samples that are held back.
    """
    return replace(Bench(found, data, tools, ()).make(recipe), recipe=recipe)
