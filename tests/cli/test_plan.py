# SPDX-License-Identifier: Apache-2.0
"""What ``plan`` says beyond the report of the other commands."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from small_nets import small_net

from mcuplan.cli import run

BOARD = "nucleo-f446re"
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model file in the current folder, without variables of ours."""
    for name in [name for name in os.environ if name.startswith("MCUPLAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    small_net().save(tmp_path / "net.onnx")
    return "net.onnx"


def test_plan_says_what_each_level_bought(model: str, capsys: Captured) -> None:
    """Only ``plan`` shows the levels; from one to the next the arena falls to that of the plan."""
    assert 0 == run(["plan", model, "-t", BOARD, "-f", "json"])
    report = json.loads(capsys.readouterr().out)
    names = ["naive", "order", "in place", "overlap", "streaming", "placement"]
    arenas = [level["arena_bytes"] for level in report["levels"]]
    assert names == [level["name"] for level in report["levels"]]
    assert arenas == sorted(arenas, reverse=True)
    assert arenas[0] > arenas[-1] == report["ram"]["arena_bytes"]
    assert 0 == run(["check", model, "-t", BOARD, "-f", "json"])
    assert "levels" not in json.loads(capsys.readouterr().out)


def test_the_frontier_is_printed_if_asked_for(model: str, capsys: Captured) -> None:
    """Prices of recompute for every limit, in both forms, and that there is no code for them."""
    command = ["plan", model, "-t", BOARD, "--io-layout", "nhwc"]
    assert 0 == run([*command, "-f", "json", "--frontier"])
    prices = json.loads(capsys.readouterr().out)["frontier"]
    assert [1.0, 1.1, 1.3, 1.5] == [price["limit"] for price in prices]
    ram = [price["ram_bytes"] for price in prices]
    assert ram == sorted(ram, reverse=True)
    assert 0 == run([*command, "--frontier"])
    text = " ".join(capsys.readouterr().out.split())
    assert f"x 1.0 {ram[0]:,} B" in text
    assert "code for tiles is not generated" in text
    assert 0 == run([*command, "-f", "json"])
    assert "frontier" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("how", ["off", "input"])
def test_the_frontier_needs_rows_and_an_input(model: str, how: str, capsys: Captured) -> None:
    """Without rows, and with an input that is fed, prices of tiles make no sense."""
    command = ["plan", model, "-t", BOARD, "--io-layout", "nhwc", "--frontier"]
    assert 2 == run([*command, "--streaming", how])
    assert f"--streaming {how}" in capsys.readouterr().err


def test_kept_inputs_cost_arena(model: str, capsys: Captured) -> None:
    """An input that is kept, and an output that is, never make the arena smaller."""
    arenas = []
    for more in ([], ["--keep-input"], ["--keep-input", "--keep-output"]):
        assert 0 == run(["plan", model, "-t", BOARD, "-f", "json", *more])
        report = json.loads(capsys.readouterr().out)
        arenas.append(report["ram"]["arena_bytes"])
        assert arenas[-1] == report["levels"][-1]["arena_bytes"]
    assert arenas == sorted(arenas)
    assert arenas[0] < arenas[-1]


@pytest.mark.parametrize("keep", [False, True])
def test_the_header_says_whether_the_input_is_kept(model: str, keep: bool) -> None:
    """With --keep-input the header promises that the input stays; its stack is the budget's."""
    command = ["generate", model, "-t", BOARD, "--calibration", "random", "-o", "out", "-q"]
    assert 0 == run([*command, *(["--keep-input"] if keep else [])])
    header = Path("out/net.h").read_text()
    assert keep == ("is kept: it may be used again" in header)
    assert keep != ("is overwritten: write it anew" in header)
    report = json.loads(Path("out/net.report.json").read_text())
    assert f" * Stack: about {report['ram']['stack_bytes']} bytes, modelled" in header
    assert keep == ("only the input and output in it mean something" in header)
    assert keep == ("keep-input" in header)


@pytest.mark.parametrize("effort", ["fast", "thorough"])
def test_effort_is_for_the_order(model: str, effort: str, capsys: Captured) -> None:
    """A chain has one order, found with any effort."""
    command = ["plan", model, "-t", BOARD, "-f", "json", "--streaming", "off"]
    assert 0 == run([*command, "--effort", effort])
    assert json.loads(capsys.readouterr().out)["peak"]["optimal_order"]


def test_rows_have_a_limit(model: str, capsys: Captured) -> None:
    """What a row of the input takes is said, and kept where a limit is given and can be."""
    command = ["check", model, "-t", BOARD, "-f", "json", "--streaming", "input"]
    assert 0 == run(command)
    latency = json.loads(capsys.readouterr().out)["latency"]
    feed = latency["feed"]
    rows = feed["rows"]
    assert 0 < feed["slowest_cycles"] < latency["cycles"]
    assert latency["cycles"] <= (rows - 1) * feed["slowest_cycles"] + feed["last_cycles"]
    assert feed["slowest_row"] < rows - 1
    limit = f"{1e6 * feed['slowest_seconds'] / 9:.6f}us"
    assert 1 == run([*command, "--max-row-latency", limit])
    report = json.loads(capsys.readouterr().out)
    found = {f["code"]: f for f in report["verdict"]["findings"]}
    assert "--objective latency" in found["latency/row-over-budget"]["hint"]
    assert report["latency"]["feed"]["slowest_cycles"] <= feed["slowest_cycles"]
    assert 2 == run(["check", model, "-t", BOARD, "--max-row-latency", "1ms"])
    assert "--streaming input" in capsys.readouterr().err


def test_what_is_left_has_a_limit(model: str, capsys: Captured) -> None:
    """After the last row calls keep the limit; a layer whose row alone takes longer is named."""
    command = ["check", model, "-t", BOARD, "--streaming", "input", "--max-row-latency"]
    assert 0 == run([*command, "10ms", "-f", "json"])
    at_once = json.loads(capsys.readouterr().out)["latency"]["feed"]
    assert "finish" not in at_once
    limit = max(1.01 * at_once["slowest_seconds"], 0.3 * at_once["last_seconds"])
    assert 0 == run([*command, f"{1e6 * limit:.6f}us", "-f", "json"])
    feed = json.loads(capsys.readouterr().out)["latency"]["feed"]
    finish = feed["finish"]
    assert 0 == finish["over"]
    assert finish["slowest_seconds"] <= limit
    assert feed["last_seconds"] <= (finish["calls"] + 1) * finish["slowest_seconds"]
    assert 1 == run([*command, "1us", "-f", "json"])
    report = json.loads(capsys.readouterr().out)
    finish, layers = report["latency"]["feed"]["finish"], {r["name"] for r in report["layers"]}
    (found,) = (f for f in report["verdict"]["findings"] if f["where"] in layers)
    assert (finish["slowest_layer"], finish["slowest_alone"]) == (found["where"], True)
    assert f"{finish['over']} of {finish['calls'] + 1} calls" in found["message"]
    assert 1 == run([*command, "1us"])
    assert f"in {finish['calls'] + 1} calls of at most" in re.sub(
        r"\s+", " ", capsys.readouterr().out
    )


def test_streaming_is_a_level(model: str, capsys: Captured) -> None:
    """By rows the arena is smaller, by rows that are fed smaller still; the report says both."""
    arenas, command = {}, ["plan", model, "-t", BOARD, "-f", "json", "--io-layout", "nhwc"]
    for how in ("off", "auto", "input"):
        assert 0 == run([*command, "--streaming", how])
        report = json.loads(capsys.readouterr().out)
        arenas[how] = report["ram"]["arena_bytes"]
        levels = {level["name"]: level["arena_bytes"] for level in report["levels"]}
        assert ("streaming" in levels) == (how != "off") == bool(report["streams"])
        assert arenas[how] == levels["placement"]
        if how != "off":
            both = [report["ram"][f"arena_input_{word}_bytes"] for word in ("resident", "fed")]
            assert arenas[how] == both[how == "input"]
    assert arenas["input"] < arenas["auto"] < arenas["off"]


def test_an_input_that_cannot_be_fed_is_refused(model: str, capsys: Captured) -> None:
    """A kept input cannot arrive row by row: wrong usage, with a way out."""
    command = ["plan", model, "-t", BOARD, "--streaming", "input", "--keep-input"]
    assert 2 == run(command)
    said = capsys.readouterr().err
    assert "--streaming input: the input is to be kept" in said
    assert "--streaming auto" in said
    assert 0 == run([*command[:-1]])
    assert "fed row by row" in capsys.readouterr().out
