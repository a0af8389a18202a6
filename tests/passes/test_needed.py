# SPDX-License-Identifier: Apache-2.0
"""Grids hold no values that readers do not tell apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nets import Net

from mcuplan.importer import load_model
from mcuplan.ir.graph import Graph
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.passes import run
from mcuplan.passes.assign_grids import assign_grids, needs_range
from mcuplan.passes.needed import needed
from tests.importer.onnx_files import save


def _sum(folder: Path, op: str, *limits: float, shown: bool = False) -> Graph:
    """A sum of two convolutions behind limits; ``shown``: the first one is read elsewhere, too."""
    net = Net((1, 3, 4, 5))
    a, b = net.conv("x", 3, 4), net.conv("x", 3, 4)
    y = net.add("Clip", net.add(op, a, b), *map(net.const, limits)) if limits else ""
    y = y or net.add("Relu", net.add(op, a, b))
    y = net.add("Concat", y, a, axis=1) if shown else y
    return run(load_model(save(folder, net.model(y))).graph)


@pytest.mark.parametrize("op", ["Add", "Sub"])
@pytest.mark.parametrize("limits", [(), (-1.5, 6.0), (0.5, 2.0)])
@pytest.mark.parametrize("seed", range(4))
def test_no_output_changes(tmp_path: Path, op: str, limits: tuple[float, float], seed: int) -> None:
    """Operands without what is not needed give the same sum behind its limits, bit for bit."""
    graph = _sum(tmp_path, op, *limits)
    (node,) = (n for n in graph.nodes if isinstance(n.op, Add | Sub))
    drawn = np.random.default_rng(seed)
    lows = dict(zip(node.inputs, (-9.0, -2.0), strict=True))
    ends = {name: (low, drawn.uniform(1, 3)) for name, low in lows.items()}
    kept = needed(graph, ends)
    real = [np.append(drawn.uniform(*ends[n], 4000), ends[n]) for n in node.inputs]
    cut = [np.clip(r, *kept[n]) for r, n in zip(real, node.inputs, strict=True)]
    assert any((a != b).any() for a, b in zip(real, cut, strict=True))
    (wanted,), (found,) = (node.op.reference(*operands) for operands in (real, cut))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def test_a_grid_ends_where_the_sum_is_0(tmp_path: Path) -> None:
    """Of operands from -8 to 2, what is below -2 makes a Relu 0; an output shows it all."""
    grids = []
    for shown in (False, True):
        graph = _sum(tmp_path, "Add", shown=shown)
        (node,) = (n for n in graph.nodes if isinstance(n.op, Add))
        seen = dict.fromkeys(needs_range(graph), (-8.0, 2.0))
        made = assign_grids(graph, seen).graph
        grids.append([made.tensor(name).type.q.ends for name in node.inputs])
    (a, b), (whole, other) = grids
    assert pytest.approx((-2.0, 2.0), abs=0.01) == a == b == other
    assert pytest.approx((-8.0, 2.0), abs=0.03) == whole
