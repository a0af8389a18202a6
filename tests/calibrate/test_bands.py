# SPDX-License-Identifier: Apache-2.0
"""Which channels of an output are judged apart from others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nets import Net, imported

from mcuplan.calibrate.bands import Extents, of_one_unit
from mcuplan.passes import run


def _matrix(net: Net) -> str:
    return net.add("MatMul", "x", net.random(6, 4))


def _turned(net: Net, x: str) -> str:
    return net.add("Transpose", x, perm=[0, 2, 1])


OUTPUTS: dict[str, tuple[Callable[[Net], str], bool]] = {
    "shares": (lambda net: net.add("Softmax", _matrix(net), axis=-1), True),
    "shares, moved": (lambda net: _turned(net, net.add("Softmax", _matrix(net), axis=-1)), True),
    "gates, moved": (lambda net: _turned(net, net.add("Sigmoid", _matrix(net))), True),
    "sums": (_matrix, False),
    "sums, moved": (lambda net: _turned(net, _matrix(net)), False),
    "gated sums": (lambda net: net.add("Mul", net.add("Sigmoid", "x"), "x"), False),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_moves_an_output_is_no_unit_of_its_own(name: str, tmp_path: Path) -> None:
    """Results of one bounded function lie on one scale, wherever they are moved."""
    make, wanted = OUTPUTS[name]
    net = Net((1, 3, 6))
    graph = run(imported(net.model(make(net)), tmp_path))
    assert [wanted] == [of_one_unit(graph, port) for port in graph.outputs]


def test_channels_are_in_bands_by_their_width() -> None:
    """Less than eight times narrower than the widest is its band; what hardly varies says none."""
    values = np.random.default_rng(0).uniform(-1.0, 1.0, (1, 20, 5))
    seen = Extents()
    seen.update(values * [100.0, 30.0, 1.0, 0.9, 1e-9])
    bands = seen.bands()
    assert (bands.axis, bands.of, bands.count) == (2, (0, 0, 1, 1, 0), 2)
    sums = bands.sums(np.ones((1, 20, 5)))
    assert sums == [60.0, 40.0]
