# SPDX-License-Identifier: Apache-2.0
"""`mcuplan pareto`: fronts of tables in three formats, joined and parted; what is left out."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mcuplan.cli import run

_HEAD = ("model", "target", "reshape", "verdict", "ram_bytes", "latency_s", "energy_j", "weights")
_ROWS: tuple[tuple[object, ...], ...] = (
    ("a/small.onnx", "m4", "", "fits", 1000, 0.009, 2e-6, "own"),
    ("a/fast.onnx", "m4", "", "fits", 4000, 0.002, 1e-6, "own"),
    ("a/fast.onnx", "m7", "", "fits", 4000, 0.001, 4e-6, "own"),
    ("a/beaten.onnx", "m4", "", "fits", 5000, 0.010, 3e-6, "own"),
    ("a/half.onnx", "m4", "width=0.5", "fits", 900, 0.009, None, "placeholders"),
    ("a/half.onnx", "m7", "width=0.5", "fits", None, None, None, "placeholders"),
    ("a/large.onnx", "m4", "", "does-not-fit", 10, 0.0001, 9e-6, "own"),
    ("a/broken.onnx", "m4", "", "error", None, None, None, "own"),
)


def _table(path: Path, rows: Sequence[Sequence[object]] = _ROWS) -> Path:
    if path.suffix == ".csv":
        with open(path, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([_HEAD, *rows])
    elif path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(_HEAD, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        columns = dict(zip(_HEAD, map(list, zip(*rows, strict=True)), strict=True))
        parquet.write_table(arrow.table(columns), path)
    return path


def _front(capsys: pytest.CaptureFixture[str], path: Path, *words: str) -> dict[str, object]:
    asked = ["pareto", str(path), "--x", "ram", "--y", "latency", "-f", "json", *words]
    assert 0 == run(asked)
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def _models(found: dict[str, object]) -> list[list[object]]:
    groups = found["groups"]
    assert isinstance(groups, list)
    return [[c["model"], *c["told"]] for group in groups for c in group["front"]]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_the_front_is_that_of_what_fits(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every other row is counted with the reason; the best in the first figure stands first."""
    found = _front(capsys, _table(tmp_path / f"rows.{kind}"))
    assert ["target"] == found["told"]
    assert [["a/half.onnx", "m4"], ["a/fast.onnx", "m7"]] == _models(found)
    wanted = [["errors", 1], ["that do not fit", 1], ["without RAM", 1]]
    assert wanted == found["left_out"]
    (group,) = found["groups"]  # type: ignore[misc]
    assert 3 == group["beaten"]  # type: ignore[index]
    assert group["front"][0]["placeholder"]  # type: ignore[index]


def test_rows_are_parted_filtered_and_compared_by_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A front for each target; one target alone; those that do not fit; a third figure."""
    path = _table(tmp_path / "rows.csv")
    found = _front(capsys, path, "--by", "target")
    assert ["m4", "m7"] == [group["name"] for group in found["groups"]]  # type: ignore[attr-defined]
    assert 3 == len(_models(found))
    assert 2 == len(_models(_front(capsys, path, "-t", "m4")))
    assert [["a/large.onnx", "m4"]] == [m[:2] for m in _models(_front(capsys, path, "--all"))]
    third = _front(capsys, path, "--min", "energy")
    assert ["a/small.onnx", "a/fast.onnx", "a/fast.onnx"] == [m[0] for m in _models(third)]
    most = _models(_front(capsys, path, "--max", "ram_bytes", "-t", "m4"))
    assert ["a/beaten.onnx", "a/fast.onnx"] == [each[0] for each in most]


def test_files_of_one_name_are_told_by_their_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By as many as tell them apart; a name that one model has stays as it is."""
    path = tmp_path / "rows.csv"
    models = ("x/a/1/net.onnx", "x/a/2/net.onnx", "x/b/1/net.onnx", "y/other.onnx")
    rows = [f"{model},{model.rsplit('/', 1)[1]},{n},{n}" for n, model in enumerate(models)]
    path.write_text("\n".join(["model,name,ram_bytes,latency_s", *rows]) + "\n")
    groups: list[dict[str, Any]] = _front(capsys, path, "--by", "name")["groups"]  # type: ignore[assignment]
    assert ["a/1/net.onnx", "a/2/net.onnx", "b/1/net.onnx", "other.onnx"] == [
        group["name"] for group in groups
    ]


def test_accuracies_are_joined_by_model_and_what_both_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By path, file or name without its end; who has none is left out; most is best."""
    path, scores = _table(tmp_path / "rows.csv"), tmp_path / "scores.csv"
    text = (
        "model,target,accuracy\nsmall,m4,0.9\nfast.onnx,m4,0.95\na/beaten.onnx,m4,0.99\nno,m4,1\n"
    )
    scores.write_text(text, encoding="utf-8")
    asked = ["pareto", str(path), "--x", "ram", "--y", "accuracy", "--join", str(scores)]
    assert 0 == run([*asked, "--color", "latency"])
    shown = capsys.readouterr().out
    assert "least RAM, most accuracy" in shown
    assert "2 without accuracy" in shown
    assert "models of scores.csv that are not here (1): no" in shown
    lines = [line.split() for line in shown.splitlines() if ".onnx" in line]
    assert [["small.onnx", "0.9"], ["fast.onnx", "0.95"], ["beaten.onnx", "0.99"]] == [
        [line[0], line[3]] for line in lines
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--x", "rum", "--y", "latency"], "no column 'rum'"),
        (["--x", "ram", "--y", "accuracy"], "--join FILE.csv"),
        (["--x", "ram", "--y", "ram_bytes"], "two figures"),
        (["--x", "ram", "--y", "latency", "-t", "m3"], "no row of m3"),
        (["--x", "ram", "--y", "latency", "--max", "ram", "--min", "ram"], "one of them"),
        (["--x", "ram", "--y", "latency", "--join", "twice.csv"], "two values for small"),
        (["--x", "ram", "--y", "latency", "--join", "both.csv"], "write their paths"),
        (["--x", "ram", "--y", "latency", "--join", "none.csv"], "cannot be read"),
        (
            ["--x", "ram", "--y", "latency", "--join", "ragged.csv"],
            "row 2 has not as many cells as the head",
        ),
        (["--x", "ram", "--y", "latency", "--join", "rows.xls"], "no known kind"),
    ],
)
def test_what_cannot_be_compared_is_said(
    words: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A coded error with a hint, and no table."""
    monkeypatch.chdir(tmp_path)
    rows = [*_ROWS, ("b/small.onnx", "m4", "", "fits", 1, 1, 1, "own")]
    _table(tmp_path / "rows.csv", rows)
    (tmp_path / "twice.csv").write_text("model,accuracy\nsmall,1\nsmall,2\n")
    (tmp_path / "both.csv").write_text("model,accuracy\nsmall,1\n")
    (tmp_path / "ragged.csv").write_text("model,accuracy\nsmall\n")
    assert 2 == run(["pareto", "rows.csv", *words])
    error = capsys.readouterr().err
    assert "error[usage/" in error
    assert said in error
    assert "hint: " in error


def test_tables_of_strangers_are_no_defects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Very many columns, pipes, dates that no calendar has; no input is written."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.csv")
    Path("wide.csv").write_text(",".join(f"c{n}" for n in range(100_000)), encoding="ascii")
    said = {"pipe.csv": "not a regular file", "wide.csv": "no column 'ram'"}
    if importlib.util.find_spec("pyarrow"):
        arrow, parquet = (importlib.import_module(f"pyarrow{end}") for end in ("", ".parquet"))
        dates = arrow.array([2**31 - 1], arrow.date32())
        parquet.write_table(arrow.table({"ram_bytes": dates, "latency_s": [1]}), "dates.parquet")
        said["dates.parquet"] = "is no table"
    axes = ["--x", "ram", "--y", "latency", "-q"]
    for name, words in said.items():
        assert 2 == run(["pareto", name, *axes])
        assert words in capsys.readouterr().err
    scores = Path("scores.csv")
    scores.write_text("model,accuracy\nsmall,1\n", encoding="ascii")
    rows = str(_table(tmp_path / "rows.csv"))
    assert 2 == run(["pareto", rows, *axes, "--join", "scores.csv", "-o", "scores.csv"])
    assert "model,accuracy\nsmall,1\n" == scores.read_text(encoding="ascii")
    wide = [["model", *(f"c{n}" for n in range(50_000))], ["small", *["1"] * 50_000]]
    Path("wide.csv").write_text("\n".join(map(",".join, wide)), encoding="ascii")
    assert 0 == run(["pareto", rows, "--x", "ram", "--y", "c9", "--join", "wide.csv", "-q"])


def test_no_row_to_compare_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing fits: the status says so, and the table why; the page is there."""
    path, page = _table(tmp_path / "rows.csv", _ROWS[-2:]), tmp_path / "front.html"
    assert 1 == run(["pareto", str(path), "--x", "ram", "--y", "latency", "-o", str(page)])
    assert "1 that do not fit" in capsys.readouterr().out
    assert "0 rows compared" in page.read_text(encoding="ascii")
