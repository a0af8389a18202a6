# SPDX-License-Identifier: Apache-2.0
"""A dumped graph reads line by line."""

from __future__ import annotations

from pathlib import Path

from nets import Net, imported

from mcuplan.ir.text import dump
from mcuplan.passes import run


def test_one_line_for_each_node(tmp_path: Path) -> None:
    """Names, operator, attributes that are not the default, shapes and grids."""
    net = Net((1, 1, 4, 4))
    x = net.quantize("x", 0.5, 3)
    x = net.quantize(net.add("Relu", net.conv(x, 1, 2)), 0.25, -128)
    text = dump(run(imported(net.model(x), tmp_path)))
    assert "input x: x float32[1,1,4,4] @0.5-3" == text.splitlines()[0]
    assert (
        "Conv2D[kernel=(3,3) pads=(1,1,1,1) act=(0.0,inf)]"
        "(quantizelinear0_t, <float32[2,3,3,1]>, <float32[2]>)  # node_conv2" in text
    )
    assert "float32[1,4,4,2] @0.25+128 = " in text
    assert text.endswith("\n")


def test_hostile_names_stay_on_their_line(tmp_path: Path) -> None:
    """Newlines and quotes of a model's names are escaped."""
    net = Net((1, 4))
    model = net.model(net.add("Tanh", "x"))
    model.graph.node[0].name = 'a\n" b'
    lines = dump(imported(model, tmp_path)).splitlines()
    assert 3 == len(lines)
    assert r"a\n" in lines[1]
