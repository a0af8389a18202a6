# SPDX-License-Identifier: Apache-2.0
"""The text report on screens of different widths."""

from __future__ import annotations

import pytest
from report_samples import sample_budget

from mcuplan.report import Look, render


@pytest.mark.parametrize("width", [80, 100, 160])
def test_lines_keep_to_the_screen(width: int) -> None:
    """No line is wider than the screen, and a wider one is used."""
    lines = render("text", sample_budget(), Look(every_layer=True, verbose=True, width=width))
    longest = max(map(len, lines.split("\n")))
    assert longest <= width
    assert width == 80 or longest > 80
