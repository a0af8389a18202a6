# SPDX-License-Identifier: Apache-2.0
"""Every report format on budgets written by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from report_samples import (
    HOSTILE,
    NASTY,
    Tags,
    hostile_budget,
    sample_board,
    sample_budget,
    sample_fits,
    sample_layer,
    sample_undecided,
)

import mcuplan.report
from mcuplan.record import (
    Accuracy,
    Budget,
    BufferRow,
    ByClass,
    Calibration,
    ClassRecall,
    LayerNoise,
    ObserverTrial,
    Stream,
    Undecided,
)
from mcuplan.report import Look, format_names, render
from mcuplan.safe_text import plain
from mcuplan.units import Origin

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads(
    (Path(mcuplan.report.__file__).parent / "schema.json").read_text(encoding="utf-8")
)
SAMPLES = {"over": sample_budget, "fits": sample_fits, "undecided": sample_undecided}


@pytest.mark.parametrize("name", format_names())
@pytest.mark.parametrize("case", sorted(SAMPLES))
def test_golden(name: str, case: str, request: pytest.FixtureRequest) -> None:
    """A report looks as it was reviewed."""
    text = render(name, SAMPLES[case]())
    path = GOLDEN / f"{case}.{name}"
    if request.config.getoption("--update-golden", default=False):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_golden_of_a_board(name: str, request: pytest.FixtureRequest) -> None:
    """Cycles of a board are the sum of those of the core and what it waits, by cause."""
    budget = sample_board()
    text = render(name, budget, Look(every_layer=True))
    path = GOLDEN / f"board.{name}"
    if request.config.getoption("--update-golden", default=False):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
    report = json.loads(render("json", budget))
    jsonschema.validate(report, SCHEMA, cls=jsonschema.Draft202012Validator)
    latency = report["latency"]
    stalls = latency["stall_cycles"]
    assert {"measured", "modelled"} == {latency["core_origin"], stalls.pop("origin")}
    assert latency["cycles"] == latency["core_cycles"] + sum(stalls.values())


def _noisy() -> Budget:
    """The sample with noise of its layers, classes, and what calibration compared."""
    budget = sample_budget()
    noise = LayerNoise(21.25, 33.5, 0.0125)
    recalls = (ClassRecall(0, 90, 0.95, 0.9), ClassRecall(1, 10, 0.8, 0.6))
    classes = ByClass(0.91, 0.88, 1, recalls, 0.97, 0.96)
    run = replace(
        budget.verification[0],
        accuracy=Accuracy("top-1", 0.93, 0.87, classes),
        changed=tuple(range(3, 17)),
    )
    return replace(
        budget,
        layers=(replace(budget.layers[0], noise=noise), *budget.layers[1:]),
        verification=(run, *budget.verification[1:]),
        calibration=Calibration(80, 20, "mse", 1.5, (ObserverTrial("mse", 31.5),)),
    )


def test_noise_of_layers_and_classes_is_shown_with_all() -> None:
    """Columns of the layers and what single classes show; in JSON always."""
    budget = _noisy()
    text = " ".join(render("text", budget, Look(every_layer=True)).split())
    assert "dB alone cut %" in text
    assert "21.2 33.5 1.25" in text
    assert "worst class 1: recall 0.6 of 10 samples (0.8 of the model)" in text
    assert "F1 of the model 0.91, of the code 0.88" in text
    assert "other decision on samples 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 4 more" in text
    assert "alone" not in render("text", budget, Look())
    report = json.loads(render("json", budget))
    jsonschema.validate(report, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert {"sqnr_db": 21.25, "alone_db": 33.5, "saturated": 0.0125} == report["layers"][0]["noise"]
    assert 1.5 == report["calibration"]["gain_db"]


@pytest.mark.parametrize("name", format_names())
@pytest.mark.parametrize("case", sorted(SAMPLES))
def test_no_control_characters(name: str, case: str) -> None:
    """No name of a model brings a control character into a report."""
    text = render(name, SAMPLES[case](), Look(unicode=True, every_layer=True, verbose=True))
    assert [] == [c for c in text if not c.isprintable() and c != "\n"]
    assert not text or text.endswith("\n")


@pytest.mark.parametrize("case", sorted(SAMPLES))
def test_json_follows_the_schema(case: str) -> None:
    """The JSON report validates against the shipped schema."""
    report = json.loads(render("json", SAMPLES[case]()))
    jsonschema.validate(report, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_schema_refuses_what_it_should() -> None:
    """A missing key, a stray key and a wrong type are all refused."""
    good = json.loads(render("json", sample_budget()))
    missing = {k: v for k, v in good.items() if k != "ram"}
    stray = {**good, "ram": {**good["ram"], "heap_bytes": 1}}
    wrong = {**good, "flash": {**good["flash"], "weights_bytes": 1.5}}
    for bad in (missing, stray, wrong):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, SCHEMA, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("report", [sample_budget(), sample_fits(), sample_undecided()])
def test_text_fits_the_terminal(report: Budget | Undecided) -> None:
    """Text is plain ASCII of at most 80 columns, without colour, unless asked for."""
    text = render("text", report, Look(every_layer=True, verbose=True))
    assert text.isascii()
    assert "\x1b" not in text
    assert 80 >= max(len(line) for line in text.splitlines())


def test_text_colours_only_the_verdict() -> None:
    """Colour is for the verdict; without it the words are the same."""
    coloured = render("text", sample_budget(), Look(colour=True))
    assert "\x1b[1;31mOVER BUDGET\x1b[0m" in coloured
    assert render("text", sample_budget()) == re.sub(r"\x1b\[[0-9;]*m", "", coloured)


def test_text_folds_long_tables() -> None:
    """Of many layers the biggest are shown, the peak always, and --all shows every one."""
    layers = tuple(sample_layer(i, f"layer{i}", 1_000 + i, 10) for i in range(40))
    budget = sample_budget()
    budget = replace(budget, layers=layers, peak=replace(budget.peak, step=3, layer="layer3"))
    folded = render("text", budget)
    assert "layer3" in folded
    assert "31 more steps, none above 1,031 B" in folded
    assert "layer5 " not in folded
    assert "layer5 " in render("text", budget, Look(every_layer=True))


def test_passing_text_is_short() -> None:
    """A model that fits needs a dozen lines."""
    assert 14 >= len(render("text", sample_fits()).splitlines())


def test_junit_is_xml_with_the_failure() -> None:
    """JUnit parses, counts its failures, and names the budget that broke."""
    root = ElementTree.fromstring(render("junit", sample_budget()))
    failures = root.findall(".//testcase[@name='ram']/failure")
    assert ["ram/over-budget"] == [f.get("type") for f in failures]
    assert str(len(root.findall(".//failure"))) == root.get("failures")
    assert str(len(root.findall(".//testcase"))) == root.get("tests")
    undecided = ElementTree.fromstring(render("junit", sample_undecided()))
    assert 2 == len(undecided.findall(".//error"))


def test_markdown_tables_keep_their_columns() -> None:
    """No name adds a column to a Markdown table, starts a tag or ends a line."""
    lines = render("markdown", sample_budget()).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert {5, 8} == {line.count("|") for line in rows}
    assert not any("<2>" in line for line in lines)


def test_github_lines_are_commands() -> None:
    """Each finding is one workflow command on one line."""
    lines = render("github", sample_budget()).splitlines()
    assert ["::error ", "::notice "] == [re.match(r"::\w+ ", line)[0] for line in lines]  # type: ignore[index]


def test_sarif_names_rules() -> None:
    """Each SARIF result points at its rule, and the rule says what to do."""
    run = json.loads(render("sarif", sample_budget()))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert ["ram/over-budget", "target/generic-sizes"] == [r["id"] for r in rules]
    assert [0, 1] == [r["ruleIndex"] for r in run["results"]]
    assert all(rule["help"]["text"] for rule in rules)


def test_json_keeps_the_name() -> None:
    """Machines get the name as the model has it."""
    report = json.loads(render("json", sample_budget()))
    assert NASTY == report["layers"][1]["name"]
    assert {"metric", "float", "integer"} == set(report["verification"][0]["accuracy"])
    fits = json.loads(render("json", sample_fits()))
    assert not {"baseline", "levels", "verification"} & set(fits)


def test_map_shows_every_buffer() -> None:
    """The map parses, has one rectangle per buffer in its place, and says its figures on hover."""
    root = ElementTree.fromstring(render("svg", sample_budget()))
    space = {"s": "http://www.w3.org/2000/svg"}
    buffers = root.findall(".//s:g[@class='buffer']", space)
    kinds = [g.find("s:rect", space).get("class").split()[0] for g in buffers]  # type: ignore[union-attr]
    assert ["own", "io", "scratch", "io"] == kinds
    titles = [str(g.findtext("s:title", "", space)) for g in buffers]
    assert (
        "conv1: 61,440 B (activation)\naddresses 1,200 to 62,640\nsteps 0 to 1\nmade by conv1"
        == titles[0]
    )
    assert "/part: 9,280 B from 62,640" in titles[1]
    big, small = (g.find("s:rect", space) for g in buffers[:2])
    assert big is not None
    assert small is not None
    bottom = float(small.get("y", "")) + float(small.get("height", ""))
    assert float(big.get("y", "")) == pytest.approx(bottom, abs=0.02)
    lines = [line.get("class") for line in root.iter(f"{{{space['s']}}}line")]
    assert 1 == lines.count("budget")
    assert 1 == lines.count("bound")


@pytest.mark.parametrize("case", sorted(SAMPLES))
def test_pictures_need_nothing_else(case: str) -> None:
    """Pictures are ASCII, run no script, load nothing, and no name becomes a tag."""
    text = render("svg", SAMPLES[case]())
    assert text.isascii()
    assert "<2>" not in text
    assert not re.search(r"<script|javascript:|\son\w+=|src=|url\(|@import", text)
    assert ["http://www.w3.org/2000/svg"] * len(re.findall("<svg", text)) == re.findall(
        r"https?://[^\"]*", text
    )


@pytest.mark.parametrize("name", ["svg", "junit"])
def test_hostile_names_are_text(name: str) -> None:
    """A name full of markup opens no tag, closes none, and reads as it is printed elsewhere."""
    text = render(name, hostile_budget())
    ElementTree.fromstring(text)
    page = Tags()
    page.feed(text)
    assert [] == page.open
    assert "script" not in page.seen
    shown = plain(HOSTILE, unicode=name != "junit")
    assert any(shown in text for text in page.texts)


def test_templates_escape_everything() -> None:
    """No template turns escaping off, or takes a value as markup."""
    folder = Path(mcuplan.report.__file__).parent / "templates"
    files = sorted(folder.iterdir())
    assert files
    wrong = re.compile(r"autoescape|\|\s*safe\b|Markup")
    assert [] == [file.name for file in files if wrong.search(file.read_text(encoding="utf-8"))]


def test_the_legend_names_every_colour() -> None:
    """Each activation has a colour, and each colour stands in the legend with its name."""
    budget = sample_budget()
    rows = [
        BufferRow(f"t{i % 9}", "sram", 100 * i, 100, i, i + 2, None, "activation", i)
        for i in range(27)
    ]
    by_rows = replace(budget, buffers=tuple(rows), peak=replace(budget.peak, move=1))
    for shown in (budget, by_rows):
        root = ElementTree.fromstring(render("svg", shown))
        space = {"s": "http://www.w3.org/2000/svg"}
        drawn = {r.get("fill") for r in root.findall(".//s:g[@class='buffer']/*", space)} - {None}
        legend = [r.get("fill") for r in root.findall("./s:g/s:rect", space) if r.get("fill")]
        own = {row.name for row in shown.buffers if row.kind == "activation"} - {f"{NASTY}/part"}
        assert len(own) == len(drawn) == len(legend)
        assert drawn == set(legend)
        texts = {text.text for text in root.iter(f"{{{space['s']}}}text")}
        assert own <= texts


def test_counted_cycles_are_said_once() -> None:
    """Where the speed is what was counted, the run on the emulator does not say it again."""
    board = sample_board()
    assert "204 M cycles (201 M of the core)" in render("text", board)
    counted = replace(board, latency=replace(board.latency, origin=Origin.MEASURED))
    text = render("text", counted)
    assert "of the core" not in text
    assert "counted on the emulator" in text


def test_a_step_alone_runs_by_rows() -> None:
    """Steps that run row by row are named from the first to the last, or the one."""
    streams = (Stream((3,), 8, 96), Stream((0, 1), 16, 128))
    text = render("text", replace(sample_budget(), streams=streams), Look(every_layer=True))
    assert "rows   step 3 runs row by row, 8 rows, at most 96 B held" in text
    assert "rows   steps 0 to 1 run row by row, 16 rows, at most 128 B held" in text
