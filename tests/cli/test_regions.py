# SPDX-License-Identifier: Apache-2.0
"""A target with two RAMs, from its file to the report and the generated folder."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from small_nets import Net

from mcuplan.cli import run

Captured = pytest.CaptureFixture[str]

_BOARD = """\
name = "two-rams"
extends = "cortex-m4"
clock_hz = 80_000_000
sources.clock_hz = "our clock tree"

[[region]]
name = "ccm"
kind = "ram"
bytes = {fast}
section = ".ccmram"
base = 0x10000000
source = "datasheet"

[[region]]
name = "sram"
kind = "ram"
bytes = {slow}
wait_states = 2
source = "datasheet"

[[region]]
name = "flash"
kind = "flash"
bytes = 262_144
source = "datasheet"
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model file in the current folder, without variables of ours."""
    for name in [name for name in os.environ if name.startswith("MCUPLAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    net = Net((1, 8, 16, 16))
    net.conv(8, 8, 3, pads=[1, 1, 1, 1], name="one").conv(8, 8, 3, pads=[1, 1, 1, 1], name="two")
    net.add("Flatten").dense(4, 2048).save(tmp_path / "net.onnx")
    return "net.onnx"


def _board(fast: int, slow: int) -> str:
    Path("board.toml").write_text(_BOARD.format(fast=fast, slow=slow))
    return "board.toml"


def _report(arguments: list[str], capsys: Captured, status: int = 0) -> dict[str, Any]:
    assert status == run([*arguments, "-f", "json"])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_the_report_has_every_region(model: str, capsys: Captured) -> None:
    """Regions, buffers and cycles of a divided plan agree, in JSON and as text."""
    whole = _report(["plan", model, "-t", _board(1 << 16, 1 << 16)], capsys)
    board = _board(2600, 4096)
    report = _report(["plan", model, "-t", board], capsys)
    schema = json.loads(Path(_schema()).read_text())
    jsonschema.validate(report, schema)
    rows = {row["name"]: row for row in report["regions"]}
    used = {buffer["region"] for buffer in report["buffers"]}
    assert {"ccm", "sram"} == used == {name for name, row in rows.items() if row["arena_bytes"]}
    for name in used:
        ends = [b["offset"] + b["bytes"] for b in report["buffers"] if b["region"] == name]
        assert max(ends) <= rows[name]["arena_bytes"] <= rows[name]["used_bytes"]
        assert rows[name]["left_bytes"] >= 0
    ram = report["ram"]
    assert sum(rows[name]["arena_bytes"] for name in used) == ram["arena_bytes"]
    assert rows["ccm"]["arena_bytes"] == rows["ccm"]["used_bytes"]
    assert 4 * len(used) == ram["static_bytes"]
    waiting = report["latency"]["wait_cycles"]
    assert waiting == sum(layer["wait_cycles"] for layer in report["layers"]) > 0
    cycles = sum(layer["cycles"] for layer in report["layers"])
    assert cycles + waiting == report["latency"]["cycles"]
    assert cycles <= whole["latency"]["cycles"]  # apart, no output is made among dead rows
    assert ("regions", ram["arena_bytes"]) == tuple(report["levels"][-1].values())[:2]
    assert 0 == run(["plan", model, "-t", board])
    text = capsys.readouterr().out
    for name in used:
        assert re.search(rf"^ {name} +{rows[name]['used_bytes']:,} B ", text, re.M)
    assert "wait states of RAM (modelled)" in text


def _schema() -> Path:
    import mcuplan.report

    return Path(mcuplan.report.__file__).with_name("schema.json")


def test_generate_writes_the_fragment(model: str, capsys: Captured) -> None:
    """The folder of a divided plan has a linker-script fragment, others have none."""
    command = ["generate", model, "--calibration", "random", "-q", "-o"]
    assert 0 == run([*command, "divided", "-t", _board(2600, 4096)])
    assert ".ccmram (NOLOAD) :" in Path("divided/net.ld").read_text()
    assert '#define NET_CCM_SECTION ".ccmram"' in Path("divided/net.h").read_text()
    assert 0 == run([*command, "plain", "-t", "cortex-m4"])
    assert not Path("plain/net.ld").exists()


def test_the_header_names_the_limits_that_shaped_the_code(model: str) -> None:
    """Who generates anew gives the same budgets."""
    limits = ["--max-ram", "64K", "--max-flash", "512K", "--max-latency", "2s"]
    command = ["generate", model, "-t", "cortex-m4", "--calibration", "random", "-q", *limits]
    assert 0 == run([*command, "-o", "out"])
    header = Path("out/net.h").read_text()
    assert "max-ram 65536, max-flash 524288, max-latency 2000ms" in header.replace("\n *", "")


def test_over_budget_names_the_region(model: str, capsys: Captured) -> None:
    """Where no division fits, the finding says which region is over."""
    report = _report(["check", model, "-t", _board(1024, 2048)], capsys, 1)
    (finding,) = [f for f in report["verdict"]["findings"] if f["severity"] == "error"]
    assert "ram/over-budget" == finding["code"]
    assert "region sram" in finding["message"]
    assert {"sram"} == {buffer["region"] for buffer in report["buffers"]}


def test_max_ram_is_for_all_regions(model: str, capsys: Captured) -> None:
    """--max-ram bounds the sum, and buffers stay together where that keeps it."""
    board = _board(2600, 1 << 16)
    free = _report(["check", model, "-t", board], capsys)
    one = _report(["check", model, "-t", "cortex-m4"], capsys)
    limit = one["ram"]["total_bytes"]
    assert free["ram"]["total_bytes"] > limit
    kept = _report(["check", model, "-t", board, "--max-ram", str(limit)], capsys)
    assert limit == kept["ram"]["total_bytes"] == kept["ram"]["budget_bytes"]
    assert {"sram"} == {buffer["region"] for buffer in kept["buffers"]}
    other = _report(["check", model, "-t", board, "--max-ram", str(limit - 1)], capsys)
    assert other["ram"]["total_bytes"] < limit
    assert "instead of balanced" in other["selection"]["statement"]
    report = _report(["check", model, "-t", board, "--max-ram", str(limit // 2)], capsys, 1)
    assert "over" == report["verdict"]["status"]
