# SPDX-License-Identifier: Apache-2.0
"""The text report on screens of different widths."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import sample_budget

from mcuplan.findings import Finding, Severity
from mcuplan.record import Needs, Way
from mcuplan.report import Look, render
from mcuplan.report._advice import way_rows
from mcuplan.report._text import finding_lines


@pytest.mark.parametrize("width", [80, 100, 160])
def test_lines_keep_to_the_screen(width: int) -> None:
    """No line is wider than the screen, and a wider one is used."""
    lines = render("text", sample_budget(), Look(every_layer=True, verbose=True, width=width))
    longest = max(map(len, lines.split("\n")))
    assert longest <= width
    assert width == 80 or longest > 80


def test_a_long_name_beside_long_facts_keeps_to_the_screen() -> None:
    """The name of the model gives way to what stands beside it."""
    budget = sample_budget()
    model = replace(budget.model, name="a_long_name_of_a_file.q.onnx", dtype="int8 (QOperator)")
    model = replace(model, nodes=1048, steps=1048)
    lines = render("text", replace(budget, model=model), Look()).split("\n")
    assert max(map(len, lines)) <= 80
    assert "sha256 " + model.sha256[:8] in lines[0]


def test_large_plans_keep_to_the_screen() -> None:
    """What is not proved of a plan of many bytes takes a second line."""
    budget = sample_budget()
    peak = replace(budget.peak, lower_bound_bytes=1_234_567, optimal_order=False)
    text = render("text", replace(budget, peak=peak), Look(every_layer=True))
    assert "order not proved" in text
    assert max(map(len, text.split("\n"))) <= 80


def test_no_cycles_have_no_rate() -> None:
    """No step takes no time, not "0 per second"; a slow one is not at "476 m per second"."""
    budget = sample_budget()
    latency = replace(budget.latency, cycles=0, seconds=0.0, throughput_hz=0.0)
    assert "0.476 per second" in render("text", budget, Look(width=100))
    assert "per second" not in render("text", replace(budget, latency=latency), Look())


def test_options_wider_than_their_column_are_all_there() -> None:
    """Ways that differ only in their first options are told apart, on rows below."""
    ways = [
        Way(
            (
                "--reshape",
                f"separable=/{layer}/Conv",
                "--streaming input",
                "--objective ram=strict",
            ),
            needs=Needs.RETRAINING,
            fits=False,
            ram_bytes=1,
            flash_bytes=1,
            cycles=1,
        )
        for layer in (3, 7)
    ]
    rows = way_rows(ways, Look())
    named = " ".join(row[1].strip() for row in rows)
    assert max(len(row[1]) for row in rows) <= 40
    assert len({len(row) for row in rows}) == 1
    for way in ways:
        assert " ".join(way.options) in named


def test_a_fused_name_is_told_by_its_first() -> None:
    """A place that a converter made of several names is one line; a plain one stays whole."""
    finding = Finding("ram/over-budget", Severity.ERROR, "m", "a/Relu;a/BiasAdd;a/Conv2D", "h")
    assert "  where: a/Relu;.. (2 more names)" in finding_lines(finding)
    assert "  where: /a/Conv" in finding_lines(replace(finding, where="/a/Conv"))
