# SPDX-License-Identifier: Apache-2.0
"""`pack` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcuplan.cli import run

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_pack_places_a_table(tmp_path: Path, capsys: Captured) -> None:
    """Pack writes offsets under which no two live buffers overlap, and says how good they are."""
    rows = ["id,lower,upper,size", "a,0,3,64", "b,1,4,32", "c,3,5,64", "d,4,6,96"]
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    assert 0 == run(["pack", "table.csv", "-o", "out.csv", "--capacity", "160"])
    assert "160" in capsys.readouterr().out
    placed = [line.split(",") for line in Path("out.csv").read_text().splitlines()[1:]]
    assert ["a", "b", "c", "d"] == [row[0] for row in placed]
    spans = [
        (*map(int, row.split(",")[1:]), int(offset))
        for row, (_, offset) in zip(rows[1:], placed, strict=True)
    ]
    for i, (start, end, size, offset) in enumerate(spans):
        for start2, end2, size2, offset2 in spans[i + 1 :]:
            together = start < end2 and start2 < end
            assert not together or offset + size <= offset2 or offset2 + size2 <= offset
    assert 1 == run(["pack", "table.csv", "--capacity", "64"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id,lower\n",
        "id,lower,upper,size\na,3,3,1\n",
        "id,lower,upper,size\na,0,1,-1\nb,x,1,1\n",
    ],
)
def test_a_bad_table_is_wrong_usage(text: str, tmp_path: Path, capsys: Captured) -> None:
    """A table that is none exits with 2 and names the line."""
    (tmp_path / "table.csv").write_text(text)
    assert 2 == run(["pack", "table.csv"])
    assert "table.csv" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["nan", "inf", "-1", "1e300"])
def test_a_limit_that_is_no_time(limit: str, tmp_path: Path, capsys: Captured) -> None:
    """Wrong usage, not a search without end or a traceback."""
    (tmp_path / "table.csv").write_text("id,lower,upper,size\na,0,3,64\n")
    assert 2 == run(["pack", "table.csv", f"--time-limit={limit}"])
    assert "usage/bad-argument" in capsys.readouterr().err


def test_a_working_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that need none of its files work there."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert 0 == run(["targets", "list"])
    monkeypatch.chdir(tmp_path)
