# SPDX-License-Identifier: Apache-2.0
"""`order` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcuplan.cli import run

Captured = pytest.CaptureFixture[str]
STEPS = "id,bytes,reads,scratch"
ROWS = "id,rows,row_bytes,reads,kernel,stride"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_steps_of_a_table_are_ordered(capsys: Captured) -> None:
    """Of two branches the one that leaves little behind runs first."""
    lines = [STEPS, "in,10,,", "big,50,in,", "small,60,in,", "end,1,small,", "sum,1,big end,"]
    Path("t.csv").write_text("\n".join(lines) + "\n")
    assert 0 == run(["order", "t.csv", "-o", "out.csv"])
    assert "peak 71 B, optimal" in capsys.readouterr().out
    order = [line.split(",")[0] for line in Path("out.csv").read_text().splitlines()]
    assert ["id", "in", "small", "end", "big", "sum"] == order


def test_rows_of_a_table_are_ordered(capsys: Captured) -> None:
    """A window over rows that arrive needs the rows of one window, not the image."""
    Path("t.csv").write_text(f"{ROWS}\nimage,64,100,,,\nconv,32,1,image,3,2\n")
    assert 0 == run(["order", "t.csv", "--rows", "-o", "out.csv"])
    assert "optimal" in (told := capsys.readouterr().out)
    assert int(told.split()[1]) <= 3 * 100 + 32
    runs = [line.split(",") for line in Path("out.csv").read_text().splitlines()[1:]]
    assert 64 == sum(int(rows) for name, rows in runs if name == "image")


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("", []),
        (f"{STEPS}\na,1,b,\nb,1,,\n", []),
        (f"{STEPS}\na,1,a,\n", []),
        (f"{STEPS}\na,-1,,\n", []),
        (f"{STEPS}\na,{'9' * 19},,\n", []),
        (f"{ROWS}\na,99999999,1,,,\n", ["--rows"]),
        (f"{ROWS}\na,9000,1,,,\nb,9000,1,a,1,1\n", ["--rows"]),
        (ROWS + "".join(f"\na{i},1,1,,," for i in range(3_000)), ["--rows"]),
        (f"{ROWS}\na,4,1,b,3,1\n", ["--rows"]),
        (f"{ROWS}\na,4,1,,0,1\n", ["--rows"]),
        ("id\n\x00", ["--rows"]),
    ],
)
def test_a_bad_table_is_wrong_usage(text: str, flags: list[str], capsys: Captured) -> None:
    """A table that is none exits with 2, before memory is taken, and is named."""
    Path("t.csv").write_text(text)
    assert 2 == run(["order", "t.csv", *flags])
    assert "t.csv" in capsys.readouterr().err
