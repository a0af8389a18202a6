# SPDX-License-Identifier: Apache-2.0
"""Layers made for coverage: values at which functions end, and whose functions of a header."""

from __future__ import annotations

import numpy as np
import pytest

from mcuplan.backends import kernels_for
from mcuplan.evidence.edges import callers_of, edge_layers
from mcuplan.evidence.structural import _reachable
from mcuplan.targets import load_target

_TARGET = load_target("cortex-m4")


@pytest.mark.parametrize(
    ("function", "alone"), [("mplan_chain_gates_f32", True), ("mplan_dense_s8", False)]
)
def test_functions_of_real_values_are_asked_where_they_end(function: str, alone: bool) -> None:
    """Of what is no number, too; integers are not. Every input has as many samples."""
    offered = kernels_for(frozenset(_TARGET.features), "c99").values()
    kernels = [kernel for found in offered for kernel in found if kernel.function == function]
    _, inputs = next(edge_layers(kernels, _TARGET))
    for values in inputs.values():
        assert alone == bool(np.isnan(values[-1].astype(np.float64)).any())
        assert not np.isnan(values[:-1].astype(np.float64)).any()
    assert 1 == len({len(values) for values in inputs.values()})


def test_all_kernels_that_call_as_many_functions_are_asked() -> None:
    """They hand them other values; a function that nobody calls is asked for in vain."""
    found = callers_of({"mplan_log1p_f32", "mplan_expm1_f32", "mplan_nothing"}, _TARGET)
    names = {kernel.function for kernel in found}
    assert {"mplan_chain_functions_f32", "mplan_chain_gates_f32"} <= names
    assert () == callers_of({"mplan_nothing"}, _TARGET)


def test_what_nothing_reaches_is_counted_apart() -> None:
    """Of kernels alone, and only where it is shown."""
    line = {"ran": 0, "branches_not_taken": [0, 1], "reachable": False}
    unreached = [
        {**line, "file": "mplan/a.c"},
        {**line, "file": "mplan/a.c", "ran": 3, "branches_not_taken": [1]},
        {**line, "file": "mplan/a.c", "reachable": True},
        {**line, "file": "net.c"},
    ]
    counts = {"statements": [8, 10, 80.0], "branches": [15, 20, 75.0]}
    assert {"statements": [8, 9, 88.8], "branches": [15, 17, 88.2]} == _reachable(counts, unreached)
