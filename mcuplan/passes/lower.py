# SPDX-License-Identifier: Apache-2.0
"""From a graph, on grids or in float32, to the one that is planned."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Signature
from mcuplan.passes.assign_types import assign_types
from mcuplan.passes.dead_channels import Removal, keep_dead_channels, remove_dead_channels
from mcuplan.passes.io_layout import rows_at_boundary, rows_in_states
from mcuplan.passes.near_dead import Silent, silenced

__all__ = ["lower"]

_NONE: Silent = MappingProxyType({})


def lower(
    graph: Graph,
    multiple: Callable[[Signature], int] | None,
    *,
    rows: bool = False,
    real_ranges: bool = True,
    silent: Silent = _NONE,
    dump_after: Callable[[str, Graph], None] | None = None,
) -> Removal:
    """The graph of the device, whole and without the channels that no output depends on.

    Args:
        graph: float, every activation on a grid.
        multiple: of channels that kernels want (see `remove_dead_channels`); None: dead
            channels stay, as they do where values are real.
        rows: inputs and outputs are rows of pixels, where the model has planes.
        real_ranges: the grids come from data or from the model.
        silent: channels whose means take their place; not where dead channels stay.
        dump_after: is told where channels were removed.
    """
    typed = assign_types(rows_at_boundary(graph) if rows else rows_in_states(graph))
    real = any(tensor.type.dtype.is_float for tensor in typed.tensors.values())
    if multiple is None or real:
        return keep_dead_channels(typed)
    typed = silenced(typed, silent)
    removal = remove_dead_channels(typed, multiple, real_ranges=real_ranges)
    if removal.kept and dump_after is not None:
        dump_after("remove_dead_channels", removal.graph)
    return removal
