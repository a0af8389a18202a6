# SPDX-License-Identifier: Apache-2.0
"""Other graphs for the bytes of an int8 graph, in steps whose rows can come and go."""

from __future__ import annotations

from mcuplan.ir.graph import Graph
from mcuplan.passes.gather_rows import gather_rows
from mcuplan.passes.rows_of_lines import rows_of_lines
from mcuplan.passes.rows_of_planes import rows_of_planes

__all__ = ["row_lowerings"]


def row_lowerings(graph: Graph, *, fed: bool = False) -> tuple[Graph, ...]:
    """What a plan by rows may be made of; in the first one lines stay lines.

    As rows they may need less, and take longer.
    """
    lines = rows_of_lines(graph)
    sources = (graph,) if lines is graph else (graph, lines)
    return tuple(gather_rows(rows_of_planes(source, fed=fed)) for source in sources)
