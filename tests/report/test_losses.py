# SPDX-License-Identifier: Apache-2.0
"""What a loss is a loss of stands beside it, for each thing that can be measured."""

from __future__ import annotations

import pytest

from mcuplan.budget.frontier import type_findings
from mcuplan.record import MEAN_ERROR, RELATIVE_ERROR, TypePoint
from mcuplan.report import loss_of


@pytest.mark.parametrize(
    ("measure", "loss", "legend", "found"),
    [
        (
            RELATIVE_ERROR,
            1.5,
            "loss: relative output error against the float model, on",
            "relative output error 1.50 % off the float model",
        ),
        ("top-1", 1.0, "loss: points of top-1 below", "1.00 points of top-1 below the float"),
        ("auc", -0.5, "loss: points of auc below", "-0.50 points of auc below the float model"),
        (
            MEAN_ERROR,
            -0.01,
            "larger the mean absolute error is than the float model's, in % of the mean label",
            "mean absolute error -0.01 % of the mean label beyond that of the float model",
        ),
    ],
)
def test_unit_of_a_loss(measure: str, loss: float, legend: str, found: str) -> None:
    """A loss can be less than 0 where labels judge; no error is then said to be negative."""
    point = TypePoint(loss, measure, 10, 10, 10, ("--layer-dtype a;b=int16",), chosen=True)
    assert legend in loss_of([point])
    (finding,) = type_findings([point])
    assert found in finding.message
    assert "--layer-dtype 'a;b=int16'" == finding.hint
