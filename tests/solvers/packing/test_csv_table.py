# SPDX-License-Identifier: Apache-2.0
"""Tables from files: what is right is read to the letter, what is wrong is named by line."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing_tables import problems

from mcuplan.errors import DataError, McuplanError, Problems, UsageError
from mcuplan.solvers.packing import Buffer, LiveRange, Problem, pack
from mcuplan.solvers.packing.csv_table import offsets_csv, parse_csv, read_csv

HEADER = "id,lower,upper,size\n"


def _wrong(text: str) -> list[McuplanError]:
    with pytest.raises((DataError, Problems)) as caught:
        parse_csv(text, "t.csv")
    error = caught.value
    return list(error.errors) if isinstance(error, Problems) else [error]


def test_columns_stand_in_any_order() -> None:
    """Columns are found by name; an alignment may be given, others are ignored."""
    problem = parse_csv("note,size,alignment,upper,lower,id\nx, 10 ,8,3,-1,a\n\n", "t.csv")
    assert (Buffer("a", 10, LiveRange(-1, 3), 8),) == problem.buffers


@settings(max_examples=60, deadline=None)
@given(problems(most=10, separations=False))
def test_what_is_written_is_read(problem: Problem) -> None:
    """Any table comes back from its CSV form as it was."""
    rows = [
        f"{b.name},{b.live.start},{b.live.end},{b.nbytes},{b.align}\r\n" for b in problem.buffers
    ]
    text = "id,lower,upper,size,alignment\r\n" + "".join(rows)
    if rows:
        assert problem == parse_csv(text, "t.csv")
    else:
        assert ["has no items"] == [error.message for error in _wrong(text)]


def test_offsets_are_written_by_id() -> None:
    """The result has the columns id and offset, in the order of the table."""
    plan = pack(parse_csv(HEADER + '"a,b",0,2,8\nc,1,3,4\n', "t.csv"))
    lines = offsets_csv(plan).splitlines()
    assert ["id,offset", f'"a,b",{plan.placements[0].offset}'] == lines[:2]
    assert 3 == len(lines)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a,3,3,1", "lower 3 is not below upper 3"),
        ("a,4,3,1", "not below"),
        ("a,0,1,-1", "size '-1'"),
        ("a,0,1", "3 columns"),
        ("a,0,1,2,3", "5 columns"),
        (",0,1,2", "id is empty"),
        ("a,x,1,2", "lower 'x'"),
        ("a,0,1,1.5", "size '1.5'"),
        ("a,0,1,1e3", "size '1e3'"),
        ("a,0,1,", "size ''"),
        ("a,0,1,0x10", "size '0x10'"),
        ("a,0,1,1_000", "size '1_000'"),
        ("a,0,1,\u0661", "size"),
        ("a,0,1,9223372036854775808", "no whole number"),
        ("a,0,1," + "9" * 5000, "no whole number"),
        ("a,-9223372036854775809,1,1", "no whole number"),
        ("first,0,1,1", "stands in line 2 already"),
        ('a,"0"1,1,1', "is no CSV"),
        ("a,0,1,1\x00", "size"),
    ],
)
def test_a_wrong_row_is_named(row: str, words: str) -> None:
    """Every kind of wrong row is refused, with its line and what is wrong."""
    (error,) = _wrong(f"{HEADER}first,0,1,1\n{row}\nlast,0,1,1\n")
    assert words in error.message
    assert "t.csv, line 3" == error.where


def test_all_wrong_rows_are_named_at_once() -> None:
    """One run names every line at fault, also after a cell with line breaks."""
    text = HEADER + '"two\nlines",0,1,1\nb,1,0,1\nc,0,1,x\nd,0,1,1\n'
    assert ["t.csv, line 4", "t.csv, line 5"] == [error.where for error in _wrong(text)]


def test_a_flood_of_errors_is_cut() -> None:
    """The first hundred errors are named, the rest is counted."""
    errors = _wrong(HEADER + "a,b,c,d\n" * 250)
    assert 101 == len(errors)
    assert "150 more lines" in errors[-1].message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("id,lower,upper\n", "size"),
        ("a,0,1,2\n", "id, lower, upper, size"),
        ("id,id,lower,upper,size\n", "id"),
        (HEADER, "no items"),
        (HEADER + 'a,0,1,"2', "is no CSV"),
        (HEADER + "a,0,1,72057594037927935\nb,5,6,72057594037927935\n", "add up"),
        (HEADER + "x" * 200_000 + ",0,1,1\n", "is no CSV"),
    ],
)
def test_what_is_no_table_is_refused(text: str, words: str) -> None:
    """Text that is no table says what it lacks, with a hint."""
    (error,) = _wrong(text)
    assert words in str(error)
    assert error.hint


def test_files_are_guarded(tmp_path: Path) -> None:
    """Missing, binary and huge files are refused by name."""
    with pytest.raises(UsageError, match="cannot be read"):
        read_csv(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"id,lower\xff\xfe")
    with pytest.raises(DataError, match="not UTF-8"):
        read_csv(tmp_path / "binary.csv")
    with (tmp_path / "huge.csv").open("wb") as stream:
        os.truncate(stream.fileno(), (64 << 20) + 1)
    with pytest.raises(DataError, match="64 MiB"):
        read_csv(tmp_path / "huge.csv")
    (tmp_path / "bom.csv").write_text(HEADER + "a,0,1,1\n", encoding="utf-8-sig")
    assert 1 == len(read_csv(tmp_path / "bom.csv").buffers)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='id,lowerupsize0123-"\n \t\x00', max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader fail with anything but an error for the user."""
    for candidate in (text, HEADER + text):
        with suppress(DataError, Problems):
            parse_csv(candidate, "t.csv")
