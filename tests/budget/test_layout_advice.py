# SPDX-License-Identifier: Apache-2.0
"""An input in planes has a price, and the report knows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_nets import Net

from mcuplan import pipeline
from mcuplan.record import Request
from mcuplan.schedule.explore.variants import less_ram
from mcuplan.schedule.program import Plan
from mcuplan.targets import load_target


def _arena(plan: Plan) -> int:
    return sum(memory.arena_bytes for memory in plan.memory.values())


@pytest.mark.parametrize("streaming", ["auto", "off"])
def test_the_layout_of_the_layers_is_offered_at_its_price(streaming: str, tmp_path: Path) -> None:
    """A way to less RAM is the plan that `--io-layout nhwc` leads to."""
    net = Net((1, 3, 32, 32)).conv(8, 3, 3, strides=[2, 2], name="a").add("GlobalAveragePool")
    model = net.save(tmp_path / "net.onnx")
    request = Request(model, load_target("cortex-m4"), streaming=streaming)  # type: ignore[arg-type]
    planned = pipeline.plan(request, sizes_only=True)
    found = dict(less_ram(planned))["--io-layout nhwc"]
    wanted = pipeline.plan(replace(request, io_layout="nhwc"), sizes_only=True)
    assert _arena(wanted.plan) == _arena(found)
    assert _arena(found) < _arena(planned.plan)
    assert all(name != "--io-layout nhwc" for name, _ in less_ram(wanted))


def test_feeding_rows_is_the_last_offer_at_its_price(tmp_path: Path) -> None:
    """Where no other flag is enough, `--streaming input` may be, and its plan is the real one."""
    net = Net((1, 3, 32, 32)).conv(8, 3, 3, strides=[2, 2], name="a").add("GlobalAveragePool")
    model = net.save(tmp_path / "net.onnx")
    request = Request(model, load_target("cortex-m4"))
    planned = pipeline.plan(request, sizes_only=True)
    offers = dict(less_ram(planned))
    name, found = next((n, p) for n, p in offers.items() if n.startswith("--streaming input"))
    wanted = pipeline.plan(replace(request, streaming="input"), sizes_only=True)
    assert ("--streaming input", _arena(wanted.plan)) == (name, _arena(found))
    assert 2 * _arena(found) < _arena(planned.plan)
    last = "--streaming input --objective ram=strict"
    assert last == list(offers)[-1]
    assert _arena(offers[last]) <= _arena(found)


def test_rows_that_cannot_be_fed_are_not_offered(tmp_path: Path) -> None:
    """An input that the first layer needs at once has no such flag, and no error comes of it."""
    model = Net((1, 8)).add("Relu").save(tmp_path / "net.onnx")
    planned = pipeline.plan(Request(model, load_target("cortex-m4")), sizes_only=True)
    assert "--streaming input" not in dict(less_ram(planned))
