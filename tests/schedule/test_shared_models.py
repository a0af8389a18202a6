# SPDX-License-Identifier: Apache-2.0
"""Plans of published networks, where the folder with test models is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcuplan import pipeline
from mcuplan.schedule import Plan, Sharing, levels, make_plan
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
    request = pipeline.Request(folder / "model.onnx", _TARGET)
    return pipeline.plan(request, sizes_only=True).plan


@pytest.mark.parametrize("name", _FOLDERS)
def test_order_and_arena_are_proved_optimal(test_models: Path, name: str) -> None:
    """No order needs fewer live bytes, no placement a smaller arena."""
    plan = _plan(test_models / name)
    assert plan.order is not None
    assert plan.order.optimal
    assert plan.order.peak_bytes <= plan.order.own_peak_bytes
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
