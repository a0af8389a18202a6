# SPDX-License-Identifier: Apache-2.0
"""Signal to noise in words: of one output, of several, and of none that has any."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import sample_budget

from mcuplan.record import OutputError
from mcuplan.report._proof import noise_figures, noise_of


@pytest.mark.parametrize(
    ("decibels", "said"),
    [
        ((), ""),
        ((None,), "no noise"),
        ((None, None), "no noise"),
        ((12.0,), "signal to noise 12.0 dB"),
        ((None, 12.0), "signal to noise: y0 no noise; y1 12.0 dB"),
    ],
)
def test_noise_is_a_sentence(decibels: tuple[float | None, ...], said: str) -> None:
    """The words in front stand where there are figures, and once on a page that has its own."""
    outputs = tuple(
        OutputError(f"y{n}", each, 0.0, 0.0, None, ()) for n, each in enumerate(decibels)
    )
    run = replace(sample_budget().verification[0], outputs=outputs)
    assert said == noise_of(run)
    assert "signal" not in noise_figures(run)
