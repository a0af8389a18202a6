# SPDX-License-Identifier: Apache-2.0
"""Observers by tensor, and the one that errs least on samples that made no range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from nets import Net, imported

from mcuplan.calibrate import Observers, calibrate
from mcuplan.calibrate.data import Data
from mcuplan.calibrate.held_back import Judge, held_back, typical_error
from mcuplan.errors import Problems, UsageError
from mcuplan.ir.graph import Graph
from mcuplan.passes import run
from mcuplan.passes.assign_grids import assign_grids, needs_range
from mcuplan.quant.named_observers import OBSERVERS, observer_named
from mcuplan.quant.observers import Range


def _net(tmp_path: Path) -> tuple[Graph, Data]:
    net = Net((1, 3, 6, 6))
    x = net.add("Relu", net.conv("x", 3, 4))
    graph = run(imported(net.model(net.conv(x, 4, 2)), tmp_path))
    return graph, Data({"x": net.samples(40)}, 40)


def _to_grids(graph: Graph, ranges: Mapping[str, Range]) -> Graph:
    return assign_grids(graph, ranges).graph


def test_a_tensor_has_the_observer_asked_for_by_its_name(tmp_path: Path) -> None:
    """By the name of the tensor, or of the layer; all others have the usual one."""
    graph, data = _net(tmp_path)
    wanted = needs_range(graph)
    conv = next(node for node in graph.nodes if node.op.weight_inputs)
    usual = calibrate(graph, data, wanted, Observers("minmax"), lambda r: _to_grids(graph, r))
    for name in (graph.tensor_name(conv.output), graph.node_name(conv)):
        observers = Observers("minmax", {name: "percentile:90"})
        found = calibrate(graph, data, wanted, observers, lambda r: _to_grids(graph, r))
        differ = {n for n in wanted if found.ranges[n] != usual.ranges[n]}
        assert {conv.output} == differ
        assert found.ranges[conv.output][1] < usual.ranges[conv.output][1]


def test_tensors_on_one_grid_have_one_observer(tmp_path: Path) -> None:
    """What is named beside others of its grid is named for all; two observers are a mistake."""
    net = Net((1, 3, 6, 6))
    conv = net.conv("x", 3, 4)
    pool = net.add("MaxPool", conv, kernel_shape=[2, 2])
    graph, data = run(imported(net.model(net.conv(pool, 4, 2)), tmp_path)), _net(tmp_path)[1]
    wanted = needs_range(graph)
    one, other = (next(n for n in wanted if graph.tensor_name(n) == name) for name in (conv, pool))
    observers = Observers("minmax", {pool: "percentile:90"})
    found = calibrate(graph, data, wanted, observers, lambda r: _to_grids(graph, r)).ranges
    usual = calibrate(graph, data, wanted, Observers(), lambda r: _to_grids(graph, r)).ranges
    assert {one, other} == {name for name in wanted if found[name] != usual[name]}
    twice = Observers("minmax", {conv: "mse", pool: "entropy"})
    with pytest.raises(UsageError, match="another observer"):
        calibrate(graph, data, wanted, twice, lambda r: _to_grids(graph, r))


def test_all_names_that_no_tensor_has_are_said(tmp_path: Path) -> None:
    """Every mistake at once, as options are named."""
    graph, data = _net(tmp_path)
    observers = Observers("mse", {"none": "mse", "nothing": "mse"})
    with pytest.raises(Problems) as caught:
        calibrate(graph, data, needs_range(graph), observers, lambda r: _to_grids(graph, r))
    assert ["--observer"] * 2 == [error.where for error in caught.value.errors]


def test_auto_keeps_what_errs_least_on_samples_held_back(tmp_path: Path) -> None:
    """One wild sample makes min-max the worst; no range is that of samples held back."""
    graph, data = _net(tmp_path)
    samples = data.inputs["x"].copy()
    held = sorted(held_back(graph, 40, 5))
    assert len({index % 5 for index in held}) > 2
    samples[next(k for k in range(40) if k not in held)] *= 300.0
    samples[held[0]] *= 1e6  # not among those that ranges are observed on
    data = Data({"x": samples}, 40)
    wanted = needs_range(graph)
    found = calibrate(graph, data, wanted, Observers("auto"), lambda r: _to_grids(graph, r))
    assert (8, 32, tuple(OBSERVERS)) == (
        found.held_back,
        found.samples,
        tuple(trial.observer for trial in found.trials),
    )
    assert max(found.trials, key=lambda t: t.sqnr_db).observer == found.observer
    source = graph.inputs[0].tensor
    seen = np.delete(samples, held, axis=0)
    observer = observer_named(found.observer).updated(seen)
    assert observer.range() == found.ranges[source]
    assert found.extremes[source].by_sample > 50


def test_auto_is_better_than_what_it_left(tmp_path: Path) -> None:
    """Of inputs with a wild value in one sample in four the range that clips is kept."""
    graph, data = _net(tmp_path)
    samples = data.inputs["x"].copy()
    samples[::4, 0, 0, 0] *= 40.0
    wanted = needs_range(graph)
    found = calibrate(
        graph, Data({"x": samples}, 40), wanted, Observers("auto"), lambda r: _to_grids(graph, r)
    )
    by_name = {trial.observer: trial.sqnr_db for trial in found.trials}
    assert by_name[found.observer] == max(by_name.values())
    again = calibrate(
        graph, Data({"x": samples}, 40), wanted, Observers("auto"), lambda r: _to_grids(graph, r)
    )
    assert (found.trials, found.ranges) == (again.trials, again.ranges)


def test_samples_that_overflow_in_float_say_nothing(tmp_path: Path) -> None:
    """They count as samples without any error do."""
    net = Net((1, 3, 6, 6))
    model = net.model(net.add("Conv", "x", net.const(np.full((1, 3, 3, 3), 2.0))))
    graph, samples = run(imported(model, tmp_path)), np.full((2, 3, 6, 6), -1.7, np.float32)
    data = Data({"x": samples.copy()}, 2)
    ranges = calibrate(
        graph, data, needs_range(graph), Observers(), lambda r: _to_grids(graph, r)
    ).ranges
    made = {"grids": _to_grids(graph, ranges), "float": graph}
    alone = Judge(graph, data, [0]).errors(made)
    samples[1] = np.finfo(np.float32).max
    both = Judge(graph, Data({"x": samples}, 2), [0, 1]).errors({"": made["grids"]})[""]
    assert both == pytest.approx((alone["grids"] + alone["float"]) / 2)


@pytest.mark.parametrize("noise", [math.nan, math.inf, 1e300])
def test_what_is_finite_in_float_alone_is_as_bad_as_can_be(noise: float) -> None:
    """No number is no error of 0; and what repairs gain stays a number."""
    assert typical_error(np.array([[1e-5]]), np.array([[noise]])) == -200.0
    assert typical_error(np.array([[math.inf]]), np.array([[noise]])) == 200.0


def test_a_few_samples_are_not_divided(tmp_path: Path) -> None:
    """With fewer than ten there is nothing to compare on."""
    graph, data = _net(tmp_path)
    with pytest.raises(UsageError, match="too few to compare"):
        calibrate(graph, data.first(9), needs_range(graph), Observers("auto"), lambda r: graph)
