# SPDX-License-Identifier: Apache-2.0
"""Plans of published networks, where the folder with test models is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cells import mobilenet_v2

from mcuplan import pipeline
from mcuplan.record import Request
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.explore.levels import levels
from mcuplan.schedule.planning.by_rows import plan_rows
from mcuplan.schedule.program import Plan, Sharing, Streaming
from mcuplan.solvers.effort import EFFORTS
from mcuplan.targets import load_target

_TARGET = load_target("cortex-m4")
_FOLDERS = (
    "mcunet_vww",
    "micro_kws_m",
    "mlperf_ad_autoencoder",
    "mlperf_ic_resnet8",
    "mlperf_ic_resnet8_nchw",
    "mlperf_kws_dscnn",
    "mlperf_vww_mobilenetv1",
    "onnx2c_mnist14",
    "tflm_hello_world",
)


def _plan(folder: Path) -> Plan:
    request = Request(folder / "model.onnx", _TARGET, streaming="off")
    return pipeline.plan(request, sizes_only=True).plan


@pytest.mark.parametrize("name", _FOLDERS)
def test_order_and_arena_are_proved_optimal(test_models: Path, name: str) -> None:
    """No order needs fewer live bytes, no placement a smaller arena."""
    plan = _plan(test_models / name)
    assert plan.order is not None
    assert plan.order.optimal
    assert plan.memory["sram"].optimal


@pytest.mark.parametrize(
    ("name", "apart", "overlapped"),
    [
        ("mlperf_kws_dscnn", 16_000, 9_000),
        ("mlperf_ic_resnet8", 49_152, 34_300),
        ("mlperf_vww_mobilenetv1", 55_296, 37_900),
    ],
)
def test_overlap_saves_what_the_rows_allow(
    test_models: Path, name: str, apart: int, overlapped: int
) -> None:
    """Input inside, everything counted: whole tensors need the optimum, overlap far less."""
    plan = _plan(test_models / name)
    whole = make_plan(plan.program, Sharing(overlap=False)).memory["sram"]
    assert apart == whole.arena_bytes
    assert whole.optimal
    assert plan.memory["sram"].arena_bytes <= overlapped
    assert [level.arena_bytes for level in levels(plan.program.graph, _TARGET)][-1] <= overlapped


@pytest.mark.parametrize(
    ("name", "resident", "fed"),
    [
        ("mlperf_kws_dscnn", 4_300, 3_900),
        ("mlperf_ic_resnet8", 11_100, 9_900),
        ("mlperf_vww_mobilenetv1", 29_000, 11_000),
        ("mcunet_vww", 23_000, 15_500),
    ],
)
def test_rows_need_what_is_promised(test_models: Path, name: str, resident: int, fed: int) -> None:
    """For least RAM, scratch included, networks by rows keep within the figures promised."""
    model, target = test_models / name / "model_qdq.onnx", replace(_TARGET, backend="dsp")
    goals: tuple[tuple[Streaming, int], ...] = (("auto", resident), ("input", fed))
    for streaming, most in goals:
        effort = "fast" if name == "mcunet_vww" else "normal"  # that one takes seconds
        request = Request(model, target, objective="ram", effort=effort, streaming=streaming)
        plan = pipeline.plan(request).plan
        assert not plan.is_straight
        assert plan.memory["sram"].arena_bytes <= most


def test_a_wide_image_needs_a_fraction() -> None:
    """MobileNetV2 on an image of 62,208 bytes needs little more; fed, less than half of it."""
    graph, quick = mobilenet_v2(), EFFORTS["fast"]
    target = replace(_TARGET, backend="c99")
    for feed, most in ((False, 72_000), (True, 40_000)):
        plan = plan_rows(graph, target, effort=quick, feed=feed)
        assert plan is not None
        assert plan.memory["sram"].arena_bytes <= most
