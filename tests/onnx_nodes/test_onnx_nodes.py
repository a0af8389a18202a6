# SPDX-License-Identifier: Apache-2.0
"""ONNX's own node tests: which are run, and that they go as the record says."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import onnx
import pytest

from mcuplan.cli import run
from mcuplan.ops import node_tests

from .judging import failures_of
from .listed import LISTS, Case, cases_of

_SAMPLE = 30


@cache
def _all() -> dict[str, Case]:
    record = node_tests()
    if record.onnx != onnx.__version__:
        pytest.skip(f"the record is of onnx {record.onnx}; this is {onnx.__version__}")
    return {case.name: case for case in cases_of(LISTS["mcu"])}


@pytest.mark.parametrize("listed", sorted(LISTS))
def test_the_rule_gives_the_lists(listed: str) -> None:
    """Names that were written down elsewhere."""
    folder = os.environ.get("MCUPLAN_TEST_ONNX")
    if folder is None:
        pytest.skip("MCUPLAN_TEST_ONNX names no folder of lists")
    wanted = (Path(folder) / f"{listed}.txt").read_text(encoding="utf-8").split()
    found = [name for name, case in _all().items() if case.operator in LISTS[listed]]
    assert sorted(wanted) == sorted(found)


def test_the_record_counts_every_test() -> None:
    """Operators, how many tests each has, and tests that fail by the operator they are of."""
    record = node_tests()
    assert Counter(case.operator for case in _all().values()) == record.total
    assert LISTS["core"] == record.core
    for operator, tests in record.failing.items():
        assert {operator} == {_all()[name].operator for name in tests}


def test_tests_go_as_the_record_says(host_gcc: str) -> None:
    """Some of those that fail, and a seeded sample of the others, from planning to C."""
    failing = sorted(name for name, _ in node_tests().reasons())
    passing = sorted(set(_all()) - set(failing))
    draw = random.Random(11)
    names = draw.sample(passing, _SAMPLE) + draw.sample(failing, min(_SAMPLE, len(failing)))
    found = failures_of([_all()[name] for name in names])
    assert {name: reason for name, reason in node_tests().reasons() if name in names} == found


def test_a_wrong_output_is_a_failure(host_gcc: str) -> None:
    """One value that is not the expected one, and a shape."""
    case = _all()["test_flatten_axis1"]
    off = (case.expected[0] * 1.01,)
    assert {} == failures_of([case])
    assert "differ" in failures_of([replace(case, expected=off)])[case.name]
    flat = (case.expected[0].reshape(-1),)
    assert "not [120]" in failures_of([replace(case, expected=flat)])[case.name]


def test_the_table_of_operators_has_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    """Passed and total of each list, and every failure with its reason."""
    assert 0 == run(["ops", "--markdown"])
    shown = capsys.readouterr().out
    record = node_tests()
    assert f"| {' | '.join(record.rows()[0])} |" in shown
    assert all(name in shown for name, _ in record.reasons())
