# SPDX-License-Identifier: Apache-2.0
"""Counts of kernels on the emulator."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mcuplan.cli import run
from mcuplan.prove.bench import SHAPES, bench
from mcuplan.targets import load_target

SMALL = tuple(s for s in SHAPES if s.name in ("64->12", "12", "8x8x64->64"))


def test_every_shape_has_a_row_and_counts_repeat(arm_gcc: str, qemu: str) -> None:
    """Each shape is counted, with the MACs it has, and the same twice."""
    target = load_target("cortex-m4")
    rows = bench(target, SMALL)
    assert [s.name for s in SMALL] == [row.shape for row in rows]
    assert 8 * 8 * 64 * 64 * 9 == rows[0].macs
    assert all(row.cycles is not None and row.cycles > row.instructions > 0 for row in rows)
    assert rows == bench(target, SMALL)


def test_bench_prints_a_table(
    arm_gcc: str, qemu: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command gives the table to machines, too."""
    monkeypatch.setattr("mcuplan.prove.bench.bench.__defaults__", (SMALL,))
    assert 0 == run(["bench", "-t", "cortex-m7", "-f", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert len(SMALL) == len(rows)
    assert all(row["cycles"] > 0 for row in rows)


def test_bench_on_a_board(
    arm_gcc: str, qemu: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the cycles of the core stand those with what they wait for the flash."""
    monkeypatch.setattr("mcuplan.prove.bench.bench.__defaults__", (SMALL,))
    assert 0 == run(["bench", "-t", "nucleo-l4r5zi", "-f", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert all(row["board"] > row["cycles"] > 0 for row in rows)


KEPT = Path(__file__).parents[1] / "golden" / "bench.cortex-m4.txt"
_SLOWER = 1.02


def _rows(table: str) -> dict[str, list[int]]:
    """Instructions and cycles by operator, shape and kernel."""
    found = re.findall(r"^(\S.*\S) +([\d,]+) +([\d,]+) +[\d.]+/\w+$", table, re.M)
    return {" ".join(r[0].split()): [int(n.replace(",", "")) for n in r[1:]] for r in found}


def test_no_kernel_became_slower(
    counted_gcc: str, qemu: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """No shape takes 2 % more instructions or cycles than in the table that is kept."""
    assert 0 == run(["bench", "-t", "cortex-m4"])
    table = capsys.readouterr().out
    if request.config.getoption("--update-golden"):
        KEPT.write_text(table, encoding="utf-8")
    kept = KEPT.read_text(encoding="utf-8")
    assert kept.splitlines()[-1].startswith("arm-none-eabi-gcc")
    now, before = _rows(table), _rows(kept)
    assert len(SHAPES) == len(now)
    assert list(before) == list(now)
    slower = {
        name: (before[name], counts)
        for name, counts in now.items()
        if any(n > _SLOWER * old for n, old in zip(counts, before[name], strict=True))
    }
    assert {} == slower
    assert all(len(line) <= 80 for line in table.splitlines())
