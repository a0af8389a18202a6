# SPDX-License-Identifier: Apache-2.0
"""What column tiles would save: ``python tests/schedule/tile_prices.py [FILE.onnx ...]``.

Without files of MobileNetV2-0.35 on images of 144 and 224 columns. Behind docs/planning.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cells import mobilenet_v2

from mcuplan import pipeline
from mcuplan.ir.graph import Graph
from mcuplan.record import Request
from mcuplan.schedule.explore.frontier import frontier
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.planning.by_rows import plan_rows
from mcuplan.solvers.effort import EFFORTS
from mcuplan.targets import load_target

_TARGET = replace(load_target("cortex-m4"), backend="auto")


def _graphs(files: list[str]) -> Iterator[tuple[str, Graph]]:
    for file in files:
        request = Request(Path(file), _TARGET, effort="fast", streaming="off")
        yield file, pipeline.plan(request, sizes_only=True).lowered
    if not files:
        yield from ((f"MobileNetV2-0.35@{side}", mobilenet_v2(side)) for side in (144, 224))


def main(files: list[str]) -> None:
    """A line for each network, held and fed, and limit of multiply-accumulates."""
    for name, graph in _graphs(files):
        image = sum(graph.tensor(port.tensor).type.nbytes for port in graph.inputs)
        for feed in (False, True):
            aim, effort = Aim(Objective.RAM), EFFORTS["fast"]
            plan = plan_rows(graph, _TARGET, effort=effort, aim=aim, feed=feed)
            if plan is None:
                continue
            print(f"{name}: input {image} B {'fed' if feed else 'held'}")
            for price in frontier(plan):
                print(f"  {price.ram_bytes} B, {price.factor:.2f} times, {price.tiles} tiles")


if __name__ == "__main__":
    main(sys.argv[1:])
