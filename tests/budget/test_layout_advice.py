# SPDX-License-Identifier: Apache-2.0
"""An input in planes has a price, and the report knows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_nets import Net

from mcuplan import pipeline
from mcuplan.errors import UsageError
from mcuplan.record import Limits, Planned, Request
from mcuplan.schedule.program import Plan
from mcuplan.targets import load_target
from mcuplan.ways.candidates import less_ram, made


def _arena(plan: Plan) -> int:
    return sum(memory.arena_bytes for memory in plan.memory.values())


def _offers(planned: Planned) -> dict[str, Plan]:
    """Plans of what may need less RAM, by their options; of those that can be made."""
    found = {}
    for candidate in less_ram(planned):
        try:
            plan = made(planned, candidate.request, Limits()).plan
        except UsageError:
            continue
        found[" ".join(candidate.options)] = plan
    return found


@pytest.mark.parametrize("streaming", ["auto", "off"])
def test_the_layout_of_the_layers_is_offered_at_its_price(streaming: str, tmp_path: Path) -> None:
    """A way to less RAM is the plan that `--io-layout nhwc` leads to."""
    net = Net((1, 3, 32, 32)).conv(8, 3, 3, strides=[2, 2], name="a").add("GlobalAveragePool")
    model = net.save(tmp_path / "net.onnx")
    request = Request(model, load_target("cortex-m4"), streaming=streaming)  # type: ignore[arg-type]
    planned = pipeline.plan(request, sizes_only=True)
    found = _offers(planned)["--io-layout nhwc"]
    wanted = pipeline.plan(replace(request, io_layout="nhwc"), sizes_only=True)
    assert _arena(wanted.plan) == _arena(found)
    assert _arena(found) < _arena(planned.plan)
    assert all("--io-layout nhwc" not in each.options for each in less_ram(wanted))


def test_feeding_rows_is_offered_at_its_price(tmp_path: Path) -> None:
    """Where no other flag is enough, `--streaming input` may be, and its plan is the real one."""
    net = Net((1, 3, 32, 32)).conv(8, 3, 3, strides=[2, 2], name="a").add("GlobalAveragePool")
    model = net.save(tmp_path / "net.onnx")
    request = Request(model, load_target("cortex-m4"))
    planned = pipeline.plan(request, sizes_only=True)
    offers = _offers(planned)
    found = offers["--streaming input"]
    wanted = pipeline.plan(replace(request, streaming="input"), sizes_only=True)
    assert _arena(wanted.plan) == _arena(found)
    assert 2 * _arena(found) < _arena(planned.plan)
    names = list(offers)
    fed = ["--streaming input" in name for name in names]
    assert sorted(fed) == fed, "the call changes with it: the last resort"
    assert _arena(offers["--streaming input --objective ram=strict"]) <= _arena(found)


def test_rows_that_cannot_be_fed_have_no_plan(tmp_path: Path) -> None:
    """An input that the first layer needs at once has no such way, and no error comes of it."""
    model = Net((1, 8)).add("Relu").save(tmp_path / "net.onnx")
    planned = pipeline.plan(Request(model, load_target("cortex-m4")), sizes_only=True)
    assert not any("--streaming input" in name for name in _offers(planned))
