# SPDX-License-Identifier: Apache-2.0
"""Sweeps from the command line: rows, what goes wrong as rows, tables, and known rows."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from swept import Here, rows_of, swept, write_models

import mcuplan
from mcuplan.cli import _sweep, run
from mcuplan.report import render
from mcuplan.sweep import table
from mcuplan.sweep.local import Local
from mcuplan.sweep.rows import column_types, row_of_report
from mcuplan.sweep.tasks import Task

_TARGETS = ["--targets", "nucleo-f446re,cortex-m0"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """The engine is this process; tasks that it was given."""
    engine = Here()
    monkeypatch.setattr(Local, "run", lambda local, tasks: engine.run(tasks))
    return engine.given


def test_rows_are_what_check_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Processes compute every combination; failures are rows; a second sweep asks nobody."""
    write_models(Path("nets"))
    Path("nets/net2.onnx").write_bytes(b"no model")
    both = ["--objective", "ram", "--objective", "latency"]
    rows = swept("nets/*.onnx", *_TARGETS, *both, "--jobs", "1")
    assert ["fits"] * 8 + ["error"] * 4 == [row["verdict"] for row in rows]
    assert ["ram", "ram", "latency", "latency"] * 3 == [row["objective"] for row in rows]
    assert ["nucleo-f446re", "cortex-m0"] * 6 == [row["target"] for row in rows]
    assert {"model/damaged"} == {row["error_code"] for row in rows[8:]}
    for row in rows[:8]:
        options = dict(word.split("=") for word in row["options"].split())
        report = mcuplan.check(row["model"], row["target"], **options)
        asked = {name: row[name] for name in list(column_types())[:13]}
        assert row == dict(zip(column_types(), row_of_report(asked, report).cells(), strict=True))
        assert f'"total_bytes": {row["ram_bytes"]},' in render("json", report)


def test_a_grid_is_every_form_of_each_model(here: list[Task]) -> None:
    """Rows of a form say which it is and that weights are placeholders; each has its own key."""
    write_models(Path("nets"), 1)
    grid = ["--grid", "width=1,2", "--grid", "input=8,12x6", "--targets", "cortex-m0"]
    rows = swept("nets/net0.onnx", *grid)
    assert [[1.0, "8"], [1.0, "12x6"], [2.0, "8"], [2.0, "12x6"]] == [
        [row["width"], row["input"]] for row in rows
    ]
    assert {"placeholders"} == {row["weights"] for row in rows if row["verdict"] == "fits"}
    assert "effort=fast reshape=width=2 reshape=input=12x6" == rows[3]["options"]
    assert rows[0]["macs"] < rows[1]["macs"]
    assert "own" == swept("nets/net0.onnx", "--targets", "cortex-m0")[0]["weights"]
    assert 5 == len(here)
    assert rows == swept("nets/net0.onnx", *grid)
    assert 5 == len(here)
    assert 2 == run(["sweep", "nets/net0.onnx", *grid, "--reshape", "width=3", "-o", "x.csv"])
    many = [f"--max-{name}={size}k" for size in range(1, 60) for name in ("ram", "flash")]
    assert 2 == run(["sweep", "nets/net0.onnx", *grid, *many, "-o", "x.csv"])


def test_known_rows_are_not_computed_again(here: list[Task]) -> None:
    """By the bytes of what decides them, wherever the model lies; a torn line is none."""
    write_models(Path("nets"))
    first = swept("nets/*.onnx", *_TARGETS)
    table = Path("rows.jsonl").read_bytes()
    assert 2 == len(here)
    Path("rows.jsonl").unlink()
    assert first == swept("nets/net?.onnx", *_TARGETS)
    assert (2, table) == (len(here), Path("rows.jsonl").read_bytes())
    Path("nets").rename("moved")
    assert ["moved/net0.onnx"] * 2 == [r["model"] for r in swept("moved/net0.onnx", *_TARGETS)]
    assert 2 == len(here)
    segment = sorted(Path("rows.jsonl.cache").iterdir())[0]
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:2], lines[2].replace(b"fits", b"over"), lines[3][:-9]]))
    Path("moved").rename("nets")
    assert first == swept("nets/*.onnx", *_TARGETS)
    assert ["net0.onnx", "net1.onnx"] == [task.model.name for task in here[2:]]
    assert [1, 2] == [len(task.targets) for task in here[2:]]
    Path("nets/net0.onnx").write_bytes(Path("nets/net1.onnx").read_bytes())
    assert 4 == len(swept("nets/*.onnx", "--targets", "nucleo-f446re,cortex-m0"))
    assert (5, "net0.onnx") == (len(here), here[-1].model.name)


def test_tables_are_safe_to_open(here: list[Task]) -> None:
    """No text of a model is a formula or a second line of CSV; JSON lines have it as it is."""
    names = ["=1+1.onnx", "-x.onnx", "two\nlines.onnx"]
    (net,) = write_models(Path("nets"), 1)
    for name in names:
        Path(name).write_bytes(Path("nets", net).read_bytes())
    rows = swept("[-=t]*.onnx", "--targets", "cortex-m0")
    assert sorted(names) == [row["model"] for row in rows]
    assert 0 == run(
        ["sweep", "[-=t]*.onnx", "--targets", "cortex-m0", "--effort=fast", "-q", "-o", "a.csv"]
    )
    lines = Path("a.csv").read_text(encoding="utf-8").splitlines()
    head, *cells = csv.reader(lines)
    assert list(column_types()) == head
    assert ["'-x.onnx", "'=1+1.onnx", "two\\nlines.onnx"] == [row[0] for row in cells]


def test_parquet_has_the_same_rows(here: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the types of the columns, and the same bytes again, in one group or several."""
    parquet = pytest.importorskip("pyarrow.parquet")
    write_models(Path(), 1)
    Path("bad.onnx").write_bytes(b"")
    rows = swept("*.onnx", *_TARGETS)
    asked = ["sweep", "*.onnx", *_TARGETS, "--effort=fast", "-q", "--cache=rows.jsonl.cache"]
    assert [0, 0] == [run([*asked, "-o", name]) for name in ("a.parquet", "b.parquet")]
    assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()
    monkeypatch.setattr(table, "_GROUP", 3)
    assert 0 == run([*asked, "-o", "c.parquet"])
    assert 2 == parquet.ParquetFile("c.parquet").num_row_groups
    for name in ("a.parquet", "c.parquet"):
        read = parquet.read_table(name)
        assert rows == read.to_pylist()
        assert ("string", "int64", "double") == tuple(
            str(read.schema.field(column).type) for column in ("model", "cycles", "latency_s")
        )
    assert 2 == len(here)


def test_status_is_that_of_the_sweep(
    here: list[Task], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is complete is no failure, unless somebody asks; a terminal is told how far."""
    write_models(Path("nets"), 1)
    Path("bad.onnx").write_bytes(b"")
    asked = ["sweep", "nets/*.onnx", "bad.onnx", "--targets", "cortex-m0", "-o", "rows.csv"]
    asked += ["--max-ram", "10", "--max-ram", "32K"]
    assert [0, 1, 3] == [
        run([*asked, *more]) for more in ([], ["--fail-on=over"], ["--fail-on=error"])
    ]
    said = capsys.readouterr().err
    assert "rows.csv: 4 rows: 1 fit, 1 do not fit, 2 errors" in said
    assert "left" not in said
    monkeypatch.setattr(_sweep, "watched", lambda: True)
    monkeypatch.setattr(_sweep, "_SHOWN_EVERY_S", -1.0)
    assert 0 == run([*asked, "--no-cache", "--quiet"])
    assert "" == capsys.readouterr().err
    assert 0 == run([*asked, "--no-cache"])
    shown = capsys.readouterr().err.split("\r\x1b[K")
    assert re.fullmatch(r"3 of 4 rows, [\d,.]+/s, \d+ s left, 2 errors", shown[3])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.onnx", "--targets", "cortex-m0", "-o", "a.csv"], "no such file"),
        (["*.onnx", "--targets", "cortex-m0", "-o", "a.txt"], "suffix"),
        (["*.onnx", "-o", "a.csv"], "--targets all"),
        (["*.onnx", "--targets", "cortex-m9", "-o", "a.csv"], "target/not-found"),
        (["*.onnx", "--targets", "all", "--objective", "speed", "-o", "a.csv"], "speed"),
        (["*.onnx", "--targets", "all", "--max-ram", "1X", "-o", "a.csv"], "no size"),
        (["*.onnx", "--targets", "all", "-o", "no/a.csv"], "folder does not exist"),
    ],
)
def test_wrong_usage_is_said_before_work(
    arguments: list[str], said: str, here: list[Task], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the user gave wrong ends the sweep before it begins."""
    write_models(Path(), 1)
    assert 2 == run(["sweep", *arguments])
    assert said in capsys.readouterr().err
    assert [] == here


def test_configuration_counts_for_each_model(here: list[Task]) -> None:
    """As it does for check: the target of all, and the options of one."""
    write_models(Path())
    Path("mcuplan.toml").write_text('target = "cortex-m0"\n[models."net1.onnx"]\nmax-ram = "10"\n')
    rows = swept("*.onnx")
    assert ["cortex-m0"] * 2 == [row["target"] for row in rows]
    assert ["effort=fast", "effort=fast max-ram=10"] == [row["options"] for row in rows]
    assert ["fits", "does-not-fit"] == [row["verdict"] for row in rows_of(Path("rows.jsonl"))]


def test_who_interrupts_a_sweep_is_told_how_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where its rows are; without a cache there is nothing to say."""
    write_models(Path())

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mcuplan.sweep.run.Sweep.run", interrupted)
    assert run(["sweep", "*.onnx", *_TARGETS, "-q", "-o", "t.csv"]) == 130
    assert "rows so far are in t.csv.cache: the same command" in capsys.readouterr().err
    assert run(["sweep", "*.onnx", *_TARGETS, "-q", "-o", "t.csv", "--no-cache"]) == 130
    assert "rows so far" not in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on(here: list[Task]) -> None:
    """Its table is that of one that nobody disturbed, and no worker is left."""
    write_models(Path(), 9)
    asked = ["sweep", "*.onnx", *_TARGETS, "--effort", "fast", "-q", "-o"]
    command = [sys.executable, "-m", "mcuplan", *asked, "killed.csv", "--jobs", "1"]
    with subprocess.Popen(command, start_new_session=True) as process:
        cache = Path("killed.csv.cache")
        while process.poll() is None and not list(cache.glob("*")):
            time.sleep(0.02)
        process.kill()
    assert not Path("killed.csv").exists()
    assert [0, 0] == [run([*asked, name]) for name in ("killed.csv", "whole.csv")]
    assert Path("killed.csv").read_bytes() == Path("whole.csv").read_bytes()
    again = sum(len(task.targets) for task in here)
    total = 2 * len(Path("whole.csv").read_text(encoding="utf-8").splitlines()[1:])
    assert total // 2 < again < total
    until = time.monotonic() + 60
    while time.monotonic() < until and _is_alive(process.pid):
        time.sleep(0.05)
    assert not _is_alive(process.pid)


def _is_alive(group: int) -> bool:
    """Whether any process of a group is there."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
