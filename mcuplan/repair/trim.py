# SPDX-License-Identifier: Apache-2.0
"""Takes channels away that readers hardly see, as far as outputs may lose by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcuplan.calibrate.extremes import Extremes
from mcuplan.calibrate.farther import with_farther
from mcuplan.calibrate.held_back import held_back
from mcuplan.calibrate.observe import seen_by
from mcuplan.ir.graph import Graph
from mcuplan.passes.near_dead import HALF_A_STEP, Seen, Silent, near_dead
from mcuplan.repair.bench import Repaired

__all__ = ["NOTHING_NEAR_DEAD", "Lost", "Trimmed", "seen_of", "trim"]

_LIMITS = tuple(HALF_A_STEP / 2**k for k in range(5))


@dataclass(frozen=True, slots=True)
class Lost:
    """What outputs lose against the float model, in percent: before and after a change.

    ``measure`` is of how many ``samples``.
    """

    measure: str
    samples: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Channels that are near-dead, and those of them whose means take their place."""

    listed: Silent
    silent: Silent
    lost: Lost | None = None  # where that was asked for


NOTHING_NEAR_DEAD = Trimmed(MappingProxyType({}), MappingProxyType({}))
"""No such channels."""


def trim(
    whole: Graph, found: Repaired, loss: Callable[[Silent], Lost] | None, allowed: float
) -> Trimmed:
    """Channels to do without.

    Near-dead is a channel on all samples, and on some moved twice as far from their mean: what
    shows only in unusual inputs, as those that a detector is there for, stays.

    Args:
        whole: the lowered graph with all its channels.
        found: what it was made from.
        loss: what outputs lose without some channels; None: all stay.
        allowed: how many percent more than with them.
    """
    none = NOTHING_NEAR_DEAD.silent
    real = any(tensor.type.dtype.is_float for tensor in whole.tensors.values())
    seen = {} if real or found.calibrated is None else seen_of(found.calibrated.extremes)
    if found.calibrated is None or not seen or not near_dead(whole, seen):
        return Trimmed(none, none, loss(none) if loss is not None else None)
    seen = seen_of(found.calibrated.extremes, _farther(found))
    listed = near_dead(whole, seen)
    if loss is None:
        return Trimmed(listed, none)
    for limit in _LIMITS:
        silent = near_dead(whole, seen, limit)
        lost = loss(silent)
        if not silent or lost.after <= lost.before + allowed:
            return Trimmed(listed, silent, lost)
    return Trimmed(listed, none, loss(none))


def _farther(found: Repaired) -> Mapping[str, Extremes]:
    """What samples show that are moved from what is usual."""
    assert found.calibrated is not None
    data, graph = found.calibrated.data, found.graph
    some = sorted(held_back(graph, data.samples, 1))
    moved = with_farther(data, graph.app_inputs, some)
    fresh = dict.fromkeys(found.calibrated.extremes, Extremes())
    return seen_by(graph, moved, fresh, lambda index: index >= len(some))


def seen_of(
    own: Mapping[str, Extremes], farther: Mapping[str, Extremes] | None = None
) -> Mapping[str, Seen]:
    """Of channels that were seen: their ends among all, their means among their own.

    Args:
        own: on calibration samples.
        farther: on others; None: there are none.
    """
    found = {}
    for name, each in own.items():
        if each.values:
            other = each if farther is None else farther[name]
            low, high = np.minimum(each.least, other.least), np.maximum(each.most, other.most)
            found[name] = Seen(low, high, each.means)
    return found
