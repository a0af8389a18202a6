# SPDX-License-Identifier: Apache-2.0
"""A report says what it was asked for, as a command that asks for it again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mcuplan.cli import run

MODEL = Path(__file__).resolve().parents[2] / "models" / "diabetes_mlp" / "model.onnx"


def _report(path: Path, *words: str) -> Any:
    assert 0 == run([*words, "-q", "--report", f"json={path}"])
    return json.loads(path.read_text(encoding="utf-8"))


def test_what_was_asked_asks_for_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options of the line, the environment and the configuration; files by their names alone."""
    shutil.copy(MODEL, tmp_path)
    for name in ("MCUPLAN_TARGET", "MCUPLAN_OBJECTIVE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "mcuplan.toml").write_text('objective = "ram"\nkeep-input = true\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCUPLAN_MAX_RAM", "64K")
    words = ("check", str(tmp_path / "model.onnx"), "--input-range", "-3:3", "--exit-zero")
    first = _report(tmp_path / "a.json", *words, "-t", "cortex-m4")
    assert ["check", "model.onnx"] == first["asked"][:2]
    assert not any(str(tmp_path) in word for word in first["asked"])
    assert {"--target", "--max-ram", "64K", "--objective", "ram", "--keep-input"} < set(
        first["asked"]
    )
    assert not {"--exit-zero", "--report", "-q", "--quiet"} & set(first["asked"])
    monkeypatch.delenv("MCUPLAN_MAX_RAM")
    (tmp_path / "mcuplan.toml").unlink()
    assert first == _report(tmp_path / "b.json", *first["asked"])


def test_a_page_comes_with_the_map_that_nobody_planned(tmp_path: Path) -> None:
    """The naive map has every tensor in a buffer of its own, without overlap of live ones."""
    page = ("--report", f"html={tmp_path / 'page.html'}")
    report = _report(tmp_path / "a.json", "check", str(MODEL), "-t", "cortex-m4", *page)
    rows = report["naive"]["buffers"]
    assert report["naive"]["arena_bytes"] >= report["ram"]["arena_bytes"]
    assert max(r["offset"] + r["bytes"] for r in rows) <= report["naive"]["arena_bytes"]
    for i, one in enumerate(rows):
        for two in rows[:i]:
            live = one["start"] < two["end"] and two["start"] < one["end"]
            low, high = sorted((one, two), key=lambda row: int(row["offset"]))
            assert not live or low["offset"] + low["bytes"] <= high["offset"]
