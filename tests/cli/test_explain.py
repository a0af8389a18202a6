# SPDX-License-Identifier: Apache-2.0
"""`mcuplan explain` with a part of a code."""

from __future__ import annotations

import pytest

from mcuplan.cli import run


def test_codes_of_one_kind_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """By the part before the slash; what is no kind is no code either."""
    assert 0 == run(["explain", "ram"])
    heads = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert heads
    assert {"ram"} == {line.partition("/")[0] for line in heads}
    assert 2 == run(["explain", "ra"])
