# SPDX-License-Identifier: Apache-2.0
"""Options name things without loading them; these tests hold the names to what there is."""

from __future__ import annotations

import inspect

import click
import pytest

from mcuplan import repair
from mcuplan.calibrate import Observers
from mcuplan.cli._app import app
from mcuplan.config.parse import parse_observer
from mcuplan.errors import UsageError
from mcuplan.options.pairs import observers_of
from mcuplan.options.values import FORMATS
from mcuplan.quant.named_observers import AUTO, OBSERVERS
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
    """Every observer can be asked for, by both names of the option, and the help says which."""
    option = _option("observers")
    assert isinstance(option, click.Option)
    assert ["--observer", "--calibration-method"] == option.opts
    assert all(name in str(option.help) for name in (*OBSERVERS, AUTO))
    assert Request.__dataclass_fields__["observers"].default_factory() == observers_of([])


def test_observers_are_given_for_all_tensors_and_by_name() -> None:
    """An observer for all tensors, others by name; of two for one the run is refused."""
    given = [parse_observer(text) for text in ("mse", "a=b:0=percentile:99.9", "x=entropy")]
    assert Observers("mse", {"a=b:0": "percentile:99.9", "x": "entropy"}) == observers_of(given)
    with pytest.raises(UsageError, match="two observers for 'x': entropy and mse"):
        observers_of([("x", "entropy"), ("x", "mse")])


@pytest.mark.parametrize("text", ["", "kl", "x=auto", "=mse", "x=percentile:101", "percentile:nan"])
def test_what_is_no_observer_is_refused(text: str) -> None:
    """An observer that there is not, one of no tensor, or trials for one tensor."""
    with pytest.raises(ValueError, match=r"one of minmax|write NAME=OBSERVER"):
        parse_observer(text)


def test_efforts_are_those_of_planning() -> None:
    """Every effort can be asked for, and no other; the default is that of the planner."""
    kind = _option("effort").type
    assert isinstance(kind, click.Choice)
    assert list(EFFORTS) == list(kind.choices)
    assert Effort() == EFFORTS["normal"]


def test_efforts_of_quantization_are_those_of_repair() -> None:
    """Every effort can be asked for, and no other."""
    kind = _option("quantize_effort").type
    assert isinstance(kind, click.Choice)
    assert list(repair.EFFORTS) == list(kind.choices)


def test_objectives_are_those_of_the_choice() -> None:
    """Every objective can be asked for, and no other; the default is that of the planner."""
    kind = _option("objective").type
    assert isinstance(kind, click.Choice)
    assert {objective.value for objective in Objective} == set(kind.choices)
    assert Aim().objective == _option("objective").default


def test_defaults_are_those_of_a_request() -> None:
    """A run without options is the run of a request without arguments."""
    made = inspect.signature(Request).parameters
    names = ("headroom", "quantize_effort", "io_layout", "effort", "objective")
    assert [made[name].default for name in names] == [_option(name).default for name in names]
