# SPDX-License-Identifier: Apache-2.0
"""Options name things without loading them; these tests hold the names to what there is."""

from __future__ import annotations

import inspect

import click

from mcuplan.cli._app import app
from mcuplan.cli._options import FORMATS
from mcuplan.quant.observers import OBSERVERS
from mcuplan.record import Request
from mcuplan.report import format_names
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.solvers.effort import EFFORTS, Effort


def _option(name: str) -> click.Parameter:
    return next(param for param in app.commands["check"].params if param.name == name)


def test_formats_are_those_that_reports_have() -> None:
    """Every report format can be asked for, and no other."""
    assert format_names() == tuple(sorted(FORMATS))


def test_observers_are_those_that_calibration_has() -> None:
    """Every observer can be asked for, and no other."""
    kind = _option("observer").type
    assert isinstance(kind, click.Choice)
    assert sorted(OBSERVERS) == sorted(kind.choices)


def test_efforts_are_those_of_planning() -> None:
    """Every effort can be asked for, and no other; the default is that of the planner."""
    kind = _option("effort").type
    assert isinstance(kind, click.Choice)
    assert list(EFFORTS) == list(kind.choices)
    assert Effort() == EFFORTS["normal"]


def test_objectives_are_those_of_the_choice() -> None:
    """Every objective can be asked for, and no other; the default is that of the planner."""
    kind = _option("objective").type
    assert isinstance(kind, click.Choice)
    assert {objective.value for objective in Objective} == set(kind.choices)
    assert Aim().objective == _option("objective").default


def test_defaults_are_those_of_a_request() -> None:
    """A run without options is the run of a request without arguments."""
    made = inspect.signature(Request).parameters
    names = ("observer", "headroom", "io_layout", "effort", "objective")
    assert [made[name].default for name in names] == [_option(name).default for name in names]
