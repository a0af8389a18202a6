# SPDX-License-Identifier: Apache-2.0
"""Faults in the tool itself are noticed; ``mutate.py`` has all of them, here are a few."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutants import MUTANTS, QUICK
from mutate import ROOT, Bench, survivors


def test_every_mutant_changes_something() -> None:
    """The text that a mutant replaces is there: a list that does not apply proves nothing."""
    texts = {m.file: (ROOT / m.file).read_text(encoding="utf-8") for m in MUTANTS}
    assert [] == [m.name for m in MUTANTS if m.old not in texts[m.file] or m.old == m.new]
    assert len(MUTANTS) >= 100
    assert len(set(MUTANTS)) == len(MUTANTS)


@pytest.mark.slow
def test_faults_are_noticed(host_gcc: str, tmp_path: Path) -> None:
    """Wrong macros, helpers, tests of arguments, bounds and totals make ``verify`` fail."""
    assert 8 <= len(QUICK) <= 14
    assert [] == list(survivors(Bench(tmp_path), QUICK))
