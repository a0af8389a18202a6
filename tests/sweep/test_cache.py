# SPDX-License-Identifier: Apache-2.0
"""Rows that are kept: torn and changed lines are none, and folders stay small."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

from mcuplan.errors import UsageError
from mcuplan.sweep.cache import Rows
from mcuplan.sweep.rows import Row, column_types


def _row(number: int) -> Row:
    """A row with some text and numbers."""
    kinds = column_types()
    texts = {f.name: f"\u00e9\n{number}" for f in fields(Row) if kinds[f.name] is str}
    return Row(**{"width": 1.0, **texts}, latency_s=number / 3)


@contextmanager
def _opened(folder: Path, tool: str = "this") -> Iterator[Rows]:
    rows = Rows(folder, tool)
    yield rows
    rows.close()


def _key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    """In this sweep and in later ones, wherever a segment was torn."""
    with _opened(tmp_path) as rows:
        for number in range(4):
            rows.put(_key(number), _row(number))
        assert [_row(n) for n in range(4)] == [rows[_key(n)] for n in range(4)]
    (segment,) = tmp_path.iterdir()
    whole = segment.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1, len(whole)):
        segment.write_bytes(whole[:cut])
        with _opened(tmp_path) as rows:
            found = [n for n in range(4) if _key(n) in rows]
            assert list(range(whole[:cut].count(b"\n") - 1)) == found
            assert [_row(n) for n in found] == [rows[_key(n)] for n in found]


def test_many_segments_become_one(tmp_path: Path) -> None:
    """What another sweep is writing stays; what another mcuplan wrote goes."""
    with _opened(tmp_path, "other") as rows:
        rows.put(_key(99), _row(99))
    for number in range(20):
        with _opened(tmp_path) as rows:
            assert _key(99) not in rows
            rows.put(_key(number), _row(number))
    assert 17 > len(list(tmp_path.iterdir()))
    with _opened(tmp_path) as first:
        first.put(_key(50), _row(50))
        for number in range(20, 40):
            with _opened(tmp_path) as rows:
                rows.put(_key(number), _row(number))
        first.put(_key(51), _row(51))
    with _opened(tmp_path) as rows:
        wanted = [*range(40), 50, 51]
        assert [_row(n) for n in wanted] == [rows[_key(n)] for n in wanted]


def test_what_is_no_row_is_not_there(tmp_path: Path) -> None:
    """Whole lines with other cells, and files that only have the name of a segment."""
    own, pipe = tmp_path / "rows-mine.jsonl", tmp_path / "rows-pipe.jsonl"
    own.write_text("not a segment\n", encoding="ascii")
    os.mkfifo(pipe)
    with _opened(tmp_path) as rows:
        rows.put(_key(0), _row(0))
    (segment,) = tmp_path.glob("rows-0*.jsonl")
    cells = _row(1).cells()
    wrong = ([], [*cells, 1], [7, *cells[1:]], [*cells[:11], 1e999, *cells[12:]])
    texts = [json.dumps([_key(1).hex(), *each]) for each in wrong]
    texts += [json.dumps(["no key", *cells]), json.dumps([None, *cells]), "{}", "[" * 100_000]
    texts.append(json.dumps([_key(1).hex(), *cells[:-1]])[:-1] + f", {'9' * 5000}]")
    with segment.open("a", encoding="ascii") as stream:
        for text in texts:
            stream.write(f"{hashlib.sha256(text.encode()).hexdigest()[:16]} {text}\n")
    with _opened(tmp_path) as rows:
        assert [True, False] == [_key(number) in rows for number in range(2)]
        assert _row(0) == rows[_key(0)]
    with _opened(tmp_path) as rows:
        segment.write_bytes(b"-" * segment.stat().st_size)
        with pytest.raises(UsageError, match="changed meanwhile"):
            rows[_key(0)]
    with _opened(tmp_path):
        assert {own, pipe, segment} == set(tmp_path.iterdir())


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    """With what else there is."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError) as raised:
        Rows(tmp_path / "file", "this")
    assert "--no-cache" in raised.value.hint
