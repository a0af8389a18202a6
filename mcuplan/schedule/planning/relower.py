# SPDX-License-Identifier: Apache-2.0
"""A model on grids becomes the graph of the device as a request has it."""

from __future__ import annotations

from mcuplan.backends import channel_multiple
from mcuplan.passes.assign_grids import Grids
from mcuplan.passes.dead_channels import Removal
from mcuplan.passes.lower import lower
from mcuplan.passes.near_dead import Silent
from mcuplan.record.planned import Planned, Request
from mcuplan.repair.trim import NOTHING_NEAR_DEAD

__all__ = ["lower_asked", "lowered_again"]


def lower_asked(
    request: Request,
    grids: Grids,
    *,
    real_ranges: bool,
    silent: Silent = NOTHING_NEAR_DEAD.silent,
    rows: bool = False,
) -> Removal:
    """The lowered graph, whole and without what no output depends on.

    Args:
        request: what was asked for.
        grids: of the model.
        real_ranges: they come from data or from the model.
        silent: channels whose means take their place.
        rows: inputs and outputs are rows of pixels, whatever was asked for.
    """
    wish = channel_multiple(request.target.features, request.target.backend)
    return lower(
        grids.graph,
        None if request.keep_dead else wish,
        rows=rows or request.io_layout == "nhwc",
        real_ranges=real_ranges,
        silent=silent,
        dump_after=request.dump_after,
    )


def lowered_again(planned: Planned, silent: Silent, *, rows: bool = False) -> Removal:
    """The same with other channels, or with inputs and outputs as rows of pixels."""
    real_ranges = planned.removal.real_ranges
    return lower_asked(
        planned.request, planned.grids, real_ranges=real_ranges, silent=silent, rows=rows
    )
