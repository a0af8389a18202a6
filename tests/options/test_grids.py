# SPDX-License-Identifier: Apache-2.0
"""Grids of forms: every combination once, under one name, as `check --reshape` takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

import mcuplan
from mcuplan.errors import UsageError
from mcuplan.options.grids import columns, parse_axis, points
from mcuplan.passes.template import parse_change

NET = Path(__file__).parents[2] / "models" / "digits_dscnn" / "model.onnx"


def _columns(words: tuple[str, ...]) -> dict[str, object]:
    return dict(columns([parse_change(word) for word in words]))


def test_each_combination_is_there_once() -> None:
    """The last axis is the fastest; what is written twice or in another way is one value."""
    axes = [parse_axis("width=0.25,.250,1.0"), parse_axis("input=96, 96x96,96x64")]
    found = list(points(axes))
    assert [
        ("width=0.25", "input=96"),
        ("width=0.25", "input=96x64"),
        ("input=96",),
        ("input=96x64",),
    ] == found
    assert {"width": 0.25, "input": "96x64"} == _columns(found[1])
    assert {"width": 1.0, "input": "96"} == _columns(found[2])
    assert [()] == list(points([]))
    assert {"width": 1.0, "input": ""} == _columns(())


@pytest.mark.parametrize("wrong", ["", "width", "width=", "width=0.5,,1", "separable=a", "input=0"])
def test_what_is_no_axis_is_said(wrong: str) -> None:
    """Also a value that is missing between others."""
    with pytest.raises(ValueError, match=r"write (width|input)=") as found:
        parse_axis(wrong)
    assert "LAYER" not in str(found.value)  # which --reshape takes, not --grid


def test_axes_are_one_each_and_points_are_bounded() -> None:
    """A grid that no machine finishes is wrong usage, not memory that fills."""
    with pytest.raises(UsageError, match="two axes width"):
        list(points([parse_axis("width=0.5"), parse_axis("width=0.25")]))
    many = ",".join(str(size) for size in range(1, 400))
    wide = parse_axis("width=" + ",".join(f"0.{i:03d}" for i in range(1, 400)))
    with pytest.raises(UsageError, match="159,201 points"):
        list(points([wide, parse_axis(f"input={many}")]))


def test_rows_of_a_grid_are_those_of_check() -> None:
    """More channels and more pixels need more of everything, and weights are placeholders."""
    axes = [parse_axis("width=0.5,1"), parse_axis("input=8,16")]
    found = {}
    for words in points(axes):
        report = mcuplan.check(NET, "cortex-m4", reshape=words, effort="fast")
        codes = {finding.code for finding in report.verdict.findings}
        assert "model/placeholder-weights" in codes
        found[words] = report.ram.total_bytes, report.flash.weights_bytes, report.totals.macs
    least, most = min(found.values()), max(found.values())
    assert found["width=0.5", "input=8"] == least
    assert found[("input=16",)] == most
    assert least[1] < most[1] / 2
    assert most[2] > 4 * found[("input=8",)][2] * 0.99
