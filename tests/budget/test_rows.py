# SPDX-License-Identifier: Apache-2.0
"""Figures of plans that work by rows."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from small_nets import small_net

import mcuplan.report
from mcuplan import pipeline
from mcuplan.budget import assess
from mcuplan.record import Budget, Planned, Request
from mcuplan.report import Look, render
from mcuplan.schedule.explore.variants import Explored, input_arenas
from mcuplan.schedule.program import FEED, Streaming
from mcuplan.targets import load_target


def planned(folder: Path, streaming: Streaming) -> Planned:
    """The small net planned by rows, grids made up."""
    path = small_net().save(folder / "net.onnx")
    target = load_target("nucleo-f446re")
    request = Request(path, target, io_layout="nhwc", streaming=streaming)
    return pipeline.plan(request, sizes_only=True)


@pytest.fixture(scope="module", params=["auto", "input"])
def streamed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """The small net with its input held, and fed."""
    made = planned(tmp_path_factory.mktemp("rows"), request.param)
    assert not made.plan.is_straight
    assert (request.param == "input") == bool(made.plan.fed_rows)
    return made


@pytest.fixture(scope="module")
def budget(streamed: Planned) -> Budget:
    """Its report."""
    return assess(streamed, explored=Explored(input_arenas=input_arenas(streamed)))


def test_the_peak_is_the_most_live_bytes(budget: Budget) -> None:
    """The bytes of the peak are those of the buffers alive at its move, and of its step."""
    peak = budget.peak
    assert peak.move is not None
    live = [0] * max(b.end for b in budget.buffers)
    for buffer in budget.buffers:
        if buffer.alias_of is None:
            for move in range(buffer.start, buffer.end):
                live[move] += buffer.bytes
    assert max(live) == live[peak.move] == peak.live_bytes
    assert max(row.live_bytes for row in budget.layers) <= peak.live_bytes
    if peak.step >= 0:
        assert budget.layers[peak.step].live_bytes == peak.live_bytes
    assert peak.live_bytes <= budget.ram.arena_bytes


def test_every_row_is_a_buffer(streamed: Planned, budget: Budget) -> None:
    """Rows that lie apart are all listed, inside the arena, and none alive share a byte."""
    graph = streamed.plan.program.graph
    for tensor in (name for name, slots in streamed.plan.allocation.rows.items() if slots[1:]):
        name, kind = graph.tensor_name(tensor), graph.tensor(tensor).type
        rows = [b for b in budget.buffers if b.name == name and b.row is not None]
        assert list(range(kind.rows)) == sorted(b.row for b in rows if b.row is not None)
        assert {kind.row_bytes} == {b.bytes for b in rows}
    own = [b for b in budget.buffers if b.alias_of is None]
    for i, one in enumerate(own):
        assert one.offset + one.bytes <= budget.ram.arena_bytes
        for two in own[:i]:
            if one.start < two.end and two.start < one.end:
                assert one.offset + one.bytes <= two.offset or two.offset + two.bytes <= one.offset


def test_streams_are_the_steps_that_alternate(streamed: Planned, budget: Budget) -> None:
    """Every step with several runs is in one stream, and no stream needs more than the arena."""
    counts = [0] * len(budget.layers)
    for run in streamed.plan.runs:
        counts[run.step] += run.step != FEED
    members = [step for stream in budget.streams for step in stream.layers]
    assert sorted(members) == sorted(set(members))
    assert {step for step, count in enumerate(counts) if count > 1} <= set(members)
    assert all(
        0 < stream.rows and stream.bytes <= budget.peak.live_bytes for stream in budget.streams
    )


def test_both_arenas_are_named(budget: Budget) -> None:
    """The report has the arena with the input held and fed; one of them is the plan's."""
    ram = budget.ram
    assert ram.arena_input_resident_bytes is not None
    assert ram.arena_input_fed_bytes is not None
    assert ram.arena_input_fed_bytes < ram.arena_input_resident_bytes
    assert ram.arena_bytes in (ram.arena_input_fed_bytes, ram.arena_input_resident_bytes)
    text = render("text", budget, Look(every_layer=True))
    assert f"{ram.arena_input_fed_bytes:,} B fed row by row" in text
    assert re.search(r"peak   (step \d+ row|row \d+ of)", text)
    assert max(map(len, text.splitlines())) <= 80


def test_json_of_rows_follows_the_schema(budget: Budget) -> None:
    """The report of a plan by rows validates, and says more than one of whole tensors."""
    schema = Path(mcuplan.report.__file__).parent / "schema.json"
    report = json.loads(render("json", budget))
    jsonschema.validate(report, json.loads(schema.read_text(encoding="utf-8")))
    assert {"row", "move"} <= set(report["peak"])
    assert report["streams"]


def test_the_map_draws_every_row(budget: Budget) -> None:
    """Each tensor's rows are counted in its title; it has one colour, other tensors another."""
    svg = render("svg", budget)
    counts = {
        name: int(count.replace(",", ""))
        for name, count in re.findall(r"<title>([^<]+?): ([\d,]+) rows? of [\d,]+ B", svg)
    }
    rows = [b for b in budget.buffers if b.alias_of is None and b.row is not None]
    assert counts == Counter(name for name, _ in {(b.name, b.row) for b in rows})
    groups = re.findall(r'<g class="buffer">\n<title>([^<]+?): (.*?)</g>', svg, re.S)
    found = {name: set(re.findall(r'fill="(hsl\(.*?\))"', drawn)) for name, drawn in groups}
    colours = {name: each for name, each in found.items() if each}
    assert all(1 == len(each) for each in colours.values())
    assert len(colours) == len({c for each in colours.values() for c in each})
    assert {b.name for b in rows if b.kind == "activation"} <= set(colours)
